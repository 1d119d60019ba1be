"""What is measured besides the running shop: its web process with other settings, a bare one."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import requests

from shop.embedded.home import PROJECT, Home
from shop.embedded.processes import free_port
from tests.shop_process import RunningShop, newcomers_environment

_COUNTED = re.compile(r'(db|cache);dur=[\d.]+;desc="(\d+) ')


def environment_of(shop: RunningShop, **env: str) -> dict[str, str]:
    """Return the environment of a process beside the shop's own, on its servers."""
    state = Home(shop.home).read_state()
    if state is None:
        raise AssertionError("the shop does not run")
    return newcomers_environment(
        **{name: value for name, value in state.environment.items() if isinstance(value, str)},
        SHOP_ENV="local",
        SHOP_HOME=str(shop.home),
        SHOP_PROCESS="web",
        PYTHONWARNINGS="ignore",
        **env,
    )


@contextlib.contextmanager
def served(shop: RunningShop, application: str, path: str, **env: str) -> Iterator[int]:
    """Serve `application` as the shop is served, on its servers; give the port."""
    port = free_port()
    environment = environment_of(
        shop, SHOP_BIND=f"127.0.0.1:{port}", SHOP_GUNICORN_LOG_LEVEL="warning", **env
    )
    configuration = str(PROJECT / "deploy" / "gunicorn.conf.py")
    with (shop.home / f"bench-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                configuration,
                # No worker is to end in the middle of a measurement.
                "--max-requests",
                "0",
                "--max-requests-jitter",
                "0",
                application,
            ],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}{path}")
        yield port
    finally:
        process.terminate()
        process.wait(120)


def wait_for(url: str) -> None:
    """Return when something answers there with 200."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=20).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def counts_of(response: requests.Response) -> tuple[int, int]:
    """Return the queries and the trips to Redis that `Server-Timing` tells of this answer."""
    found = {name: int(n) for name, n in _COUNTED.findall(response.headers["Server-Timing"])}
    return found["db"], found["cache"]


def machine() -> dict[str, Any]:
    """Return what a reader has to know of the machine, and nothing that names it."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {"cores": os.cpu_count(), "memory": f"{pages * size / 2**30:.0f} GiB"}
