"""Drives billiard, Celery's fork of multiprocessing."""

import respawn_driver


class Driver:
    name = "billiard.Pool"
    version = ""

    def start(self, size):
        self.pool = billiard.Pool(size)

    def submit(self, call, settle):
        function, *args = call
        self.pool.apply_async(function, args, callback=settle, error_callback=failed(settle))

    def pids(self):
        return [p.pid for p in tuple(self.pool._pool) if p.pid]  # one that is about to be started has none

    def stop(self):
        self.pool.terminate()


def failed(settle):
    """billiard wraps exceptions in an ExceptionInfo."""
    return lambda info: settle(getattr(info, "exception", info))


if __name__ == "__main__":
    billiard = respawn_driver.import_or_missing("billiard", "python3-billiard")
    Driver.version = billiard.__version__
    respawn_driver.serve(Driver())
