"""A WSGI application whose worker is told to end by its first request, which then asks on."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from http.client import HTTPConnection
from typing import Any

CONNECTIONS = 20


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    told: object = "here"
    if environ["PATH_INFO"] == "/leave":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)  # by now the worker takes nobody any more, and waits for this answer
        told = [_ask(int(environ["SERVER_PORT"])) for _ in range(CONNECTIONS)]
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def _ask(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()
