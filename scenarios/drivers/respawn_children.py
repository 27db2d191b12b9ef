"""The end of the processes that a driver's pool has started."""

import contextlib
import glob
import os
import signal
import threading
import time

_forking = threading.Lock()  # held while a process is being forked, and for good once no more may be

os.register_at_fork(before=_forking.acquire, after_in_parent=_forking.release, after_in_child=_forking.release)


def end():
    """Kills and reaps children until there is none. A pool that is being stopped may be replacing a worker just now; from here
    on its threads can fork no more."""
    _forking.acquire()
    while children := [pid for pid in _children() if not _tracks_resources(pid)]:
        for pid in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):  # a thread of the pool has reaped it
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.005)


def _children():
    """The pids of children, those of dead ones that wait to be reaped too."""
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(path) as file:
            if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                yield int(path.split("/")[2])


def _tracks_resources(pid):
    """Python's helper that unlinks semaphores. It ends by itself once all who used them have ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/cmdline") as file:
        return "resource_tracker" in file.read()
