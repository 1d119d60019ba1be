"""The database goes away and comes back."""

import contextlib
import socket
import threading
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from psycopg import OperationalError
from psycopg_pool import ConnectionPool
from psycopg_pool.base import AttemptWithBackoff

pytestmark = pytest.mark.django_db


class Cable:
    """A way to the database that can be pulled out."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._serve()

    def pull_out(self) -> None:
        for end in [self._listener, *self._ends]:
            _hang_up(end)
        self._ends.clear()

    def plug_in(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._to)
            except OSError:
                return
            self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            sink.sendall(content)
    _hang_up(source)
    _hang_up(sink)


def _answers(pool: ConnectionPool[Any]) -> bool:
    try:
        with pool.connection() as borrowed:
            borrowed.execute("SELECT 1")
    except OperationalError:
        return False
    return True


def test_the_pool_is_back_when_the_database_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # The second pause, after 1 s, would be so long that only giving up in time helps.
    monkeypatch.setattr(AttemptWithBackoff, "DELAY_BACKOFF", 1000.0)
    parameters: dict[str, Any] = {**connection.get_connection_params()}
    known: dict[str, Any] = {
        name: parameters[name] for name in ("dbname", "user", "password") if name in parameters
    }
    host, port = parameters.get("host") or "127.0.0.1", int(parameters.get("port") or 5432)
    cable = Cable(host, port)
    options: dict[str, Any] = {
        **settings.DATABASE_POOL,
        "timeout": 0.3,
        "max_size": 1,
    }
    pool: ConnectionPool[Any] = ConnectionPool(
        open=True,
        kwargs={**known, "host": "127.0.0.1", "port": cable.port, "connect_timeout": 2},
        **options,
    )
    try:
        pool.wait(60)
        assert _answers(pool)

        cable.pull_out()
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert not _answers(pool)
        cable.plug_in()

        until = time.monotonic() + 60
        while not _answers(pool):
            assert time.monotonic() < until, "still away"
    finally:
        pool.close()
        cable.pull_out()
