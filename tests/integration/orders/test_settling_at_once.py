"""The short way of a checkout: what was placed a moment ago is settled without being read again.

Controls, each taken out once by hand: without `found_as` in `Turn.write` what the sweeper settled
is confirmed and told of twice; without the rollback of `ReservationOver` an order is confirmed
whose stock is gone.
"""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from inventory.models import Reservation, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import StockLine, commit_stock, reserve_stock
from orders.models import Order, OrderEvent, Payment
from orders.providers.base import Outcome
from orders.selectors import order_findings, payment_findings
from orders.services import (
    CheckoutAnswer,
    Settlement,
    cancel_order,
    checkout,
    pay,
    sweep_payments,
)
from orders.services.paying import settle_at_once
from shop.models import IdempotencyKey, OutboxMessage
from tests.concurrency import in_background, run_before
from tests.make import cart as make_cart
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = "orders.services.checking_out.settle_at_once"
AS_IT_STANDS = "orders.services.checking_out._settle_as_it_stands"


def buy(now: datetime, *, key: str = "k", on_hand: int = 5) -> CheckoutAnswer:
    sold = make.variant(on_hand=on_hand)
    make.allow_backorders(sold, 5)
    wish = make.wish(make_cart.guest_with(sold, 2))
    return checkout(wish=wish, scope=make.scope(key), request_id="", now=now)


def assert_sound() -> None:
    now = timezone.now()
    assert order_findings(now=now) == []
    assert payment_findings(now=now) == []
    assert drifted_stock() == []


def written() -> dict[str, list[dict[str, Any]]]:
    """Return all that a checkout writes, but for what it makes up: keys, numbers, tokens."""
    made_up = {
        "id",
        "number",
        "access_token_hash",
        "cart_id",
        "cart_version",
        "reference",
        "cause",
        "key",
    }
    made_up |= {"order_id", "stock_id", "provider_reference", "idempotency_claim", "resource"}
    made_up |= {"response_body", "response_headers", "created_at", "payload"}
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in made_up}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in (
            Order,
            OrderEvent,
            Payment,
            Reservation,
            StockMovement,
            OutboxMessage,
            IdempotencyKey,
        )
    }


@pytest.mark.parametrize("on_hand", [5, 1])  # of two that are asked for: there, or owed
def test_both_ways_write_and_answer_the_same(on_hand: int) -> None:
    now = timezone.now()
    with mock.patch(AS_IT_STANDS) as long_way:
        first = buy(now, key="first", on_hand=on_hand)
    assert long_way.call_count == 0
    with mock.patch(AT_ONCE, return_value=None):
        second = buy(now, key="second", on_hand=on_hand)

    for rows in written().values():
        half = len(rows) // 2
        assert half > 0
        assert rows[:half] == rows[half:]
    assert told_by(first) == told_by(second)
    owed = Reservation.objects.filter(state="OWED").count()
    assert owed == (0 if on_hand == 5 else 2)


def told_by(told: CheckoutAnswer) -> tuple[int, list[str], dict[str, Any]]:
    """Return status, headers and body, without what each order has of its own."""
    body = json.loads(told.answer.body)
    for name in ("access_token", "order.number", "order.lines", "order.payments", "payment"):
        parent, _, child = name.rpartition(".")
        (body[parent] if parent else body).pop(child)
    return told.answer.status, sorted(told.answer.headers), body


def test_an_order_that_was_cancelled_meanwhile_is_not_sold() -> None:
    def cancel() -> None:
        cancel_order(number=Order.objects.get().number, reason="", now=timezone.now())

    with (
        run_before("orders.services.paying._note", cancel),
        pytest.raises(Exception, match="charged"),
    ):
        buy(timezone.now())
    sweep_payments(now=timezone.now() + timedelta(minutes=1))

    order = Order.objects.get()
    assert order.status == "CANCELLED"
    assert order.payment_status in {"REFUNDED", "VOIDED"}
    assert not OrderEvent.objects.filter(kind="CONFIRMED").exists()
    assert not OutboxMessage.objects.filter(topic="order.confirmed").exists()
    assert not StockMovement.objects.filter(kind="SALE").exists()
    assert_sound()


