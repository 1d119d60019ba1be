"""A whole shop in a process of its own, as `make run` starts it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from shop.embedded.home import PROJECT, Home
from shop.embedded.postgres import programs
from shop.embedded.processes import free_port
from tests.servers import made_once

START_SECONDS = 300  # the first start makes a database and loads the demo catalogue
STOP_SECONDS = 15

# What a test run sets for itself, and a newcomer's shell does not have.
_NOT_INHERITED = re.compile(
    r"^(DATABASE_|REDIS_|CELERY_|SHOP_|DJANGO_|PYTEST_|PORT$|SECRET_KEY|DEBUG$|PYTHONWARNINGS$)"
)


@dataclass(frozen=True, slots=True)
class RunningShop:
    """A shop that answers at `url`."""

    url: str
    port: int
    home: Path
    staff_email: str
    staff_password: str
    log: Path
    pid: int
    process: subprocess.Popen[bytes]

    @property
    def database_url(self) -> str:
        state = Home(self.home).read_state()
        if state is None:
            raise AssertionError(f"nothing runs on {self.home}")
        return state.environment["DATABASE_URL"]

    def postgres_program(self, name: str) -> Path:
        """Return the path of pgbench, psql … of the version that the shop runs on."""
        return programs() / name

    def family(self) -> list[psutil.Process]:
        """Return every process that belongs to it."""
        return family_of(self.pid)

    def stop(self, *, by: signal.Signals = signal.SIGTERM) -> int:
        """Stop it, and return its exit code."""
        self.process.send_signal(by)
        return self.process.wait(STOP_SECONDS)


@contextlib.contextmanager
def running_shop(
    home: Path,
    *,
    demo: bool = True,
    env: Mapping[str, str] | None = None,
    is_migrated: bool = False,
) -> Iterator[RunningShop]:
    """Run `manage.py up` on `home` and a free port until the block ends.

    `is_migrated`: within a test run, on a copy of a home that has its tables already, which most
    of a first start is spent on. Only for tests that are not about a first start.

    Fails where it does not become ready, or where something of it runs on after it was stopped.
    """
    home.mkdir(parents=True, exist_ok=True)
    if is_migrated:
        _copy_migrated_home(home)
    port = free_port()
    log = home / "up.log"
    environment = newcomers_environment(
        SHOP_HOME=str(home),
        PORT=str(port),
        SHOP_DEMO="1" if demo else "0",
        SHOP_STAFF_EMAIL="staff@shop.test",
        SHOP_STAFF_PASSWORD="correct horse battery",
        **(env or {}),
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(PROJECT / "manage.py"), "up"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log)
        yield RunningShop(
            url=url,
            port=port,
            home=home,
            staff_email=environment["SHOP_STAFF_EMAIL"],
            staff_password=environment["SHOP_STAFF_PASSWORD"],
            log=log,
            pid=process.pid,
            process=process,
        )
    finally:
        family = family_of(process.pid)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = still_running(family)
        for stray in left:
            with contextlib.suppress(psutil.Error):
                stray.kill()
    if left:
        raise AssertionError(f"left running: {left}\n{tail(log)}")


def _copy_migrated_home(home: Path) -> None:
    with made_once("migrated-home") as (made, is_first):
        if is_first:
            subprocess.run(
                [sys.executable, str(PROJECT / "manage.py"), "migrate", "--verbosity=0"],
                cwd=PROJECT,
                env=newcomers_environment(SHOP_HOME=str(made)),
                stdin=subprocess.DEVNULL,
                check=True,
                timeout=START_SECONDS,
            )
    # What matters only while it runs is left out: sockets are no files to copy.
    shutil.copytree(
        made, home, ignore=shutil.ignore_patterns("run", "*.sock", "*.log"), dirs_exist_ok=True
    )


def newcomers_environment(**more: str) -> dict[str, str]:
    """Return our environment without what the tests have set in it, and with `more`."""
    return {
        **{name: value for name, value in os.environ.items() if not _NOT_INHERITED.match(name)},
        **more,
    }


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"`up` ended with {process.returncode}:\n{tail(log)}")
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/readyz", timeout=30).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"`up` was not ready after {START_SECONDS} s:\n{tail(log)}")


def family_of(pid: int) -> list[psutil.Process]:
    """Return the process and all that it started."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def still_running(family: list[psutil.Process], *, seconds: float = 3.0) -> list[psutil.Process]:
    """Return who of the family is alive after at most `seconds`."""
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])
