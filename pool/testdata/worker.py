# The handlers of external_linux_test.go, as worker.mjs has them for Node.
import os, sys, time

if os.environ.get("CRASH_AT_IMPORT"):
    import a_module_that_is_not_there
if os.environ.get("IMPORTS_LOG"):

    def log(what):
        fd = os.open(os.environ["IMPORTS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, what)
        os.close(fd)

    log(b"B")
    time.sleep(0.1)
    for name in filter(None, os.environ.get("IMPORTS_HANG", "").split(":")):  # each keeps one worker until it is there
        try:
            os.close(os.open(name + ".taken", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        while not os.path.exists(name):
            time.sleep(0.01)
        break
    log(b"E")
if os.environ.get("IMPORTS_TAKE"):
    block = bytearray(int(os.environ["IMPORTS_TAKE"]))
    block[::4096] = b"x" * len(range(0, len(block), 4096))
    del block
print("printed at import")
if os.environ.get("SILENT"):
    time.sleep(600)
if os.environ.get("PRINT_ONLY"):
    sys.exit(0)
if os.environ.get("GARBAGE"):
    os.write(3, b"Hello, this is no frame at all, but long enough")

import respawn

task = respawn.task
if os.environ.get("OTHER_PROTOCOL"):
    respawn.PROTOCOL = 2
    respawn._HELLO = 1
    _loads = respawn.json.loads
    respawn.json.loads = lambda b: dict(_loads(b), protocol=2)


@task
def square(n):
    return n * n


@task
def echo(b):
    return b


kept = []


@task(view=True)
def view(b):
    if bytes(b[:4]) == b"keep":
        kept.append(b[4:])
        return b[:8]
    if bytes(b[:4]) == b"fail":
        inner = b[4:]
        raise ValueError("with a view of %d bytes in a local variable" % len(inner))
    return b


@task("as-it-is")
def as_it_is(v):
    return v


@task
def say(text):
    print(text)
    print(text, file=sys.stderr)
    os.write(1, b"raw on stdout\n")
    return text


@task
def nap(ms, task):
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end and not task.cancelled:
        time.sleep(0.002)
    return {"attempt": task.attempt, "key": task.key, "pid": os.getpid(), "cancelled": task.cancelled}


@task
def stubborn(ms):
    time.sleep(ms / 1000)
    return os.getpid()


@task
def witness(path):
    with open(path, "a") as f:
        f.write(".")
    time.sleep(0.001)
    return os.getpid()


@task
def touch(path):
    with open(path, "a") as f:
        f.write(".")
    return 0


@task
def die(how, task):
    if how.endswith(" once") and task.attempt > 1:
        return task.attempt
    how = how.split(" ")[0]
    if how == "exit":
        os._exit(42)
    if how == "memory":
        raise MemoryError
    if how == "stop":
        os.kill(os.getpid(), 19)
        time.sleep(600)
    os.kill(os.getpid(), 11 if how == "segv" else 9)


@task
def fail(how):
    if how == "value":
        raise ValueError("no good: " + how)
    if how == "exit":
        sys.exit("leaving")
    if how == "text":
        raise RuntimeError("\udcff" * 100000)
    if how == "nothing":
        return None
    if how == "generator":
        return (n for n in range(3))
    if how == "nan":
        return float("nan")
    if how == "surrogate":
        return "\udcff"
    if how == "large":
        return "x" * (9 << 20)
    return "text"


@task
def fork(how):
    pid = os.fork()
    if pid == 0:
        if how == "returns":
            return "the child's"
        os._exit(0)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    respawn.serve()
