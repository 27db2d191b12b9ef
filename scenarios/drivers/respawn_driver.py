"""The driver protocol of docs/drivers.md for pools in Python.

A driver is an object with a name, a version, and start(size), submit(call, settle), pids() and stop();
serve() does all the talking. See multiprocessing_pool.py for the shortest example.
"""

import importlib
import json
import os
import sys
import threading

import respawn_children
import respawn_tasks


def import_or_missing(module, package, install=None):
    """Imports a library by name; a missing one is told to whoever says hello, with the command that installs it: that, or apt-get's."""
    try:
        return importlib.import_module(module)
    except ImportError:
        sys.stdin.readline()
        _send(1, {"op": "error", "error": f"not installed: {module}", "install": install or f"apt-get install {package}"})
        sys.exit(0)


def serve(driver):
    """Answers requests from standard input until it ends or stop is asked for. Never returns."""
    requests = os.fdopen(os.dup(0), "rb")
    sys.stdin = open(os.devnull)  # a forked worker closes its own, and must not wait for the lock of who reads here
    out = os.dup(1)  # not inherited by programs that the pool starts
    os.dup2(2, 1)  # so that a stray print cannot corrupt the protocol
    lock = threading.Lock()

    def say(**message):
        with lock:
            _send(out, message)

    def answer(request):
        op = request["op"]
        if op == "hello":
            say(op="hello", protocol=1, name=driver.name, version=driver.version, can=["workers", "pid", "witness"])
        elif op == "start":
            os.environ["RESPAWN_WITNESS"] = request.get("witness", "")  # the workers inherit it
            driver.start(request["size"])
            say(op="ready", pids=driver.pids())
        elif op == "workers":
            say(op="workers", pids=driver.pids())
        elif op == "submit":
            submit(request["id"], request["task"], request["arg"])
        else:
            say(op="error", error=f"unknown op {op!r}: want hello, start, submit, workers or stop")

    def submit(id, task, arg):
        def settle(outcome):
            if isinstance(outcome, BaseException):
                say(op="error", id=id, error=f"{type(outcome).__name__}: {outcome}")
            else:
                say(op="result", id=id, value=outcome[0], pid=outcome[1])

        try:
            driver.submit((respawn_tasks.run, id, task, arg), settle)
        except Exception as e:
            settle(e)

    for line in requests:
        try:
            request = json.loads(line)
            if request["op"] == "stop":
                _stop(driver)
                say(op="stopped")
                break
            answer(request)
        except Exception as e:
            say(op="error", error=f"{type(e).__name__}: {e}")
    else:  # whoever asked is gone
        _stop(driver)
    os._exit(0)  # a broken pool's threads and exit handlers may never end


def _stop(driver):
    """Stops the pool, which may have nothing left or never come to its end, and ends every process that remains."""
    stopping = threading.Thread(target=driver.stop, daemon=True)
    stopping.start()
    stopping.join(3)
    respawn_children.end()


def _send(fd, message):
    """Writes one line past every buffer, so that no forked worker can hold or repeat a part of it."""
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(fd, line) :]
