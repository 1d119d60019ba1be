"""The shop that crashes: a whole one, run as by `make run`, with fault points switched on."""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from shop.embedded.home import PROJECT
from tests.crash.client import Buyer, Journal
from tests.servers import is_test_run
from tests.shop_process import RunningShop, newcomers_environment, running_shop

UNITS = 1_000_000
_ENVIRONMENT = {"SHOP_FAULTS": "1", "SHOP_RATE_LIMIT": "1000000/m", "LOG_LEVEL": "WARNING"}
_MAKE_GOODS = f"""
import json
from django.utils import timezone
from orders.management.proof.goods import make_goods
made = make_goods(units={UNITS}, now=timezone.now())
print(json.dumps([made.variant_id, made.sku]))
"""
# What the sweeper does, by a clock that runs a minute ahead: for those who cannot wait. Each time
# in a process of its own, which may be killed like any other.
_HURRY = """
import os, time
from datetime import timedelta
from django.db import Error
from django.utils import timezone
from orders.services import sweep_payments
while True:
    child = os.fork()
    if child == 0:
        try:
            sweep_payments(now=timezone.now() + timedelta(seconds=60))
        except Error:
            pass
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.5)
"""
_FINDINGS = """
import json
from django.utils import timezone
from inventory.selectors import drifted_stock
from orders.selectors import order_findings, payment_findings
now = timezone.now()
found = [*drifted_stock(now=now), *order_findings(now=now), *payment_findings(now=now)]
print(json.dumps([str(one) for one in found]))
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """A running shop, one thing that it sells, and the journal of its clients."""

    shop: RunningShop
    variant_id: int
    sku: str
    journal: Journal
    hurries: bool

    @property
    def home(self) -> Path:
        return self.shop.home

    def buyer(self, *, token: str = "tok_ok") -> Buyer:
        """Return a new guest with one unit in the cart."""
        made = Buyer(self.shop.port, self.journal, token=token)
        made.fill_cart(self.variant_id)
        return made

    def stranger(self) -> Buyer:
        """Return a new guest without a cart."""
        return Buyer(self.shop.port, self.journal)

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.shop.database_url, autocommit=True, connect_timeout=2)

    def web_master(self) -> psutil.Process | None:
        """Return gunicorn's first process, if it runs."""
        for one in psutil.Process(self.shop.pid).children():
            with contextlib.suppress(psutil.Error):
                if any("gunicorn" in word for word in one.cmdline()):
                    return one
        return None

    def findings(self) -> list[str]:
        """Return what the shop's own reconciliation finds: nothing, in a sound shop."""
        found: list[str] = json.loads(_shell(self.home, _FINDINGS))
        return found


@contextlib.contextmanager
def ground(folder: Path, *, hurries: bool) -> Iterator[Ground]:
    """Run a shop in `folder` until the block ends; `hurries` has a sweeper that does not wait."""
    with running_shop(
        folder / "home", demo=False, env=_ENVIRONMENT, is_migrated=is_test_run()
    ) as shop:
        variant_id, sku = json.loads(_shell(shop.home, _MAKE_GOODS))
        journal = Journal(folder / f"journal-{uuid.uuid4().hex[:8]}.jsonl")
        with _hurrying(shop.home) if hurries else contextlib.nullcontext():
            yield Ground(shop, variant_id, sku, journal, hurries)


def _shell(home: Path, program: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "shell", "--no-imports", "-c", program],
        cwd=PROJECT,
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout.strip().splitlines()[-1]


def _environment(home: Path) -> dict[str, str]:
    return newcomers_environment(
        SHOP_HOME=str(home), PYTHONWARNINGS=os.environ.get("PYTHONWARNINGS", "ignore")
    )


@contextlib.contextmanager
def _hurrying(home: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "manage.py"), "shell", "--no-imports", "-c", _HURRY],
        cwd=PROJECT,
        env={**_environment(home), **_ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], seconds: float, *, every: float = 0.02) -> bool:
    """Wait until `condition()` is true, and tell whether it was in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(every)
    return False
