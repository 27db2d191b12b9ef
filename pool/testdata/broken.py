# Workers that break docs/wire.md, each in one way: BROKEN names it. See TestAWorkerThatBreaksTheProtocolIsKilledAndNamed.
import os

import respawn

worker = respawn._Worker
how = os.environ["BROKEN"]
send, run = worker.send, worker.run


def answers(f):
    def changed(self, kind, payload, head=None, run=0, flags=0):
        if head is None:
            return send(self, kind, payload)
        f(self, kind, payload, head, run)

    worker.send = changed


def twice(self, kind, payload, head, run):
    send(self, kind, payload, head, run)
    send(self, kind, payload, head, run)


def foreign(self, kind, payload, head, run):
    send(self, kind, payload, head[:5] + (head[5] + 1,) + head[6:], run)


def forge(self, kind, payload, head, run):
    fd = os.open("/proc/self/fd/5", os.O_WRONLY)
    os.write(fd, b"\1\0\0\0" * 100)
    send(self, kind, payload, head, run)
    self.flush()
    run = 0


def prints(self, kind, payload, head, run):
    os.write(3, b"an answer for people, in more words than a header has bytes\n")


if how == "answers twice":
    answers(twice)
elif how == "answers with a foreign number":
    answers(foreign)
elif how == "writes tickets":
    answers(forge)
elif how == "prints into the socket":
    answers(prints)
elif how == "takes no tickets":
    worker.take = lambda self, seq: True
elif how == "tears tickets":
    worker.take = lambda self, seq: os.read(5, 2) != b""
elif how == "sends tasks":
    answers(lambda self, kind, payload, head, run: send(self, 2, payload, head, run))
elif how == "says ready twice":
    answers(lambda self, kind, payload, head, run: send(self, 3, b'{"protocol":1,"pid":%d,"tasks":[]}' % os.getpid()))


@respawn.task
def square(n):
    return n * n


respawn.serve()
