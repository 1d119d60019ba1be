"""A10: clerks correct the stock while it is being sold. No change is lost."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import Variant
from inventory.errors import OutOfStock, StockBelowReserved
from inventory.models import StockMovement
from inventory.services import adjust_stock, counters
from orders.models import Order
from orders.services import CheckoutAnswer
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.crew import Crew, troubles
from tests.races.figures import dice, figure, reported
from tests.races.guards import must_show, sql_changed, thrown_away
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

ORDERS = figure(full=1000, small=60)
ADJUSTMENTS = figure(full=200, small=30)


def adjusting(sold: Variant, delta: int) -> Callable[[], StockMovement]:
    return partial(
        adjust_stock,
        sku=sold.sku,
        warehouse="main",
        delta=delta,
        reason="Looked again",
        now=timezone.now(),
    )


def sum_up(sold: Variant, before: int, outcomes: list[Any]) -> list[str]:
    """Return what is wrong when sales and adjustments are over."""
    deltas = sum(made.delta_on_hand for made in outcomes if isinstance(made, StockMovement))
    orders = sum(isinstance(made, CheckoutAnswer) for made in outcomes)
    found = troubles(outcomes, OutOfStock, StockBelowReserved)
    should, now = before + deltas - orders, make.units(sold)
    if now != (should, 0):
        found.append(f"lost update: {before} {deltas:+} -{orders} is {should}, found {now}")
    return found


def test_no_adjustment_and_no_sale_is_lost() -> None:
    # A little too few, so that the end of the stock is met too.
    start = ORDERS - ADJUSTMENTS // 10
    sold, clients, chance = make.variant(on_hand=start), Clients(), dice("A10")
    deltas = [chance.choice([-3, -2, -1, 1, 2, 3]) for _ in range(ADJUSTMENTS)]
    calls: list[Callable[[], Any]] = [
        *(adjusting(sold, delta) for delta in deltas),
        *(
            partial(
                clients.check_out,
                make.wish(basket({sold.pk: 1})),
                make.scope(),
                now=timezone.now(),
            )
            for _ in range(ORDERS)
        ),
    ]
    chance.shuffle(calls)

    with (
        Crew(16) as crew,
        reported("A10 adjusting during a sale", orders=ORDERS, adjustments=ADJUSTMENTS) as seen,
    ):
        outcomes = crew.race(calls, timeout_seconds=1200)
        seen["sold"] = Order.objects.filter(status="CONFIRMED").count()
        seen["out of stock"] = sum(isinstance(made, OutOfStock) for made in outcomes)
        seen["adjustments refused"] = sum(isinstance(m, StockBelowReserved) for m in outcomes)

    assert sum_up(sold, start, outcomes) == []
    assert breaches(bring_to_rest(timezone.now()), clients=clients) == []


def test_a_change_that_is_read_and_written_back_is_lost() -> None:
    # What it was when the statement began, after some thought, without a lock.
    stale = (
        "SET on_hand = s.on_hand + d.delta",
        "SET on_hand = (SELECT o.on_hand FROM inventory_stock o WHERE o.id = d.stock_id)"
        " + d.delta + 0 * length(pg_sleep(0.01)::text)",
    )
    with (
        thrown_away(),
        sql_changed(counters, "_CHANGE_ON_HAND", stale),
        sql_changed(counters, "_LOCK", ("FOR NO KEY UPDATE OF s", "")),
    ):
        sold = make.variant(on_hand=100)
        with Crew(8) as crew:

            def trial() -> list[str]:
                before = make.units(sold)[0]
                outcomes = crew.race([adjusting(sold, 1) for _ in range(16)])
                return sum_up(sold, before, outcomes)

            must_show(trial, "lost update")
        found = breaches(timezone.now())
        assert any("on_hand_is_ledger_sum" in breach for breach in found)
