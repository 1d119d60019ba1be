"""A13: whatever happens in whatever order, the shop does what the model does, and stays sound.

`make soak` runs it for long; a failure prints its steps, and comes again with the same RACES_SEED.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_as_test

from catalog.models import Variant
from inventory.errors import OutOfStock, StockBelowReserved
from inventory.models import Stock
from inventory.services import (
    ReceiptLine,
    SkuLine,
    StockTerms,
    adjust_stock,
    count_stock,
    dispatch_transfer,
    receive_stock,
    receive_transfer,
    set_stock_terms,
)
from orders.errors import (
    CartAlreadyOrdered,
    CartEmpty,
    OrderEnded,
    PaymentNotFound,
    PaymentUnavailable,
    RefundTooLarge,
)
from orders.models import Order, Payment
from orders.models import Refund as RefundRow
from orders.providers.sandbox.provider import SandboxProvider
from orders.services import (
    cancel_order,
    complete_sandbox_payment,
    execute_refund,
    expire_holds,
    refund_order,
    request_of,
    settle_payment,
    sweep_payments,
)
from orders.services import paying as paying_module
from shop.idempotency import IdempotencyInProgress, Scope
from tests.make import inventory as make_inventory
from tests.make import orders as make
from tests.races.baskets import basket as stored_basket
from tests.races.figures import SEED, figure, reported
from tests.races.machine.model import HOLD, Basket, Model, Refund, Sale
from tests.races.machine.shelves import Shelf, Shelves
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("SOAK_EXAMPLES") or figure(full=100, small=100))
STEPS = int(os.environ.get("SOAK_STEPS") or 50)
SHARDS = int(os.environ.get("SOAK_SHARDS") or 2)

BEGIN = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
PRICES = (1250, 2000)
BACKORDERS = 2  # of the second variant, in the first warehouse
TOKENS = (
    "tok_ok",
    "tok_ok",
    "tok_slow",
    "tok_declined",
    "tok_requires_action",
    "tok_timeout",
    "tok_error",
)
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

few = st.integers(1, 3)
some_lines = st.sampled_from([{0: 1}, {0: 2}, {1: 1}, {1: 3}, {0: 1, 1: 1}, {0: 3, 1: 2}])
any_of_them = st.integers(0, 10**6)


class Shop(RuleBasedStateMachine):
    """The shop beside its model, one step at a time, by a clock that only steps move."""

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

    # Buyers -----------------------------------------------------------------------------------

    @rule(lines=some_lines, token=st.sampled_from(TOKENS))
    def check_out(self, lines: dict[int, int], token: str) -> None:
        self._check_out(self._new_key(self._new_basket(lines), token))

    @rule(
        lines=some_lines,
        token=st.sampled_from(["tok_ok", "tok_declined", "tok_requires_action"]),
        before=st.sampled_from(sorted(DEATHS)),
    )
    def check_out_and_die(self, lines: dict[int, int], token: str, before: str) -> None:
        self._check_out(self._new_key(self._new_basket(lines), token), dies_before=before)

    @rule(lines=some_lines, token=st.sampled_from(TOKENS))
    def check_out_while_the_provider_is_away(self, lines: dict[int, int], token: str) -> None:
        with self._provider_away():
            self._check_out(self._new_key(self._new_basket(lines), token))

    @precondition(lambda self: self.keys)
    @rule(which=any_of_them)
    def send_the_same_again(self, which: int) -> None:
        self._check_out(self.keys[which % len(self.keys)])

    @precondition(lambda self: self.keys)
    @rule(which=any_of_them, before=st.sampled_from(sorted(DEATHS)))
    def send_the_same_again_and_die(self, which: int, before: str) -> None:
        self._check_out(self.keys[which % len(self.keys)], dies_before=before)

    @precondition(lambda self: self.baskets)
    @rule(which=any_of_them, token=st.sampled_from(TOKENS))
    def order_a_cart_with_another_key(self, which: int, token: str) -> None:
        self._check_out(self._new_key(which % len(self.baskets), token))

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them)
    def cancel(self, which: int) -> None:
        self._cancel(which)

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them)
    def cancel_while_the_provider_is_away(self, which: int) -> None:
        with self._provider_away():
            self._cancel(which)

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them, succeeds=st.booleans(), is_told=st.booleans())
    def prove_who_they_are(self, which: int, succeeds: bool, is_told: bool) -> None:
        """The payer acts on the provider's page, early or late; we may not hear of it at once."""
        sale = self._one(self.model.sales, which)
        payment = Payment.objects.get(order__number=self._number(sale))
        self._tick()
        outcome = self.model.act(sale, succeeds=succeeds)
        if not is_told:
            SandboxProvider().complete(payment.pk, succeeds=succeeds)
        elif outcome is None:
            with pytest.raises(PaymentNotFound):
                complete_sandbox_payment(payment_id=payment.pk, succeeds=succeeds, now=self.now)
        else:
            self.model.settle(sale, outcome, now=self.now)
            if sale.status == "CONFIRMED":
                sale.basket.is_empty = True
            complete_sandbox_payment(payment_id=payment.pk, succeeds=succeeds, now=self.now)

    # Staff ------------------------------------------------------------------------------------

    @precondition(lambda self: any(sale.captured for sale in self.model.sales))
    @rule(which=any_of_them, amount=st.sampled_from([1, 500, 1645, 10_000]), away=st.booleans())
    def refund(self, which: int, amount: int, away: bool) -> None:
        sale = self._one([sale for sale in self.model.sales if sale.captured], which)
        self._tick()
        give = partial(
            refund_order,
            order=Order.objects.get(number=self._number(sale)),
            amount_minor=amount,
            reason="",
            reference=f"test:{self.now.timestamp()}",
            now=self.now,
        )
        with self._provider_away() if away else ExitStack():
            if not self.model.refund(sale, amount):
                with pytest.raises(RefundTooLarge):
                    give()
                return
            execute_refund(refund=give(), now=self.now)

    @rule(which=any_of_them, units=few)
    def receive(self, which: int, units: int) -> None:
        shelf = self._shelf(which)
        self.model.shelves.put(shelf, units)
        receive_stock(
            lines=[ReceiptLine(shelf.variant_id, units)],
            warehouse=shelf.warehouse,
            cause=f"delivery:{self.now.timestamp()}",
            reason="",
            now=self.now,
        )

    @rule(which=any_of_them, delta=st.sampled_from([-3, -1, 1, 2]))
    def adjust(self, which: int, delta: int) -> None:
        shelf = self._shelf(which)
        self._corrects(
            shelf,
            shelf.on_hand + delta,
            lambda: adjust_stock(
                sku=self._sku(shelf),
                warehouse=shelf.warehouse,
                delta=delta,
                reason="",
                now=self.now,
            ),
        )

    @rule(which=any_of_them, counted=st.integers(0, 6))
    def count(self, which: int, counted: int) -> None:
        shelf = self._shelf(which)
        self._corrects(
            shelf,
            counted,
            lambda: count_stock(
                sku=self._sku(shelf),
                warehouse=shelf.warehouse,
                counted=counted,
                reason="",
                now=self.now,
            ),
        )

    @rule(which=any_of_them, units=few)
    def send_to_the_other_warehouse(self, which: int, units: int) -> None:
        start = self._shelf(which)
        end = next(
            shelf
            for shelf in self.model.shelves.shelves
            if shelf.variant_id == start.variant_id and shelf is not start
        )
        send = partial(
            dispatch_transfer,
            lines=[SkuLine(self._sku(start), units)],
            source=start.warehouse,
            destination=end.warehouse,
            reason="",
            now=self.now,
        )
        if not self.model.shelves.may_travel(start, units):
            with pytest.raises(StockBelowReserved):
                send()
            return
        sent = send()
        self.model.shelves.put(start, -units)
        self.transfers.append((sent.pk, end, units))

    @precondition(lambda self: self.transfers)
    @rule(lost=st.integers(0, 1))
    def receive_a_transfer(self, lost: int) -> None:
        self._tick()
        transfer_id, end, units = self.transfers.pop(0)
        arrived = units - lost
        self.model.shelves.put(end, arrived)
        lines = [SkuLine(self._sku(end), arrived)] if arrived else []
        receive_transfer(transfer_id=transfer_id, lines=lines, note="", now=self.now)

    # Time, and those who come by it -------------------------------------------------------------

    @rule(seconds=st.sampled_from([5, 21, 31, 61, 300, 901]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(away=st.booleans(), after=st.sampled_from([1, 31, 61]))
    def sweep(self, away: bool, after: int) -> None:
        self.now += timedelta(seconds=after)
        due = [
            self.numbers[number]
            for number in Payment.objects.filter(
                status__in=Payment.OPEN, next_attempt_at__lte=self.now
            )
            .order_by("next_attempt_at")
            .values_list("order__number", flat=True)
        ]
        owed = self._owed()
        with self._provider_away() if away else ExitStack():
            self.model.sweep(due, owed, now=self.now)
            sweep_payments(now=self.now)

    @rule(away=st.booleans(), after=st.sampled_from([1, 901]))
    def expire(self, away: bool, after: int) -> None:
        self.now += timedelta(seconds=after)
        with self._provider_away() if away else ExitStack():
            self.model.expire(now=self.now)
            expire_holds(now=self.now)

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them)
    def hear_it_again(self, which: int) -> None:
        """The provider's word comes once more, as a webhook would bring it."""
        sale = self._one(self.model.sales, which)
        payment = Payment.objects.get(order__number=self._number(sale))
        self._tick()
        result = SandboxProvider().find(request_of(payment))
        assert (result is None) == (sale.charge is None)
        if result is not None and sale.charge is not None:
            self.model.settle(sale, sale.charge.status, now=self.now)
            settle_payment(payment_id=payment.pk, result=result, now=self.now)

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
        assert orders == {
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
        assert keys == {name: key.answer for name, key in self.model.keys.items()}

    @invariant()
    def it_is_sound(self) -> None:
        assert breaches(self.now, is_at_rest=False, clients=self.clients) == []

    def teardown(self) -> None:
        try:
            now = bring_to_rest(self.now)
            found = breaches(now, clients=self.clients)
        finally:
            self.exits.close()
        assert found == []

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
        assert told == says
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


def run(
    examples: int, *, first: int, phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink)
) -> None:
    """Run so many examples of the machine, from the seed `first` on."""
    make_inventory.make_warehouse("north", priority=20)
    Shop.variants = (
        make.variant(on_hand=0, price=PRICES[0]),
        make.variant(on_hand=0, price=PRICES[1]),
    )
    run_as_test(
        seed(first)(Shop),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_shop_does_what_the_model_does(shard: int) -> None:
    examples = EXAMPLES // SHARDS
    Shop.told.clear()

    first = SEED + shard
    with reported("A13 state machine", seed=first, examples=examples, steps=STEPS) as seen:
        run(examples, first=first)
        seen.update({f"× {told}": times for told, times in sorted(Shop.told.items())})


def _nothing(*args: object, **kwargs: object) -> None:
    """Do nothing where something should be done."""


LEFT_OUT = [
    "orders.services.paying.release_stock",
    "shop.idempotency.complete",
    "orders.services.sweeping.release_stock",
    "orders.services.cancelling.give_order_stock_back",
    "shop.idempotency.discard",
]


@pytest.mark.parametrize("left_out", LEFT_OUT[: figure(full=5, small=2)])
def test_what_is_left_out_is_noticed(left_out: str) -> None:
    with mock.patch(left_out, _nothing), pytest.raises(AssertionError):
        run(10, first=SEED, phases=(Phase.generate,))
