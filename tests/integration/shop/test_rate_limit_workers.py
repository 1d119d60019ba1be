"""Exactly the limit passes, however many processes answer."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from shop.embedded.home import PROJECT
from shop.embedded.processes import free_port, start, stop
from tests.load.http_load import request_bytes, run_load

WORKERS = 4


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve the shop with four processes; the route that is asked needs no database."""
    found = free_port()
    environment = {
        **os.environ,
        "SHOP_PROCESS": "web",
        "SHOP_BIND": f"127.0.0.1:{found}",
        "SHOP_WEB_WORKERS": str(WORKERS),
        "SHOP_RATE_LIMIT": "100/m",
        "SHOP_GRACEFUL_SECONDS": "1",
        "SHOP_GUNICORN_LOG_LEVEL": "warning",
        "LOG_LEVEL": "WARNING",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "PYTHONWARNINGS": "ignore",
    }
    with (tmp_path / "web.log").open("wb") as output:
        process = start(
            [
                *(sys.executable, "-m", "gunicorn", "-c"),
                *(str(PROJECT / "deploy" / "gunicorn.conf.py"), "shop.wsgi"),
            ],
            output=output,
            environment=environment,
            folder=PROJECT,
        )
    try:
        end = time.monotonic() + 240
        while True:
            with contextlib.suppress(requests.RequestException):
                requests.get(f"http://127.0.0.1:{found}/livez", timeout=60).raise_for_status()
                break
            assert time.monotonic() < end, (tmp_path / "web.log").read_text()
            time.sleep(0.1)
        yield found
    finally:
        stop(process, asking=signal.SIGTERM, seconds=60)


def test_of_five_hundred_at_once_exactly_a_hundred_pass(port: int) -> None:
    host = f"127.0.0.1:{port}"
    asked_at = time.monotonic()

    load = run_load(port, [request_bytes("GET", "/api/v1/me", host)] * 500, connections=500)

    told = requests.get(f"http://{host}/api/v1/me", timeout=60)
    gone_by = time.monotonic() - asked_at
    assert load.statuses == {401: 100, 429: 400}
    assert told.status_code == 429
    assert 60 - gone_by - 1 <= int(told.headers["Retry-After"]) <= 60
    elsewhere = requests.get(f"http://{host}/api/v1/orders", timeout=60)
    assert elsewhere.status_code == 401
    assert _sum_of("shop_rate_limit_decisions_total", host) == 502
    assert _sum_of("shop_rate_limit_fallback_total", host) == 0


def _sum_of(metric: str, host: str) -> float:
    """Return the sum of all series of a metric, over all processes."""
    lines = requests.get(f"http://{host}/metrics", timeout=60).text.splitlines()
    found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{metric}{{")]
    assert found
    return sum(found)
