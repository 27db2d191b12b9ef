"""Drives pebble's ProcessPool."""

import importlib.metadata

import respawn_driver
import respawn_futures


class Driver:
    name = "pebble.ProcessPool"
    version = ""

    def start(self, size):
        self.pool = pebble.ProcessPool(max_workers=size)
        respawn_futures.warm_up(self.schedule, size, self.pids)

    def schedule(self, function, *args):
        return self.pool.schedule(function, args=args)

    def submit(self, call, settle):
        self.schedule(*call).add_done_callback(respawn_futures.settle_future(settle))

    def pids(self):
        return respawn_futures.children()

    def stop(self):
        self.pool.stop()


if __name__ == "__main__":
    pebble = respawn_driver.import_or_missing("pebble", "python3-pebble")
    Driver.version = importlib.metadata.version("pebble")
    respawn_driver.serve(Driver())
