"""Fleets whose nodes are processes of this machine: a node is one process, and what it has started ends with it, as on a host that loses
its power. A node that ends is started again after 0.1 s, then 0.2 s and so on."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time


def end_with_parent():
    """Has this process ended with the one that started it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def ready():
    """Says, in a node, that it takes tasks."""
    os.write(int(os.environ["RESPAWN_READY"]), b"ready\n")


class Hosts:
    def __init__(self, size, *argv):
        self.there, self.started, self.closing = {}, {}, False
        for i in range(size):
            threading.Thread(target=self._keep, args=(i, argv), daemon=True).start()
        self.wait(size)

    def _keep(self, i, argv):
        pause = 0.1
        while not self.closing:
            read, write = os.pipe()
            program = [sys.executable, *argv, f"node-{i}"]
            child = subprocess.Popen(program, env={**os.environ, "RESPAWN_READY": str(write)}, pass_fds=[write], stdin=subprocess.DEVNULL)
            self.started[i] = child.pid
            os.close(write)
            began = time.monotonic()
            if os.read(read, 6) == b"ready\n":
                self.there[i] = child.pid
            child.wait()
            os.close(read)
            self.there.pop(i, None)
            pause = 0.1 if time.monotonic() - began > 10 else min(2 * pause, 5)
            time.sleep(pause)

    def wait(self, size):
        while len(self.there) < size:
            time.sleep(0.01)

    def pids(self):
        return list(self.there.values())


def directory():
    """A directory that ends with the run."""
    return tempfile.mkdtemp(dir=os.path.dirname(os.environ.get("RESPAWN_WITNESS", "")) or None)


def redis_server():
    """Starts a Redis that keeps nothing on disk, and returns the path of its socket."""
    where = directory()
    path = os.path.join(where, "redis")
    subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", where],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


class Outcomes:
    """Settles tasks once their outcomes are there, which look() is asked for: it gets what is open, and gives back what has settled."""

    def __init__(self, look):
        self.look, self.open, self.lock = look, {}, threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, name, settle):
        with self.lock:
            self.open[name] = settle

    def _run(self):
        while True:
            time.sleep(0.01)
            with self.lock:
                names = list(self.open)
            for name, outcome in self.look(names) if names else ():
                with self.lock:
                    settle = self.open.pop(name)
                settle(outcome)
