"""The shop beside its model: how a step is done to both, and what must hold after each."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from hypothesis.stateful import RuleBasedStateMachine, invariant

from catalog.models import Variant
from inventory.errors import OutOfStock, StockBelowReserved
from inventory.models import Stock
from inventory.services import (
    ReceiptLine,
    StockTerms,
    receive_stock,
    set_stock_terms,
)
from orders.errors import (
    CartAlreadyOrdered,
    CartEmpty,
    OrderEnded,
    PaymentUnavailable,
)
from orders.models import Order
from orders.models import Refund as RefundRow
from orders.services import (
    cancel_order,
)
from orders.services import paying as paying_module
from shop.idempotency import IdempotencyInProgress, Scope
from tests.make import orders as make
from tests.races.baskets import basket as stored_basket
from tests.races.machine.model import HOLD, Basket, Model, Refund, Sale
from tests.races.machine.shelves import Shelf, Shelves
from tests.races.soundness import Clients, breaches, bring_to_rest

BEGIN = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
PRICES = (1250, 2000)
BACKORDERS = 2  # of the second variant, in the first warehouse
# What dies just before which function: after prepare, after pay, and when all is written down.
DEATHS = {
    "pay": "orders.services.checking_out.pay",
    "settle": "orders.services.checking_out._settled",
    "emptying": "orders.services.checking_out.empty_ordered_cart",
}
_EMPTIED = (
    "orders_order", "orders_sandboxcharge", "inventory_stock", "inventory_stocktransfer",
    "shop_idempotencykey", "shop_outboxmessage",
)  # fmt: skip


class Beside(RuleBasedStateMachine):
    """A shop and a model of it that start alike, by a clock that only steps move.

    Whoever inherits it has the steps.
    """

    variants: tuple[Variant, Variant]
    told: Counter[str] = Counter()  # of all examples: what buyers heard

    def __init__(self) -> None:
        super().__init__()
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(_EMPTIED)} RESTART IDENTITY CASCADE")
        self.now = BEGIN
        self.clients = Clients()
        self.baskets: list[tuple[Basket, Any]] = []
        self.keys: list[tuple[str, int, str]] = []  # key, number of its basket, token
        self.numbers: dict[str, Sale] = {}
        self.transfers: list[tuple[int, Shelf, int]] = []
        self.model = Model(Shelves(self._opening_stock()))
        self.exits = ExitStack()
        # No two attempts are due at one moment, so that it is known who is asked first.
        ticks = itertools.count(1)
        for module in ("sweeping", "aftersales"):
            self.exits.enter_context(
                mock.patch(
                    f"orders.services.{module}.backoff",
                    lambda n: paying_module.backoff(n) + timedelta(microseconds=next(ticks)),
                )
            )
        self.exits.enter_context(mock.patch("orders.providers.sandbox.provider.SLOW_SECONDS", 0))

    def _opening_stock(self) -> list[Shelf]:
        first, second = self.variants
        set_stock_terms(
            terms=[StockTerms(first.pk), StockTerms(second.pk, backorder_limit=BACKORDERS)],
            warehouse="main",
            now=self.now,
        )
        set_stock_terms(
            terms=[StockTerms(first.pk), StockTerms(second.pk)], warehouse="north", now=self.now
        )
        for warehouse, units in (("main", 4), ("north", 2)):
            receive_stock(
                lines=[ReceiptLine(variant.pk, units) for variant in self.variants],
                warehouse=warehouse,
                cause="opening",
                reason="",
                now=self.now,
            )
        rows = Stock.objects.select_related("warehouse").order_by("pk")
        return [
            Shelf(
                stock_id=row.pk,
                variant_id=row.variant_id,
                warehouse=row.warehouse.code,
                priority=row.warehouse.priority,
                on_hand=row.on_hand,
                limit=row.backorder_limit,
            )
            for row in rows
        ]

    # What holds after each step -----------------------------------------------------------------

    @invariant()
    def the_shop_is_as_the_model_says(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, on_hand, reserved FROM inventory_stock ORDER BY id")
            stocks = cursor.fetchall()
            cursor.execute(_ORDERS)
            orders = {row[0]: row[1:] for row in cursor.fetchall()}
            cursor.execute("SELECT key, response_status FROM shop_idempotencykey")
            keys = dict(cursor.fetchall())
        shelves = self.model.shelves
        assert stocks == [
            (shelf.stock_id, shelf.on_hand, shelves.reserved(shelf)) for shelf in shelves.shelves
        ]
        expected = {
            number: (
                sale.status,
                sale.paid,
                sale.attempt,
                sale.total,
                sale.captured,
                sale.charge.status if sale.charge else None,
                sale.charge.refunded if sale.charge else None,
                sum(refund.amount for refund in sale.refunds),
                sale.returned,
            )
            for number, sale in self.numbers.items()
        }
        differing = [
            (orders.get(number), expected.get(number))
            for number in orders.keys() | expected.keys()
            if orders.get(number) != expected.get(number)
        ]
        assert differing == [], f"the shop has, and the model says: {differing}"
        assert keys == {name: key.answer for name, key in self.model.keys.items()}

    @invariant()
    def it_is_sound(self) -> None:
        found = breaches(self.now, is_at_rest=False, clients=self.clients)
        assert found == [], found

    def teardown(self) -> None:
        try:
            now = bring_to_rest(self.now)
            found = breaches(now, clients=self.clients)
        finally:
            self.exits.close()
        assert found == [], found

    # Steps within steps -------------------------------------------------------------------------

    def _tick(self) -> None:
        self.now += timedelta(seconds=1)

    def _one(self, them: list[Sale], which: int) -> Sale:
        return them[which % len(them)]

    def _shelf(self, which: int) -> Shelf:
        self._tick()
        return self.model.shelves.shelves[which % len(self.model.shelves.shelves)]

    def _sku(self, shelf: Shelf) -> str:
        return next(v.sku for v in self.variants if v.pk == shelf.variant_id)

    def _number(self, sale: Sale) -> str:
        return next(number for number, known in self.numbers.items() if known is sale)

    @contextmanager
    def _provider_away(self) -> Iterator[None]:
        self.model.is_provider_away = True
        with make.provider_away():
            yield
        self.model.is_provider_away = False

    def _new_basket(self, lines: dict[int, int]) -> int:
        units = {self.variants[number].pk: count for number, count in lines.items()}
        self.baskets.append((Basket(units), stored_basket(units)))
        return len(self.baskets) - 1

    def _new_key(self, basket: int, token: str) -> tuple[str, int, str]:
        self.keys.append((f"key-{len(self.keys)}", basket, token))
        return self.keys[-1]

    def _check_out(self, with_: tuple[str, int, str], *, dies_before: str = "") -> None:
        self._tick()
        key, number, token = with_
        basket, owner = self.baskets[number]
        goods = sum(
            PRICES[position] * basket.lines.get(variant.pk, 0)
            for position, variant in enumerate(self.variants)
        )
        sale = Sale(
            reference="",
            basket=basket,
            token=token,
            total=goods + (395 if goods < 5000 else 0),
            hold_until=self.now + HOLD,
        )
        before = set(self.numbers)
        told = self._ask(key, owner, token, dies_before)
        made = Order.objects.exclude(number__in=before).first()
        sale.reference = made.stock_reference if made else "order:none"
        says = self.model.check_out(key, basket, sale, now=self.now, dies_before=dies_before)
        self.told[told] += 1
        assert told == says, f"{told}, and the model says {says}"
        assert (made is not None) == (sale in self.model.sales)
        if made is not None:
            self.numbers[made.number] = sale

    def _ask(self, key: str, owner: Any, token: str, dies_before: str) -> str:
        """Check out, and tell what became of it in the words of the model."""
        scope = Scope(subject="a guest", route="POST checkout", key=key, request_hash="x")
        dying = make.killed_before(DEATHS[dies_before]) if dies_before else ExitStack()
        try:
            with dying:
                told = self.clients.check_out(make.wish(owner, token=token), scope, now=self.now)
        except make.Killed:
            return "killed"
        except tuple(_REFUSALS) as refused:
            return _REFUSALS[type(refused)]
        return f"again {told.answer.status}" if told.is_replay else str(told.answer.status)

    def _cancel(self, which: int) -> None:
        sale = self._one(self.model.sales, which)
        self._tick()
        self.model.cancel(sale, now=self.now)
        cancel_order(number=self._number(sale), reason="", now=self.now)

    def _corrects(self, shelf: Shelf, on_hand: int, correct: Callable[[], object]) -> None:
        if not self.model.shelves.may_be(shelf, on_hand):
            with pytest.raises(StockBelowReserved):
                correct()
            return
        correct()
        self.model.shelves.put(shelf, on_hand - shelf.on_hand)

    def _owed(self) -> list[Refund]:
        """Return the model's refunds that are due by the shop's schedule."""
        owed = []
        for row in RefundRow.objects.filter(
            status__in=["NEW", "REQUESTED"], next_attempt_at__lte=self.now
        ).select_related("order"):
            earlier = row.order.refunds.filter(created_at__lt=row.created_at).count()
            owed.append(self.numbers[row.order.number].refunds[earlier])
        return owed


_REFUSALS: dict[type[BaseException], str] = {
    IdempotencyInProgress: "in progress",
    CartEmpty: "cart empty",
    OutOfStock: "out of stock",
    CartAlreadyOrdered: "already ordered",
    PaymentUnavailable: "unavailable",
    OrderEnded: "ended",
}
_ORDERS = """
SELECT o.number, o.status, o.payment_status, p.status, o.total_minor, p.captured_minor,
       c.status, c.refunded_minor, coalesce(r.asked, 0)::int, coalesce(r.given, 0)::int
FROM orders_order o
JOIN orders_payment p ON p.order_id = o.id
LEFT JOIN orders_sandboxcharge c ON c.key = p.id
LEFT JOIN (
    SELECT order_id, sum(amount_minor) AS asked,
           sum(amount_minor) FILTER (WHERE status = 'SUCCEEDED') AS given
    FROM orders_refund GROUP BY order_id
) r ON r.order_id = o.id
"""
