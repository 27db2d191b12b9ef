"""Worker of a respawn pool: tasks of a Go program that run in this process. One file, to be copied or installed.

    import respawn

    @respawn.task
    def square(n):
        return n * n

    if __name__ == "__main__":
        respawn.serve()

In Go: pool.Config{Command: []string{"python3", "worker.py"}} and pool.External[int, int]("square").

A handler gets its argument, decoded from JSON or as bytes where Go has a []byte, and, if it takes a second one, its Task. What it
returns goes back the same way; an exception is a *pool.HandlerError there. print and logging go where they always go. The
protocol is docs/wire.md of https://github.com/respawn-go/respawn.
"""

import os

_asked = os.environ.pop("RESPAWN_PROTOCOL", None)  # so that what a handler starts is no worker
_proof = os.environ.pop("RESPAWN_PROOF", None)
if _asked is not None:
    for _fd in (3, 4, 5):  # before other imports, which may start something
        os.set_inheritable(_fd, False)


def _segment(fd, name):
    """Tells whether a descriptor is shared memory that a pool passed, and keeps it from what a handler starts."""
    try:
        if os.readlink("/proc/self/fd/%d" % fd).startswith("/memfd:respawn-" + name):
            os.set_inheritable(fd, False)
            return True
    except OSError:
        pass
    return False


_shares = _asked is not None and _segment(6, "down") and _segment(7, "up")

import atexit
import faulthandler
import gc
import json
import mmap
import select
import signal
import stat
import struct
import sys
import threading
import time
import traceback

__all__ = ["Task", "serve", "task"]
__version__ = "0.1.0"

PROTOCOL = 1
_TASKS, _CONTROL, _TICKETS, _DOWN, _UP = 3, 4, 5, 6, 7
_HELLO, _TASK, _READY, _BOOT_FAILED, _VALUE, _ERROR, _ENCODE, _UNKNOWN, _GOODBYE = 1, 2, 3, 4, 5, 6, 8, 9, 10
_ARENA, _BYTES, _WANT_BYTES = 1, 4, 8  # flags: in shared memory; of a task: its argument is bytes, and so must its result be
_CANCEL, _FLUSH, _STOP, _COLLECTED = 2, 3, 4, 5
_header = struct.Struct("<IBBHQIHHQ")  # size, kind, flags, handler, id, seq, attempt, size of the key, run time
_order = struct.Struct("<B3xI")
_ticket = struct.Struct("<I")
_ref = struct.Struct("<QQ")  # where in shared memory: offset, size
_LARGE = 64 << 10  # what goes by it
_TEXT = 64 << 10  # the longest message or trace
_FLUSH_BYTES = 32 << 10
_FLUSH_NS = 200_000  # results go out at once after a handler that took so long
_LONG_NS = 1_000_000  # and before one that is likely to

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


class Task:
    """What a handler may know of the task that it runs."""

    __slots__ = ("attempt", "cancelled", "id", "key", "_seq")

    def __init__(self, id, seq, attempt, key):
        self.id = id  # the task's number in its pool
        self.attempt = attempt  # from 1: how often it was sent to a worker
        self.key = key  # the idempotency key, the same in each attempt
        self.cancelled = False  # becomes True when its caller gave it up: return soon
        self._seq = seq


_handlers = {}  # name: (function, whether it takes a Task, whether it takes a view)


def task(function=None, *, name=None, view=False):
    """Registers a handler under its name, or another: @task, @task("name").

    With view=True bytes come as a read-only memoryview, large ones without a copy: numpy.frombuffer(data, dtype) reads them where they
    are. It is for as long as the handler runs: one that keeps it loses its worker after the task.
    """
    if isinstance(function, str):
        return lambda f: task(f, name=function, view=view)
    if function is None:
        return lambda f: task(f, name=name, view=view)
    name = name or function.__name__
    inner = function
    while hasattr(inner, "func") or hasattr(inner, "__wrapped__"):
        inner = getattr(inner, "func", None) or inner.__wrapped__
    code = getattr(inner, "__code__", None) or getattr(getattr(type(inner), "__call__", None), "__code__", None)
    for flag, what in ((0x20, "a generator: return a list"), (0x80, "a coroutine: call asyncio.run in it"), (0x200, "an asynchronous generator: return a list")):
        if code is not None and code.co_flags & flag:
            raise TypeError("respawn: handler %r is %s" % (name, what))
    if name in _handlers:
        raise ValueError("respawn: handler %r is registered twice" % name)
    count = 1
    code = getattr(function, "__code__", None) or getattr(getattr(function, "__func__", None), "__code__", None)
    if code is not None:
        count = code.co_argcount - len(function.__defaults__ or ()) - (getattr(function, "__self__", None) is not None)
    _handlers[name] = (function, count > 1, view)
    return function


