import os
import time

import respawn


@respawn.task
def square(n):
    return n * n


@respawn.task
def square_bytes(data):
    return (int.from_bytes(data, "little") ** 2).to_bytes(8, "little")


@respawn.task(view=True)
def echo(data):
    return data


@respawn.task
def nap(n):
    time.sleep(0.02)
    return n * n


@respawn.task
def pid(_):
    return os.getpid()


@respawn.task
def ticket(count):
    """The processor time in nanoseconds in which the SDK takes a ticket."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    worker, own = respawn._Worker(), respawn._TICKETS
    respawn._TICKETS = read
    try:
        for seq in range(count):
            os.write(write, respawn._ticket.pack(seq))
        began = time.process_time_ns()
        for seq in range(count):
            if not worker.take(seq):
                raise RuntimeError("a ticket is not there")
        return (time.process_time_ns() - began) // count
    finally:
        respawn._TICKETS = own
        os.close(read)
        os.close(write)


respawn.serve()
