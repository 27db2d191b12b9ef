"""An ASGI application that says which process answers."""

import json
import os


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only http")
    body = json.dumps({"pid": os.getpid()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
