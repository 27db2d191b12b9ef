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


respawn.serve()
