"""Replaying in several processes, and being killed for real."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from inventory.models import Stock
from inventory.selectors import drifted_stock
from orders.models import Cancellation, Order
from orders.selectors.reports import Period, SalesRow, sales_by
from tests.make import history as make

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[3]
INVOICES = 120


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return invoices of a few customers and codes, every sixth one a cancellation."""
    rows = []
    for n in range(1, INVOICES + 1):
        at = f"2011-02-01 {8 + n // 60:02}:{n % 60:02}:00"
        customer = f"{n % 5}.0" if n % 5 else ""
        if n % 6 == 0:
            rows.append(make.row(f"C{n}", f"{10000 + n % 4}", -2, customer=customer, at=at))
        elif n % 25 == 0:
            rows.append(make.row(str(n), "10001", -1, "0.0", at=at))
        else:
            rows += [
                make.row(str(n), f"{10000 + (n + k) % 7}", 1 + k % 3, customer=customer, at=at)
                for k in range(9)
            ]
    return make.file(tmp_path, *rows)


def replay(path: Path, *, workers: int) -> None:
    call_command(
        "replay_history",
        str(path),
        "--format",
        "online_retail_csv",
        f"--workers={workers}",
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )


def outcome() -> tuple[list[SalesRow], dict[str, int], list[tuple[str, int, int]]]:
    """Return what must be the same however it was replayed."""
    return (
        sales_by(Period.DAY, currency="GBP"),
        dict(Stock.objects.values_list("variant__sku", "on_hand")),
        sorted(
            (note.external_ref, note.lines.count(), note.total_minor)
            for note in Cancellation.objects.all()
        ),
    )


def test_it_comes_to_the_same_with_any_number_of_processes(path: Path) -> None:
    replay(path, workers=3)
    assert drifted_stock() == []
    by_three = outcome()
    assert by_three[0][0].sale_invoices + by_three[0][0].cancel_invoices == INVOICES - 4
    replay(path, workers=3)
    assert outcome() == by_three


def test_killed_for_real_it_goes_on_where_it_was(path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "replay_history",
            str(path),
            "--format",
            "online_retail_csv",
            "--workers=2",
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": _database_url()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: Order.objects.count() >= INVOICES // 4)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        # Nobody told the others: they notice, and end.
        _wait_until(lambda: _other_sessions() == 0)
        begun = Order.objects.count()
        assert begun < INVOICES * 3 // 4
    finally:
        process.kill()
        process.wait(60)
    replay(path, workers=2)
    (row,) = sales_by(Period.DAY, currency="GBP")
    assert row.sale_invoices == 96
    assert row.cancel_invoices == 20
    assert row.units_back == 40
    assert row.units_written_off == 4
    assert row.gross_minor == 96 * 18 * 100
    assert User.objects.count() == 4
    assert drifted_stock() == []
    assert not Order.objects.filter(status=Order.Status.PENDING).exists()


def _database_url() -> str:
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path=f"/{settings.DATABASES['default']['NAME']}").geturl()


def _other_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def _wait_until(condition: object, seconds: float = 240.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
