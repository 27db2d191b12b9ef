"""The tasks as a WSGI application: GET /sleep?id=17&n=17&ms=20 answers {"value": 289, "pid": 4711}."""

import json
import os
import time
from urllib.parse import parse_qs


def app(environ, start_response):
    arg = {name: int(values[0]) for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    start = f"{arg['id']} 0 {os.getpid()} {time.monotonic_ns()}"
    testify(f"\nS {start}\n")
    if environ["PATH_INFO"] == "/sleep":
        time.sleep(arg["ms"] / 1000)
    body = json.dumps({"value": arg["n"] ** 2, "pid": os.getpid()}).encode()
    testify(f"\nE {start} {time.monotonic_ns()}\n")
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def testify(line):
    """Appends to the file of witnesses, in one write."""
    with open(os.environ["RESPAWN_WITNESS"], "ab", buffering=0) as file:
        file.write(line.encode())
