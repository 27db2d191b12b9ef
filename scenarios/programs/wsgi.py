"""A WSGI application that says which process answers."""

import os


def app(_environ, start_response):
    body = b'{"pid": %d}' % os.getpid()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


application = app
