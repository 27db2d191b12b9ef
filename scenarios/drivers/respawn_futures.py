"""What the drivers of executors share."""

import multiprocessing
import time

import respawn_tasks


def warm_up(submit, size, pids):
    """For pools that start workers on demand: feeds them until as many processes as wanted are there."""
    deadline = time.monotonic() + 20
    while len(pids()) < size and time.monotonic() < deadline:
        for future in [submit(respawn_tasks.sleep, {"ms": 20, "n": 1}) for _ in range(size)]:
            future.result(timeout=20)


def children():
    """The pids of multiprocessing's children. Unlike active_children this reaps nobody: some pools break if it is them who
    find a dead worker, and would be saved by being watched."""
    return [p.pid for p in tuple(multiprocessing.process._children)]


def settle_future(settle):
    """A callback for add_done_callback that settles with whatever became of the future."""

    def done(future):
        try:
            settle(future.result())
        except BaseException as e:  # CancelledError is no Exception
            settle(e)

    return done
