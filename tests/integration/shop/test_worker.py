"""A worker that ends, because it was told to or has served its share, is no loss to anybody new.

Control, seen: with gunicorn's own worker, half of the connections that come while it waits for its
clients go to the socket that it has left open, and are answered by nobody.
"""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from shop.embedded.home import PROJECT
from shop.embedded.processes import free_port
from shop.http.worker import LeavingWorker
from tests.integration.shop.leaving_app import CONNECTIONS

OURS, GUNICORNS = "shop.http.worker.LeavingWorker", "gthread"


@contextmanager
def serving(worker_class: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--workers=2", "--threads=2", "--reuse-port",
         f"--worker-class={worker_class}", f"--bind=127.0.0.1:{port}", "--log-level=error",
         "tests.integration.shop.leaving_app"],
        cwd=PROJECT,
    )  # fmt: skip
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(OSError):
                if ask(port, "/") == "here":
                    break
            time.sleep(0.05)
        time.sleep(0.5)  # for the second worker
        yield port
    finally:
        process.terminate()
        process.wait(30)


def ask(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.parametrize("worker_class", [OURS, GUNICORNS])
def test_who_comes_while_a_worker_leaves_is_answered_by_the_others(worker_class: str) -> None:
    with serving(worker_class) as port:
        told = ask(port, "/leave")

    answered = told.count('"here"')
    if worker_class == OURS:
        assert told == ['"here"'] * CONNECTIONS
    else:  # the control; and where it should be mended there, ours can go
        assert answered < CONNECTIONS


def test_who_has_come_already_is_taken_before_the_socket_is_closed() -> None:
    taken: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    worker = LeavingWorker.__new__(LeavingWorker)
    worker.__dict__.update(
        sockets=[listener],
        alive=False,
        nr_conns=0,
        _accepting=False,
        worker_connections=100,
        cfg=SimpleNamespace(is_ssl=False, keepalive=1, reuse_port=True),
        enqueue_req=taken.append,
    )

    worker.set_accept_enabled(False)
    worker.set_accept_enabled(False)  # as at the end of one that was full when it was told

    assert len(taken) == worker.nr_conns == 3
    assert listener.fileno() == -1
    for one in [*clients, *(connection.sock for connection in taken)]:
        one.close()