def test_an_order_that_the_sweeper_settled_meanwhile_is_settled_once() -> None:
    with run_before(
        "orders.services.paying._note", lambda: sweep_payments(now=make.later(minutes=1))
    ):
        told = buy(timezone.now())

    assert told.answer.status == 201
    assert Order.objects.get().version == 2
    assert OrderEvent.objects.filter(kind="CONFIRMED").count() == 1
    assert OutboxMessage.objects.filter(topic="order.confirmed").count() == 1
    assert StockMovement.objects.filter(kind="SALE").count() == 1
    assert_sound()


def test_where_the_order_has_moved_nothing_else_is_locked() -> None:
    """Control: the changes beside the order's used to be made, and waited for, before it was seen
    that there is no such order, so that two could wait for each other.
    """
    placed = make.placed()
    Order.objects.filter(pk=placed.order.pk).update(version=7)
    result = pay(placed.payment, now=timezone.now())
    assert result is not None

    def settle() -> Settlement | None:
        return settle_at_once(placed, result=result, now=timezone.now(), request_id="")

    with transaction.atomic():
        Payment.objects.select_for_update().get(pk=placed.payment.pk)
        with in_background(settle) as other:
            assert other.result(timeout=10) is None

    assert Payment.objects.get().status == "REQUESTED"
    assert not OrderEvent.objects.filter(kind="CONFIRMED").exists()


def test_a_hold_that_was_taken_over_meanwhile_is_had_again_once() -> None:
    sold = make.variant(on_hand=2)
    wish = make.wish(make_cart.guest_with(sold, 2))
    began = timezone.now()
    late = began + timedelta(minutes=16)

    def take_and_bring() -> None:
        reserve_stock(
            lines=[StockLine(sold.pk, 1)],
            reference="rival",
            expires_at=late + timedelta(hours=1),
            now=late,
        )
        make.adjust(sold, 1)

    with run_before("orders.services.paying.commit_stock", take_and_bring):
        told = checkout(wish=wish, scope=make.scope("k"), request_id="", now=began)

    assert told.answer.status == 201
    # Of the short way, which had written all but the stock, nothing is left.
    assert OrderEvent.objects.filter(kind="CONFIRMED").count() == 1
    assert OutboxMessage.objects.filter(topic="order.confirmed").count() == 1
    assert make.units(sold) == (1, 1)
    assert_sound()


def test_a_hold_that_is_gone_for_good_is_money_given_back() -> None:
    sold = make.variant(on_hand=2)
    wish = make.wish(make_cart.guest_with(sold, 2))
    began = timezone.now()
    late = began + timedelta(minutes=16)
    take = partial(
        reserve_stock,
        lines=[StockLine(sold.pk, 1)],
        reference="rival",
        expires_at=late + timedelta(hours=1),
        now=late,
    )

    with (
        run_before("orders.services.paying.commit_stock", take),
        pytest.raises(Exception, match="charged"),
    ):
        checkout(wish=wish, scope=make.scope("k"), request_id="", now=began)

    assert Order.objects.get().status == "CANCELLED"
    assert not OrderEvent.objects.filter(kind="CONFIRMED").exists()
    assert not OutboxMessage.objects.filter(topic="order.confirmed").exists()
    assert make.units(sold) == (2, 1)
    assert_sound()


def test_a_deadlock_of_the_short_way_is_gone_round() -> None:
    error = OperationalError("deadlock")
    error.__cause__ = DeadlockDetected()
    calls: list[object] = []

    def once(**kwargs: Any) -> None:
        calls.append(kwargs)
        if len(calls) == 1:
            raise error
        commit_stock(**kwargs)

    with mock.patch("orders.services.paying.commit_stock", once):
        told = buy(timezone.now())

    assert told.answer.status == 201
    assert len(calls) == 2
    assert OrderEvent.objects.filter(kind="CONFIRMED").count() == 1
    assert_sound()


@pytest.mark.parametrize(
    "changes", [{"outcome": Outcome.DECLINED}, {"amount_minor": 1}, {"currency": "EUR"}]
)
def test_what_is_no_money_as_it_was_asked_for_is_left_to_the_long_way(
    changes: dict[str, Any],
) -> None:
    placed = make.placed()
    result = pay(placed.payment, now=timezone.now())
    assert result is not None

    settled = settle_at_once(
        placed, result=replace(result, **changes), now=timezone.now(), request_id=""
    )

    assert settled is None
    assert Order.objects.get().status == "PENDING"
    assert Payment.objects.get().captured_minor == 0
    assert not StockMovement.objects.filter(kind="SALE").exists()
