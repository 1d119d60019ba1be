"""A gunicorn of this shop for the time of a proof, and somebody who kills its workers."""

import contextlib
import http.client
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.core.management.base import CommandError

from shop.embedded.home import PROJECT
from shop.embedded.processes import free_port, start, stop

START_SECONDS = 60.0
APPLICATION = "shop.wsgi"


@contextlib.contextmanager
def own_server(*, hold_seconds: int, application: str = APPLICATION) -> Iterator[tuple[str, int]]:
    """Serve this shop, on its present database, at a free port; gives address and master's pid."""
    port = free_port()
    configuration = str(PROJECT / "deploy" / "gunicorn.conf.py")
    with tempfile.TemporaryDirectory(prefix="shop-proof-") as folder:
        log = Path(folder) / "web.log"
        metrics = Path(folder) / "metrics"
        metrics.mkdir()
        environment = {
            **os.environ,
            "SHOP_ENV": settings.SHOP_ENV,
            "SHOP_PROCESS": "web",
            "SHOP_BIND": f"127.0.0.1:{port}",
            "SHOP_HOLD_SECONDS": str(hold_seconds),
            "SHOP_GRACEFUL_SECONDS": "4",
            "SHOP_RATE_LIMIT": "1000000/m",  # its hundreds of shoppers share one address
            "SHOP_GUNICORN_LOG_LEVEL": "warning",
            "LOG_LEVEL": "WARNING",
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
        }
        with log.open("wb") as output:
            process = start(
                [sys.executable, "-m", "gunicorn", "-c", configuration, application],
                output=output,
                environment=environment,
                folder=PROJECT,
            )
        try:
            end = time.monotonic() + START_SECONDS
            while not _is_ready(port):
                if process.poll() is not None or time.monotonic() > end:
                    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                    raise CommandError(
                        "The server of the proof does not start: " + " / ".join(words)
                    )
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            stop(process, asking=signal.SIGTERM, seconds=8)


def _is_ready(port: int) -> bool:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asking.request("GET", "/readyz")
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


class Killer:
    """Sends SIGKILL to one worker of a gunicorn master after the other, until told to stop."""

    def __init__(self, master: int, *, seed: int, pause: tuple[float, float] = (0.5, 1.5)) -> None:
        self.kills = 0
        self._master = psutil.Process(master)
        self._random = random.Random(seed)  # noqa: S311 — to be repeated
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._random.uniform(*self._pause)):
            with contextlib.suppress(psutil.Error):
                if workers := self._master.children():
                    self._random.choice(workers).kill()
                    self.kills += 1
