"""Drives dask.distributed: a LocalCluster of processes with one thread each, which a nanny restarts."""

import respawn_driver
import respawn_futures


class Driver:
    name = "dask.distributed"
    version = ""

    def start(self, size):
        cluster = distributed.LocalCluster(n_workers=size, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)
        self.cluster, self.client = cluster, distributed.Client(cluster)
        self.client.wait_for_workers(size, timeout=25)

    def submit(self, call, settle):
        run, *arguments = call
        self.client.submit(run, *arguments, pure=False).add_done_callback(respawn_futures.settle_future(settle))

    def pids(self):
        nannies = tuple(self.cluster.workers.values())
        return [pid for pid in (nanny.pid for nanny in nannies) if pid]

    def stop(self):
        self.client.close(timeout=1)
        self.cluster.close(timeout=2)


if __name__ == "__main__":
    distributed = respawn_driver.import_or_missing("distributed", "python3-distributed")
    Driver.version = distributed.__version__
    respawn_driver.serve(Driver())
