"""Drives rq on Redis: nodes are workers, each of which forks a process for a task. With "careful" as a careful operator sets it: three
retries, and Redis looks for lost workers each 10 s."""

import os
import sys

import respawn_driver
import respawn_hosts
import respawn_tasks


def run(id, task, arg):
    """Runs in a process that the node has forked for it."""
    return respawn_tasks.run(id, task, arg)


class Driver:
    name = "rq"
    version = ""

    def __init__(self, careful):
        self.careful = careful

    def start(self, size):
        path = respawn_hosts.redis_server()
        self.redis = redis.Redis(unix_socket_path=path)
        self.queue = rq.Queue(connection=self.redis)
        self.hosts = respawn_hosts.Hosts(size, __file__, "careful" if self.careful else "plain", path)
        self.outcomes = respawn_hosts.Outcomes(self.look)

    def submit(self, call, settle):
        _, *arguments = call
        retry = rq.Retry(max=3) if self.careful else None
        job = self.queue.enqueue("rq_fleet.run", args=arguments, result_ttl=3600, retry=retry)
        self.outcomes.add(job.id, settle)

    def look(self, names):
        for name, job in zip(names, rq.job.Job.fetch_many(names, connection=self.redis)):
            status = job.get_status(refresh=False) if job else "gone"
            if status == "finished":
                yield name, job.return_value()
            elif status in ("failed", "stopped", "canceled", "gone"):
                result = job.latest_result() if job else None
                yield name, RuntimeError(f"{status}: {(result.exc_string or '').strip().splitlines()[-1:] if result else ''}")

    def pids(self):
        return self.hosts.pids()

    def stop(self):
        self.hosts.closing = True


def node(careful, path, name):
    node = os.getpid()
    respawn_tasks.member = lambda: node  # also of the processes that it forks

    class Worker(rq.Worker):
        def setup_work_horse_signals(self):
            respawn_hosts.end_with_parent()
            if os.getppid() != node:
                os._exit(1)  # it died before
            super().setup_work_horse_signals()

        def bootstrap(self, *args, **kwargs):
            super().bootstrap(*args, **kwargs)
            respawn_hosts.ready()

    settings = {"maintenance_interval": 10, "worker_ttl": 20, "job_monitoring_interval": 5} if careful else {}
    Worker(["default"], name=f"{name}-{os.getpid()}", connection=redis.Redis(unix_socket_path=path), **settings).work(logging_level="ERROR")


if __name__ == "__main__":
    rq = respawn_driver.import_or_missing("rq", "", "scenarios/drivers/install.sh fleets")
    import redis
    import rq.job

    Driver.version = rq.VERSION
    if len(sys.argv) == 4:
        node(sys.argv[1] == "careful", sys.argv[2], sys.argv[3])
    else:
        respawn_driver.serve(Driver(sys.argv[1:] == ["careful"]))