class _Stop(Exception):
    pass


class _Worker:
    def __init__(self):
        self.pid = os.getpid()
        self.names = list(_handlers)
        self.functions = [_handlers[n] for n in self.names]
        self.mean = [None] * len(self.names)  # of each handler's time, in nanoseconds
        self.buffer = bytearray()
        self.start = 0  # of what is not parsed
        self.ticket = None  # one in hand, whose frame is still to come
        self.current = None
        self.stopping = False
        self.lock = threading.Lock()  # for out, and for who writes
        self.out = []
        self.out_size = 0
        self.down = self.up = None  # shared memory, for large arguments and results
        self.large = 0  # results that were put there
        self.room = threading.Event()  # the last of them was taken out
        self.room.set()
        self.idle, self.poke = os.pipe()  # wakes the main thread when it waits
        self.signals, self.signalled = os.pipe()  # tells the control thread of signals
        for fd in (self.poke, self.signalled):
            os.set_blocking(fd, False)
        self.poll = select.poll()
        self.poll.register(_TASKS, select.POLLIN)
        self.poll.register(self.idle, select.POLLIN)

    # Frames.

    def fill(self):
        """Reads more; before it waits, what is finished goes out."""
        if not self.out_size or not self.poll.poll(0):
            self.flush()
            while not self.poll.poll():
                pass
        if self.stopping:
            raise _Stop
        try:
            data = os.read(_TASKS, 64 << 10)  # more would be mapped and unmapped each time
        except ConnectionError:
            data = b""
        if not data:
            _orphaned(self.pid)
        if self.start == len(self.buffer):
            self.buffer, self.start = bytearray(data), 0
        else:
            del self.buffer[: self.start]
            self.start = 0
            self.buffer += data

    def next(self):
        """The next frame: its header's fields and its payload."""
        while True:
            have = len(self.buffer) - self.start
            if have >= 32:
                head = _header.unpack_from(self.buffer, self.start)
                end = self.start + 32 + head[0]
                if len(self.buffer) >= end:
                    payload = bytes(memoryview(self.buffer)[self.start + 32 : end])
                    self.start = end
                    return head, payload
            self.fill()

    def send(self, kind, payload, head=None, run=0, flags=0):
        size, id, seq = len(payload), 0, 0
        if head is not None:
            id, seq = head[4], head[5]
        with self.lock:
            self.out.append(_header.pack(size, kind, flags, 0, id, seq, 0, 0, run))
            self.out.append(payload)
            self.out_size += 32 + size

    def flush(self):
        with self.lock:
            if not self.out_size:
                return
            self.alone()
            data = memoryview(b"".join(self.out))
            self.out, self.out_size = [], 0
            try:
                while data:
                    data = data[os.write(_TASKS, data) :]
            except ConnectionError:
                _orphaned(self.pid)

    def alone(self):
        """Ends a child of a handler's fork that came back to where it must not be: two would take tickets."""
        if os.getpid() != self.pid:
            _say("a handler forked, and its child returned: end it with os._exit")
            os._exit(70)

    # Shared memory.

    def map(self, most):
        """Maps what the pool passed. A limit of the address space may forbid it: then everything goes by the socket."""
        if not _shares or not most:
            return
        try:
            self.down = mmap.mmap(_DOWN, 0, access=mmap.ACCESS_READ)
            self.up = mmap.mmap(_UP, 0)
            self.limit = min(most, len(self.up))
        except (OSError, ValueError):
            self.down = self.up = None

    def put(self, payload):
        """Copies a large result to shared memory, once the one before was taken out."""
        if not self.room.is_set():
            self.flush()
            self.room.wait()
        self.room.clear()
        self.large += 1
        self.up[: len(payload)] = payload
        return _ref.pack(0, len(payload))

    def kept(self):
        """Tells whether somebody still has a view of the argument's memory, which the next task's will be in."""
        for again in (True, False):
            try:
                self.down.resize(len(self.down))  # is refused either way
            except BufferError:
                if again:
                    gc.collect()
                continue
            except (TypeError, OSError, SystemError, ValueError):
                pass
            return False
        return True

    # Tasks.

    def take(self, seq):
        """Takes the ticket of a frame that is here whole. False: the task was taken back."""
        if self.ticket is None:
            self.alone()
            try:
                data = os.read(_TICKETS, _ticket.size)
            except BlockingIOError:
                return False
            if not data:
                _orphaned(self.pid)
            (self.ticket,) = _ticket.unpack(data)
        if self.ticket != seq:
            return False
        self.ticket = None
        return True

    def run(self, head, payload):
        _, _, flags, index, id, seq, attempt, key_size, _ = head
        mean = self.mean[index] if index < len(self.mean) else 0
        if self.out_size and (mean is None or mean >= _LONG_NS):
            self.flush()
        self.current = Task(id, seq, attempt, payload[:key_size].decode("utf-8", "replace"))  # before the ticket: it may be cancelled at once
        if not self.take(seq):
            return
        argument = payload[key_size:] if key_size else payload
        if flags & _ARENA:
            at, size = _ref.unpack(argument)
            argument = memoryview(self.down)[at : at + size]
        began = time.perf_counter_ns()
        kind, result = self.handle(flags, index, argument)
        took = time.perf_counter_ns() - began
        self.current = None
        del argument
        by = 0
        if kind == _VALUE and self.up is not None and len(result) >= _LARGE:
            result, by = self.put(result), _ARENA
        elif isinstance(result, memoryview):
            result = result.tobytes()
        if flags & _ARENA and self.kept():
            _say("the handler of %r kept a view of its argument, whose memory is the next one's: this worker ends. Copy what is kept" % self.names[index])
            self.goodbye()
        if index < len(self.mean):
            self.mean[index] = took if mean is None else mean + (took - mean) // 4
        self.send(kind, result, head, max(took, 0), by)
        if took >= _FLUSH_NS or self.out_size >= _FLUSH_BYTES:
            self.flush()

    def handle(self, flags, index, argument):
        if index >= len(self.functions):
            return _UNKNOWN, _failure(LookupError("no handler of number %d" % index))
        function, takes_task, takes_view = self.functions[index]
        try:
            if not flags & _BYTES:
                value = _decode(str(argument, "utf-8"))
            else:
                value = memoryview(argument) if takes_view else bytes(argument)
            argument = None
        except (ValueError, RecursionError) as e:
            return _ENCODE, _failure(e, what="decode argument")
        try:
            value = function(value, self.current) if takes_task else function(value)
        except MemoryError:
            return self.exhausted()
        except BaseException as e:  # sys.exit is a handler's error too
            return _ERROR, _failure(e)
        try:
            data = self.encode(flags, value)
        except MemoryError:
            return self.exhausted()
        except Exception as e:
            return _ENCODE, _failure(e, what="encode result")
        if len(data) > self.limit:
            return _ENCODE, _failure(ValueError("%d bytes, at most %d" % (len(data), self.limit)), what="encode result", too_large=True)
        return _VALUE, data

    def encode(self, flags, value):
        is_bytes = isinstance(value, (bytes, bytearray, memoryview))
        if flags & _WANT_BYTES:
            if isinstance(value, bytes):
                return value
            try:
                view = memoryview(value)  # bytearray, array, an array of numpy
            except TypeError:
                raise TypeError("the handler returned %s, and its caller wants bytes" % type(value).__name__) from None
            if view.nbytes < _LARGE or not view.c_contiguous or view.format not in "bBchHiIlLqQfd?":
                return view.tobytes()
            return view.cast("B")
        if is_bytes:
            raise TypeError("the handler returned %s, and its caller wants JSON: make its result a []byte there" % type(value).__name__)
        if hasattr(value, "__next__"):
            raise TypeError("the handler returned %s: return a list" % type(value).__name__)
        return _encode(value).encode("utf-8")

    def exhausted(self):
        """Ends the process, as the pool knows how to take: what is left of it after that is not to be relied on."""
        self.flush()
        _say("out of memory: MemoryError in a handler")
        os._exit(1)

    # Beside the tasks.

    def control(self):
        orders = b""
        waiting = select.poll()
        waiting.register(_CONTROL, select.POLLIN)
        waiting.register(self.signals, select.POLLIN)
        waiting.register(_TASKS, 0)  # its end alone, also while a handler runs
        while True:
            for fd, _ in waiting.poll():
                if fd == _TASKS:
                    _orphaned(self.pid)
                if fd == self.signals:
                    if signal.SIGTERM in os.read(self.signals, 256):
                        self.goodbye()
                    continue
                try:
                    data = os.read(_CONTROL, 4096)
                except ConnectionError:
                    data = b""
                if not data:
                    _orphaned(self.pid)
                orders += data
                while len(orders) >= _order.size:
                    self.obey(*_order.unpack_from(orders))
                    orders = orders[_order.size :]

    def obey(self, kind, argument):
        if kind == _CANCEL:
            current = self.current
            if current is not None and current._seq == argument:
                current.cancelled = True
        elif kind == _FLUSH:
            self.flush()
        elif kind == _COLLECTED:
            if argument == self.large & 0xFFFFFFFF:
                self.room.set()
        elif kind == _STOP:
            self.stop()

    def goodbye(self):
        if not self.stopping:
            self.send(_GOODBYE, b"")
            self.flush()
            self.stop()

    def stop(self):
        self.stopping = True
        os.write(self.poke, b".")

    # Its life.

    def boot(self):
        for fd in (_TASKS, _CONTROL, _TICKETS):
            mode = os.fstat(fd).st_mode
            if not (stat.S_ISFIFO(mode) if fd == _TICKETS else stat.S_ISSOCK(mode)):
                raise OSError("descriptor %d is not what a pool passes" % fd)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent's affair
        signal.signal(signal.SIGTERM, lambda *_: os.write(self.signalled, bytes([signal.SIGTERM])))
        signal.set_wakeup_fd(self.signalled, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self.forked)
        threading.Thread(target=self.control, name="respawn-control", daemon=True).start()
        head, payload = self.next()
        hello = json.loads(payload)
        if head[1] != _HELLO or hello.get("protocol") != PROTOCOL:
            message = "this SDK (%s) speaks protocol %d, and the pool %s" % (__version__, PROTOCOL, hello.get("protocol"))
            self.send(_BOOT_FAILED, _failure(RuntimeError(message)))
            self.flush()
            os._exit(1)
        self.limit = hello["max_payload"]
        self.map(hello.get("max_shared"))
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        faulthandler.enable()
        for name, value in (("oom_score_adj", "500"), ("comm", hello["worker"])):  # the kernel takes it before its parent; ps shows it
            try:
                with open("/proc/self/" + name, "w") as f:
                    f.write(value)
            except OSError:
                pass
        ready = {"protocol": PROTOCOL, "pid": self.pid, "tasks": self.names, "can": ["cancel", "arena"] if self.up is not None else ["cancel"], "sdk": "python " + __version__}
        self.send(_READY, _encode(ready).encode("utf-8"))
        self.flush()

    def forked(self):
        for fd in (_TASKS, _CONTROL, _TICKETS):
            os.close(fd)
        self.lock = threading.Lock()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def serve(self):
        try:
            self.boot()
            while True:
                head, payload = self.next()
                if self.stopping:
                    break
                if head[1] == _TASK:
                    self.run(head, payload)
        except _Stop:
            pass
        self.flush()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        os._exit(0)


