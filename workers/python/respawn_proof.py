"""The tasks by which a worker is proved: `respawn worker check` and the scenarios run them. respawn.py loads this file where the harness
says that it is, and knows nothing of it otherwise. What each task does is in docs/wire.md, "To be proved".
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time


def tasks(task):
    """Registers them all, by respawn.task."""
    kept = []  # what leaks
    witnesses = {}

    def say(line):
        os.write(2, line.encode() + b"\n")

    def pause(ns, task):
        end = time.monotonic_ns() + ns
        while not task.cancelled:
            left = end - time.monotonic_ns()
            if left <= 0:
                return
            time.sleep(min(left, 20_000_000) / 1e9)

    def verifiable(run):
        """A task that names itself in its answer, and its process, and witnesses what it executes."""

        def handler(w, task):
            path = w.get("witness")
            if path:
                fd = witnesses.get(path)
                if fd is None:
                    fd = witnesses[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
                line = "%d %d %d %d" % (w["id"], task.attempt, os.getpid(), time.monotonic_ns())
                os.write(fd, ("\nS %s\n" % line).encode())
            answer = run(w, task)
            if path:
                os.write(fd, ("\nE %s %d\n" % (line, time.monotonic_ns())).encode())
            if isinstance(answer, dict):
                answer.update(id=w["id"], pid=os.getpid())
            return answer

        task(handler, name="respawn." + run.__name__)

    def touched(n):
        block = bytearray(n)
        block[::4096] = b"\1" * len(range(0, n, 4096))
        return block

    @verifiable
    def sleep(w, task):
        pause(w.get("ns", 0), task)
        return {"value": str(w["id"] ** 2)}

    @verifiable
    def driven(w, task):
        pause(w["ns"], task)
        return w["n"] ** 2

    @verifiable
    def square(w, task):
        return {"value": str(w["id"] ** 2)}

    @verifiable
    def hash(w, task):
        digest = (w["id"] % 16).to_bytes(32, "little")
        for _ in range(w.get("rounds", 0)):
            digest = hashlib.sha256(digest).digest()
        return {"value": str(int.from_bytes(digest[:8], "little"))}

    @verifiable
    def primes(w, task):
        n = max(w.get("below", 0), 2)
        sieve = bytearray(b"\0\0") + bytearray(b"\1") * (n - 2)
        for i in range(2, int(n**0.5) + 1):
            if sieve[i]:
                sieve[i * i :: i] = bytes(len(range(i * i, n, i)))
        return {"value": str(sum(sieve))}

    @verifiable
    def echo(w, task):
        return {"value": "0", "payload": w.get("payload")}

    @verifiable
    def alloc(w, task):
        block = touched(w.get("bytes", 0))
        if w.get("keep"):
            kept.append(block)
        pause(w.get("ns", 0), task)
        return {"value": str(w["id"] ** 2)}

    @task(name="respawn.probe")
    def probe(n):
        return {"id": 0, "pid": os.getpid(), "value": str(n * n)}

    @task(name="respawn.bytes")
    def same(data):
        return data

    @task(name="respawn.keep", view=True)
    def keep(data):
        kept.append(data)
        return data[:4]

    @task(name="respawn.fail")
    def fail(text):
        raise ValueError(text)

    @task(name="respawn.print")
    def prints(text):
        print(text)
        print(text, file=sys.stderr)
        os.write(1, text.encode() + b"\n")

    @task(name="respawn.child")
    def child(seconds):
        return subprocess.Popen(["sleep", str(seconds)], stdin=subprocess.DEVNULL, close_fds=False).pid

    @task(name="respawn.fork")
    def fork(returns):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            if returns:
                return -1
            os._exit(0)
        return os.waitpid(pid, 0)[1]

    @task(name="respawn.poison")
    def poison(code):
        say("respawn poison: exit %d" % code)
        os._exit(code)

    def fds(s, task):
        opened = []
        try:
            for _ in range(s["count"]):
                opened.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as e:
            if e.errno != 24:
                raise
            return {"text": "EMFILE after %d" % len(opened), "refused": "EMFILE"}
        finally:
            for fd in opened:
                os.close(fd)
        return {"text": "opened %d files" % len(opened)}

    def pids(s, task):
        children = []
        try:
            for _ in range(s["count"]):
                children.append(subprocess.Popen(["/bin/sleep", "60"]))
        except BlockingIOError:
            return {"text": "EAGAIN after %d" % len(children), "refused": "EAGAIN"}
        finally:
            for c in children:
                c.kill()
                c.wait()
        return {"text": "started %d children" % len(children)}

    def memory(s, task):
        held, taken, chunk = [], 0, 4 << 20
        while not task.cancelled and (not s["bytes"] or taken < s["bytes"]):
            n = min(chunk, s["bytes"] - taken) if s["bytes"] else chunk
            held.append(touched(n))
            taken += n
        pause(s.get("ns", 0), task)
        return {"text": "held %d bytes in %d pieces" % (taken, len(held))}

    @task(name="respawn.stress")
    def stress(s, task):
        if s["pid"] and s["pid"] != os.getpid():
            return {"text": "not the victim", "not_me": True}
        if s["kind"] == "exit":
            say(s["marker"])
            os._exit(s["count"])
        if s["kind"] == "panic":
            say(s["marker"])
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            os.abort()
        return {"alloc": memory, "fds": fds, "pids": pids}[s["kind"]](s, task)


def boot():
    """Boots badly when told to: see scenarios/targets/boot.go."""
    at = os.environ.get("RESPAWN_BOOT")
    if not at or not os.path.isdir(at):
        return
    try:
        with open(os.path.join(at, "delay")) as f:
            ns = int(f.read())
        with open(os.path.join(at, "slowed"), "a") as f:
            f.write(".")
        time.sleep(ns / 1e9)
    except FileNotFoundError:
        pass
    for name in os.listdir(at):
        if name.startswith("fail-"):
            try:
                os.remove(os.path.join(at, name))
            except FileNotFoundError:
                continue
            raise RuntimeError("told to fail by the harness")
