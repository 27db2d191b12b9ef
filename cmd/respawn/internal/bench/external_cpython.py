import json
import multiprocessing
import os
import socket
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

workers, tasks, size = map(int, sys.argv[1:])


def square(n):
    return n * n


def echo(data):
    return data


def timed(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def flood(submit, result):
    def run():
        results = [submit(i) for i in range(tasks)]
        assert [result(r) for r in results] == [i * i for i in range(tasks)]

    return tasks / timed(run)


def socket_roundtrip():
    """The median in seconds of a byte that goes to another process and back by a pair of sockets."""
    ours, theirs = (end.detach() for end in socket.socketpair())
    child = os.fork()
    if not child:
        os.close(ours)
        while data := os.read(theirs, 1):
            os.write(theirs, data)
        os._exit(0)
    os.close(theirs)
    found = statistics.median(timed(lambda: os.write(ours, b"x") and os.read(ours, 1)) for _ in range(2000))
    os.close(ours)
    os.waitpid(child, 0)
    return found


if __name__ == "__main__":
    found = {"socket_roundtrip_us": 1e6 * socket_roundtrip()}
    with multiprocessing.Pool(workers) as pool:
        submit, result = lambda i: pool.apply_async(square, (i,)), lambda r: r.get()
        [result(submit(i)) for i in range(1000)]
        found["pool_tasks_s"] = flood(submit, result)
        found["pool_roundtrip_us"] = 1e6 * statistics.median(timed(lambda: pool.apply(square, (7,))) for _ in range(2000))
        data = bytes(size)
        pool.apply(echo, (data,))
        found["pool_echo_mb_s"] = 2 * size / 1e6 / statistics.median(timed(lambda: pool.apply(echo, (data,))) for _ in range(5))
    with ProcessPoolExecutor(workers) as executor:
        submit, result = lambda i: executor.submit(square, i), lambda f: f.result()
        [result(submit(i)) for i in range(1000)]
        found["executor_tasks_s"] = flood(submit, result)
    print(json.dumps(found))
