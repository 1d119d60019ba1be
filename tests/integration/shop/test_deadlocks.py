"""Two transactions that wait for each other: the database says so, and one of them goes again."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from inventory.models import Stock
from shop.db.retry import retried
from shop.db.timeouts import TIMEOUTS
from tests.concurrency import run_together
from tests.make import inventory as make

pytestmark = pytest.mark.django_db(transaction=True)

LOCK_TIMEOUT = f"{TIMEOUTS['web'].lock}ms"


def test_a_deadlock_is_noticed_before_a_lock_timeout_and_tried_again() -> None:
    # With PostgreSQL's own deadlock_timeout of 1 s, the lock of a web process times out first: 503.
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout'")
        (noticed_after_ms,) = cursor.fetchone()
    assert 2 * noticed_after_ms <= TIMEOUTS["web"].lock
    first, second = make.stock(), make.stock()
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def lock(name: str, *stocks: Stock) -> Callable[[], None]:
        @retried
        @transaction.atomic
        def unit() -> None:
            attempts.append(name)
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            for number, stock in enumerate(stocks):
                Stock.objects.locked().get(pk=stock.pk)
                if number == 0 and attempts.count(name) == 1:
                    both_hold_one.wait(60)

        return unit

    outcomes = run_together([lock("one", first, second), lock("other", second, first)])

    assert outcomes == [None, None]
    assert len(attempts) == 3