def _failure(e, what="", too_large=False):
    """Describes an exception for the wire."""
    kind = type(e)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "." + kind.__qualname__
    try:
        message = str(e) or name
    except Exception:
        message = name
    trace = ""
    if e.__traceback__ is not None:
        try:
            trace = "".join(traceback.format_exception(kind, e, e.__traceback__.tb_next))
        except Exception:
            trace = name
    described = {"message": message[:_TEXT], "type": name, "trace": trace[-_TEXT:]}
    if what:
        described.update(what=what, too_large=too_large)
    return _encode(described).encode("utf-8", "backslashreplace")


def _orphaned(pid):
    """The parent is gone: ends this process and what it started, all of its group."""
    if os.getpid() == pid:
        if os.getpgrp() == pid:
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    os._exit(1)


def _say(text):
    os.write(2, ("respawn worker: " + text + "\n").encode())


def serve():
    """Serves the pool that started this process, and does not return. Call it last, in the main thread."""
    if _asked is None:
        _say("this is a worker of a respawn pool, and no pool started it: name it in pool.Config.Command")
        sys.exit(2)
    if _proof:  # a directory of the harness, with the tasks by which workers are proved
        proof, path = {"__name__": "respawn_proof"}, os.path.join(_proof, "respawn_proof.py")
        with open(path) as f:
            exec(compile(f.read(), path, "exec"), proof)
        proof["boot"]()
        proof["tasks"](task)
    _Worker().serve()
