"""`make books`: how long each look at the books takes in a large shop, and that it finds nothing.

On servers of its own, or on the empty database of DATABASE_URL.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from time import perf_counter

from tests import servers

servers.begin()

import django  # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from inventory.models import ReconciliationRun  # noqa: E402
from inventory.selectors import CHECKS  # noqa: E402
from inventory.services import reconcile_stock  # noqa: E402
from orders.models import Order  # noqa: E402
from orders.selectors import ORDER_CHECKS, PAYMENT_CHECKS  # noqa: E402
from orders.selectors.reconciliation.checks import findings_of  # noqa: E402
from orders.services import reconcile_orders, reconcile_payments  # noqa: E402
from shop.models import OutboxMessage  # noqa: E402
from tests.load.many_orders import make_many_orders  # noqa: E402

BUDGET_SECONDS = 30
BY_HAND = "payments, all"
OUT = Console(width=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--skus", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checks", action="store_true", help="also time each check by itself")
    given = parser.parse_args()

    call_command("migrate", verbosity=0, interactive=False)
    if Order.objects.exists():
        sys.exit("books: there are orders in this database already")
    started = perf_counter()
    made = make_many_orders(orders=given.orders, skus=given.skus, now=timezone.now())
    OutboxMessage.objects.all().delete()  # no relay runs here, and one that waits is a finding
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    OUT.print(f"{made} in {perf_counter() - started:.1f} s")

    is_good = _looks(given.rounds)
    if given.checks:
        _checks()
    sys.exit(0 if is_good else 1)


def _looks(rounds: int) -> bool:
    table = Table("scope", "checks", "median s", "slowest s", "findings")
    is_good = True
    looks: list[tuple[str, Callable[[], object]]] = [
        ("inventory", lambda: reconcile_stock(now=timezone.now())),
        ("orders", lambda: reconcile_orders(now=timezone.now())),
        ("payments, 48 h", lambda: reconcile_payments(now=timezone.now())),
        # By hand alone: nobody waits for the next one.
        (BY_HAND, lambda: reconcile_payments(now=timezone.now(), window=None)),
    ]
    for name, look in looks:
        took = []
        for _ in range(rounds):
            started = perf_counter()
            look()
            took.append(perf_counter() - started)
        run = ReconciliationRun.objects.latest("id")
        is_good &= run.found == 0 and (name == BY_HAND or max(took) < BUDGET_SECONDS)
        table.add_row(
            name,
            str(len(run.checks)),
            f"{statistics.median(took):.2f}",
            f"{max(took):.2f}",
            str(run.found),
        )
    OUT.print(table)
    return is_good


def _checks() -> None:
    table = Table("check", "seconds")
    now = timezone.now()
    for check in CHECKS:
        started = perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(check.sql, {"sku": None, "overdue": now})
            cursor.fetchall()
        table.add_row(check.name, f"{perf_counter() - started:.2f}")
    for order_check in (*ORDER_CHECKS, *PAYMENT_CHECKS):
        started = perf_counter()
        findings_of([order_check], now=now)
        table.add_row(order_check.name, f"{perf_counter() - started:.2f}")
    OUT.print(table)


if __name__ == "__main__":
    main()
