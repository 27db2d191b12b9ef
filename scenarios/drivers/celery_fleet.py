"""Drives celery on Redis: nodes are workers with one process of their own. With "late" as a careful operator sets it: tasks are acknowledged
when they are done, one that is lost with a worker's process goes back, nothing is taken ahead, and Redis hands out again after 20 s."""

import json
import os
import sys

import respawn_driver
import respawn_hosts
import respawn_tasks


def make_app(path, late):
    app = celery.Celery("fleet", broker=f"redis+socket://{path}", backend=f"redis+socket://{path}")
    app.conf.worker_concurrency = 1
    if late:
        app.conf.update(
            task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1,
            broker_transport_options={"visibility_timeout": 20}, visibility_timeout=20,
        )
    run = app.task(respawn_tasks.run, name="run")
    return app, run


class Driver:
    name = "celery"
    version = ""

    def __init__(self, late):
        self.late, self.n = late, 0

    def start(self, size):
        path = respawn_hosts.redis_server()
        self.app, self.run = make_app(path, self.late)
        self.redis = redis.Redis(unix_socket_path=path)
        self.hosts = respawn_hosts.Hosts(size, __file__, "late" if self.late else "early", path)
        self.outcomes = respawn_hosts.Outcomes(self.look)

    def submit(self, call, settle):
        _, *arguments = call
        self.n += 1
        name = f"task-{self.n}"
        self.outcomes.add(name, settle)
        self.run.apply_async(arguments, task_id=name)

    def look(self, names):
        for name, text in zip(names, self.redis.mget(f"celery-task-meta-{name}" for name in names)):
            meta = json.loads(text) if text else {"status": "PENDING"}
            if meta["status"] == "SUCCESS":
                yield name, meta["result"]
            elif meta["status"] in ("FAILURE", "REVOKED"):
                yield name, RuntimeError(f"{meta['status']}: {meta['result']}")

    def pids(self):
        return self.hosts.pids()

    def stop(self):
        self.hosts.closing = True


def node(late, path, name):
    app, _ = make_app(path, late)
    node = os.getpid()
    respawn_tasks.member = lambda: node  # also of the processes that it forks

    def born(**_):
        respawn_hosts.end_with_parent()
        if os.getppid() != node:
            os._exit(1)  # it died before

    celery.signals.worker_process_init.connect(born, weak=False)
    celery.signals.worker_ready.connect(lambda **_: respawn_hosts.ready(), weak=False)
    app.worker_main(["worker", "--hostname", f"{name}@{os.getpid()}", "--loglevel", "ERROR"])


if __name__ == "__main__":
    celery = respawn_driver.import_or_missing("celery", "", "scenarios/drivers/install.sh fleets")
    import celery.signals
    import redis

    Driver.version = celery.__version__
    if len(sys.argv) == 4:
        node(sys.argv[1] == "late", sys.argv[2], sys.argv[3])
    else:
        respawn_driver.serve(Driver(sys.argv[1:] == ["late"]))
