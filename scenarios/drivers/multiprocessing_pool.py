"""Drives CPython's multiprocessing.Pool."""

import multiprocessing
import platform

import respawn_driver


class Driver:
    name = "multiprocessing.Pool"
    version = platform.python_version()

    def start(self, size):
        self.pool = multiprocessing.Pool(size)

    def submit(self, call, settle):
        function, *args = call
        self.pool.apply_async(function, args, callback=settle, error_callback=settle)

    def pids(self):
        return [p.pid for p in tuple(self.pool._pool)]

    def stop(self):
        self.pool.terminate()


if __name__ == "__main__":
    respawn_driver.serve(Driver())
