"""Drives joblib's loky. A broken executor is replaced as its documentation does it: by asking for the reusable one."""

import respawn_driver
import respawn_futures


class Driver:
    name = "loky"
    version = ""

    def start(self, size):
        self.size = size
        respawn_futures.warm_up(self.executor_submit, size, self.pids)

    def executor(self):
        return loky.get_reusable_executor(max_workers=self.size, timeout=None)

    def executor_submit(self, *call):
        return self.executor().submit(*call)

    def submit(self, call, settle):
        self.executor_submit(*call).add_done_callback(respawn_futures.settle_future(settle))

    def pids(self):
        return respawn_futures.children()

    def stop(self):
        self.executor().shutdown(wait=True, kill_workers=True)


if __name__ == "__main__":
    loky = respawn_driver.import_or_missing("joblib.externals.loky", "python3-joblib")
    Driver.version = loky.__version__
    respawn_driver.serve(Driver())
