"""Drives CPython's concurrent.futures.ProcessPoolExecutor."""

import concurrent.futures
import platform

import respawn_driver
import respawn_futures


class Driver:
    name = "ProcessPoolExecutor"
    version = platform.python_version()

    def start(self, size):
        self.executor = concurrent.futures.ProcessPoolExecutor(size)
        respawn_futures.warm_up(self.executor.submit, size, self.pids)

    def submit(self, call, settle):
        self.executor.submit(*call).add_done_callback(respawn_futures.settle_future(settle))

    def pids(self):
        return respawn_futures.children()

    def stop(self):
        self.executor.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    respawn_driver.serve(Driver())
