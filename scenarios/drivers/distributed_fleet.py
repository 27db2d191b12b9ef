"""Drives dask.distributed: a scheduler beside the driver, and nodes that are workers with one thread and no nanny."""

import asyncio
import sys

import respawn_driver
import respawn_futures
import respawn_hosts


class Driver:
    name = "dask.distributed"
    version = ""

    def start(self, size):
        self.cluster = distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50)
        self.client = distributed.Client(self.cluster)
        self.hosts = respawn_hosts.Hosts(size, __file__, self.cluster.scheduler_address)

    def submit(self, call, settle):
        run, *arguments = call
        self.client.submit(run, *arguments, pure=False).add_done_callback(respawn_futures.settle_future(settle))

    def pids(self):
        return self.hosts.pids()

    def stop(self):
        self.hosts.closing = True
        self.client.close(timeout=1)


async def node(scheduler):
    async with distributed.Worker(scheduler, nthreads=1, dashboard=False) as worker:
        respawn_hosts.ready()
        await worker.finished()


if __name__ == "__main__":
    distributed = respawn_driver.import_or_missing("distributed", "", "scenarios/drivers/install.sh fleets")
    Driver.version = distributed.__version__
    if len(sys.argv) == 3:
        asyncio.run(node(sys.argv[1]))
    else:
        respawn_driver.serve(Driver())
