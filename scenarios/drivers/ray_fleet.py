"""Drives ray: a head without processors beside the driver, and nodes with one processor each, whose raylets, agents and workers end with them."""

import os
import signal
import sys
import time

import respawn_driver
import respawn_futures
import respawn_hosts
import respawn_tasks

STORE = 80 << 20  # bytes of each node's object store, the least that ray takes


def run(id, task, arg):
    """Runs in a worker of the node, to which the driver sends tasks past the node's own process: it rests while that is stopped, as on a host
    that stands still, and ends with the raylet, which ends with that."""
    respawn_hosts.end_with_parent()
    node = int(os.environ["RESPAWN_NODE"])
    while stopped(node):
        time.sleep(0.01)
    respawn_tasks.member = lambda: node
    return respawn_tasks.run(id, task, arg)


def stopped(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] in "Tt"


class Driver:
    name = "ray"
    version = ""

    def start(self, size):
        os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
        os.chdir(respawn_hosts.directory())  # whose own path is too long for the sockets in it
        context = ray.init(
            num_cpus=0, object_store_memory=STORE, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
            _temp_dir=f"/proc/{os.getpid()}/cwd",
        )
        self.run = ray.remote(num_cpus=1)(run)
        self.hosts = respawn_hosts.Hosts(size, __file__, context.address_info["gcs_address"])

    def submit(self, call, settle):
        _, *arguments = call
        self.run.remote(*arguments).future().add_done_callback(respawn_futures.settle_future(settle))

    def pids(self):
        return self.hosts.pids()

    def stop(self):
        self.hosts.closing = True
        for pid in self.hosts.started.values():
            for end in os.killpg, os.kill:  # with its agents, which would look for their raylet a second later; it may lead no group yet
                try:
                    end(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        ray.shutdown()


def node(address):
    os.setpgid(0, 0)
    respawn_hosts.end_with_parent()
    os.environ["RESPAWN_NODE"] = str(os.getpid())
    here = f"/proc/{os.getppid()}/cwd"  # two nodes that begin at once would choose the same names
    settings = ray._private.parameter.RayParams(
        gcs_address=address, num_cpus=1, num_gpus=0, object_store_memory=STORE, include_log_monitor=False,
        plasma_store_socket_name=f"{here}/store-{os.getpid()}", raylet_socket_name=f"{here}/raylet-{os.getpid()}",
    )
    ray._private.node.Node(settings, head=False, shutdown_at_exit=False, spawn_reaper=True)  # what it starts ends with this process
    respawn_hosts.ready()
    while True:
        os.wait()


if __name__ == "__main__":
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0")
    ray = respawn_driver.import_or_missing("ray", "", "scenarios/drivers/install.sh fleets")
    import ray._private.node
    import ray._private.parameter

    Driver.version = ray.__version__
    if len(sys.argv) == 3:
        node(sys.argv[1])
    else:
        respawn_driver.serve(Driver())
