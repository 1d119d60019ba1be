"""A3: baskets that share SKUs in every order. Nobody ever hears of a deadlock."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from unittest import mock

import pytest
from django.utils import timezone

from catalog.models import Variant
from inventory.errors import OutOfStock
from inventory.models import Stock
from inventory.services import SkuLine, dispatch_transfer, receive_transfer, statements
from orders.models import Order, OrderLine
from orders.services import CheckoutAnswer, cancel_order
from shop.observe import metrics
from tests.make import inventory as make_inventory
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.crew import Crew, troubles
from tests.races.figures import dice, figure, reported
from tests.races.guards import must_show, sql_changed, thrown_away
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600),
]

ORDERS = figure(full=2000, small=48)
THREADS = figure(full=64, small=16)
SKUS = 8

Shape = Callable[[Sequence[Variant], random.Random], list[Variant]]


def shuffled(variants: Sequence[Variant], chance: random.Random) -> list[Variant]:
    """Two to eight of them, in any order."""
    return chance.sample(variants, chance.randint(2, SKUS))


def opposite(variants: Sequence[Variant], chance: random.Random) -> list[Variant]:
    """All of them, forwards or backwards."""
    return list(variants) if chance.random() < 0.5 else list(variants)[::-1]


def ring(variants: Sequence[Variant], chance: random.Random) -> list[Variant]:
    """Neighbours in a ring: each basket wants what the next one has begun with."""
    start = chance.randrange(SKUS)
    return [variants[start], variants[(start + 1) % SKUS]]


def shopping(
    variants: Sequence[Variant], shape: Shape, chance: random.Random, clients: Clients
) -> Callable[[], CheckoutAnswer]:
    """Return a shopper with such a basket: most pay, some cannot, some think better of it."""
    lines = {variant.pk: chance.randint(1, 2) for variant in shape(variants, chance)}
    token = chance.choices(["tok_ok", "tok_declined"], [9, 1])[0]
    cancels = chance.random() < 0.15

    def shop() -> CheckoutAnswer:
        wish = make.wish(basket(lines), token=token)
        told = clients.check_out(wish, make.scope(), now=timezone.now())
        if cancels and told.answer.status == 201:
            number = told.answer.headers["Location"].rsplit("/", 1)[1]
            cancel_order(number=number, reason="", now=timezone.now())
        return told

    return shop


def sell_out(
    crew: Crew, variants: Sequence[Variant], shape: Shape, orders: int, chance: random.Random
) -> list[str]:
    clients = Clients()
    brought = {variant.pk: sum(make.units(variant)) for variant in variants}
    outcomes = crew.race(
        [shopping(variants, shape, chance, clients) for _ in range(orders)], timeout_seconds=1200
    )
    found = troubles(outcomes, OutOfStock)
    for variant in variants:
        rows = Stock.objects.filter(variant=variant)
        left = sum(row.on_hand for row in rows)
        sold = sum(
            OrderLine.objects.filter(
                variant=variant, order__status=Order.Status.CONFIRMED
            ).values_list("quantity", flat=True)
        )
        if sold + left != brought[variant.pk] or any(row.reserved for row in rows):
            found.append(
                f"{variant.sku}: {brought[variant.pk]} were there, {sold} sold, {left} left"
            )
    return found + clients.breaches()


@pytest.mark.parametrize("shape", [shuffled, opposite, ring])
def test_no_client_sees_a_deadlock(shape: Shape) -> None:
    # About a tenth too few for all of them, so that the end of each is a race too.
    units = {"shuffled": 3 * ORDERS // 5, "opposite": 6 * ORDERS // 5, "ring": 3 * ORDERS // 10}
    variants = [make.variant(on_hand=units[shape.__name__]) for _ in range(SKUS)]
    chance = dice(f"A3 {shape.__name__}")

    with (
        Crew(THREADS) as crew,
        reported(f"A3 {shape.__name__} baskets", orders=ORDERS, threads=THREADS) as seen,
    ):
        again = _again()
        found = sell_out(crew, variants, shape, ORDERS, chance)
        seen["sold"] = Order.objects.filter(status=Order.Status.CONFIRMED).count()
        seen["deadlocks seen by a client"] = sum("deadlock" in breach for breach in found)
        seen["tried again after 40P01"] = _again() - again
        assert found == []

    assert breaches(bring_to_rest(timezone.now())) == []


def test_no_client_sees_a_deadlock_while_stock_moves_between_warehouses() -> None:
    make_inventory.make_warehouse("north", priority=20)
    variants = [make.variant(on_hand=ORDERS) for _ in range(SKUS)]
    chance = dice("A3 two warehouses")
    clients = Clients()

    def move() -> None:
        lines = [SkuLine(variant.sku, 1) for variant in shuffled(variants, chance)]
        sent = dispatch_transfer(
            lines=lines, source="main", destination="north", reason="", now=timezone.now()
        )
        receive_transfer(transfer_id=sent.pk, lines=None, note="", now=timezone.now())

    with Crew(THREADS) as crew, reported("A3 with transfers", orders=ORDERS // 4):
        outcomes = crew.race(
            [
                move if number % 4 == 0 else shopping(variants, shuffled, chance, clients)
                for number in range(ORDERS // 4)
            ],
            timeout_seconds=1200,
        )

        assert troubles(outcomes, OutOfStock) == []

    assert breaches(bring_to_rest(timezone.now()), clients=clients) == []


def test_without_an_order_of_locking_they_deadlock() -> None:
    any_order = ("ORDER BY s.id FOR", "ORDER BY md5(s.id || %(reference)s) FOR")
    thinking = (
        "SELECT s.id, s.variant_id",
        "SELECT s.id + 0 * length(pg_sleep(0.02)::text), s.variant_id",
    )
    with (
        thrown_away(),
        sql_changed(statements, "LOOK_AND_LOCK", any_order, thinking),
        mock.patch("shop.db.retry.ATTEMPTS", 1),
    ):
        variants = [make.variant(on_hand=500) for _ in range(SKUS)]
        with Crew(4) as crew:
            sell = partial(sell_out, crew, variants, opposite, 4, dice("A3 control"))
            must_show(sell, "deadlock detected")


def _again() -> int:
    """Return how often a transaction of this process was run again after a deadlock."""
    return int(metrics.transaction_retries.labels("40P01")._value.get())
