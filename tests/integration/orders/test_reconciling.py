"""A sound shop has no findings; each kind of damage has its own."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from inventory.models import Reservation
from orders.models import Order, OrderLine, Payment, Refund, SandboxCharge
from orders.providers import provider_of
from orders.providers.base import PaymentRequest
from orders.selectors import (
    ORDER_CHECKS,
    PAYMENT_CHECKS,
    PROVIDER_CHECKS,
    Finding,
    order_findings,
    payment_findings,
)
from orders.services import cancel_order, pay, refund_order, request_of, settle_payment
from shop import idempotency
from shop.models import OutboxMessage
from tests.make import orders as make

pytestmark = pytest.mark.django_db


def _shop() -> Order:
    """Make orders in every state, and return a confirmed one that the sandbox was paid for."""
    make.sold()
    make.placed((make.variant(), 1), token="tok_requires_action")
    cancelled = make.sold().order
    cancel_order(number=cancelled.number, reason="", now=timezone.now())
    placed = make.placed((make.variant(), 2))
    result = pay(placed.payment, now=timezone.now())
    assert result is not None
    settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())
    return Order.objects.get(pk=placed.order.pk)


@contextmanager
def unguarded(table: str, constraint: str) -> Iterator[None]:
    """Have the database let something happen that it refuses otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint]
        )
        (definition,) = cursor.fetchone()
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        yield
        # As good as before for all that is written from now on.
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition} NOT VALID")


def _found() -> list[Finding]:
    now = timezone.now()
    return [*order_findings(now=now), *payment_findings(now=now)]


def _wrong_total(order: Order) -> None:
    OrderLine.objects.filter(order=order).update(total_minor=1, tax_minor=0)


def _wrong_capture(order: Order) -> None:
    Payment.objects.filter(order=order).update(captured_minor=1)


def _lost_stock(order: Order) -> None:
    Reservation.objects.filter(reference=order.stock_reference).update(state="RELEASED")


def _stock_of_nobody(order: Order) -> None:
    pending = Order.objects.get(status="PENDING")
    Reservation.objects.filter(reference=pending.stock_reference).update(state="COMMITTED")


def _held_for_good(order: Order) -> None:
    Reservation.objects.filter(reference=order.stock_reference).update(state="HELD")


def _forgotten(order: Order) -> None:
    past = make.later(minutes=-10)
    Order.objects.filter(status="PENDING").update(hold_expires_at=past)


def _kept_money(order: Order) -> None:
    refund = Refund.objects.get(order__status="CANCELLED")
    Refund.objects.filter(pk=refund.pk).update(status="FAILED")


def _too_much_back(order: Order) -> None:
    refund_order(order=order, amount_minor=100, reason="", reference="x", now=timezone.now())
    Refund.objects.filter(reference="x").update(amount_minor=10**6)


def _wrong_word(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(payment_status="REFUNDED")


def _stuck_payment(order: Order) -> None:
    Payment.objects.filter(order__status="PENDING").update(next_attempt_at=make.later(minutes=-11))


def _stuck_refund(order: Order) -> None:
    refund_order(order=order, amount_minor=100, reason="", reference="x", now=timezone.now())
    Refund.objects.filter(reference="x").update(next_attempt_at=make.later(minutes=-11))


def _unknown_charge(order: Order) -> None:
    provider_of("sandbox").pay(
        PaymentRequest(key=uuid4(), amount_minor=100, currency="GBP", token="tok_ok")
    )


def _taken_back(order: Order) -> None:
    SandboxCharge.objects.filter(key=order.payments.get().pk).update(refunded_minor=100)


def _never_charged(order: Order) -> None:
    SandboxCharge.objects.filter(key=order.payments.get().pk).delete()


def _no_lines(order: Order) -> None:
    OrderLine.objects.filter(order=order).delete()


def _unbalanced(order: Order) -> None:
    with unguarded("orders_order", "order_total_is_the_sum"):
        Order.objects.filter(pk=order.pk).update(total_minor=order.total_minor + 1)


def _reservation_of_nobody(order: Order) -> None:
    Reservation.objects.filter(reference=order.stock_reference).update(reference="order:999999")


def _hold_of_another_length(order: Order) -> None:
    pending = Order.objects.get(status="PENDING")
    Order.objects.filter(pk=pending.pk).update(hold_expires_at=make.later(minutes=40))


def _stuck_outbox(order: Order) -> None:
    OutboxMessage.objects.update(created_at=make.later(minutes=-2))


def _stuck_key(order: Order) -> None:
    with transaction.atomic():
        idempotency.claim(make.scope(), now=make.later(minutes=-11))


def _long_in_flight(order: Order) -> None:
    Payment.objects.filter(order__status="PENDING").update(
        status="REQUESTED", requested_at=make.later(minutes=-11)
    )


def _old_authorization(order: Order) -> None:
    Payment.objects.filter(order=order).update(
        status="AUTHORIZED", settled_at=make.later(days=-4), captured_minor=0
    )


def _ending_authorization(order: Order) -> None:
    Payment.objects.filter(order=order).update(
        status="AUTHORIZED", authorized_until=make.later(hours=23), captured_minor=0
    )


def _other_currency(order: Order) -> None:
    SandboxCharge.objects.filter(key=order.payments.get().pk).update(currency="EUR")


def _charged_for_nothing(order: Order) -> None:
    pending = Payment.objects.get(order__status="PENDING")
    provider_of("sandbox").pay(replace(request_of(pending), token="tok_ok"))
    Payment.objects.filter(pk=pending.pk).update(status="DECLINED")


DAMAGE: list[tuple[Callable[[Order], None], str]] = [
    (_wrong_total, "order_totals_are_their_lines"),
    (_no_lines, "orders_have_lines"),
    (_wrong_capture, "sold_orders_are_paid"),
    (_lost_stock, "sold_orders_have_their_stock"),
    (_stock_of_nobody, "unsold_orders_have_no_stock"),
    (_held_for_good, "only_pending_orders_hold_stock"),
    (_forgotten, "holds_end_in_time"),
    (_kept_money, "money_has_an_order"),
    (_too_much_back, "refunds_within_captures"),
    (_wrong_word, "payment_status_is_the_money"),
    (_stuck_payment, "payments_come_to_an_end"),
    (_stuck_refund, "refunds_come_to_an_end"),
    (_unbalanced, "order_totals_add_up"),
    (_reservation_of_nobody, "stock_is_promised_to_orders"),
    (_hold_of_another_length, "holds_end_with_their_order"),
    (_stuck_outbox, "outbox_is_relayed"),
    (_stuck_key, "idempotency_keys_come_to_an_end"),
    (_long_in_flight, "payments_come_to_an_end"),
    (_old_authorization, "authorizations_are_captured_in_time"),
    (_ending_authorization, "authorizations_are_captured_in_time"),
    (_other_currency, "charges_are_of_the_amount"),
    (_charged_for_nothing, "charges_are_captures"),
    (_unknown_charge, "charges_have_a_payment"),
    (_taken_back, "refunds_are_the_providers"),
    (_never_charged, "captures_are_charges"),
]


def test_a_sound_shop_has_no_findings() -> None:
    _shop()

    assert _found() == []


@pytest.mark.parametrize(("damage", "check"), DAMAGE, ids=[d.__name__ for d, _ in DAMAGE])
def test_damage_is_found(damage: Callable[[Order], None], check: str) -> None:
    order = _shop()

    damage(order)

    found = _found()
    assert check in {finding.check for finding in found}
    assert all(finding.reference and finding.expected != finding.found for finding in found)


def test_every_check_has_its_damage() -> None:
    names = {check.name for check in (*ORDER_CHECKS, *PAYMENT_CHECKS)} | set(PROVIDER_CHECKS)

    assert {check for _, check in DAMAGE} == names


@pytest.mark.parametrize("command", ["reconcile_orders", "reconcile_payments"])
def test_commands_tell_by_words_json_and_exit_code(command: str) -> None:
    order = _shop()
    said, told = StringIO(), StringIO()

    call_command(command, stdout=said)
    call_command(command, json=True, stdout=told)

    assert "nothing to be found" in said.getvalue()
    assert json.loads(told.getvalue())["ok"] is True

    _wrong_capture(order)
    said, told = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(command, stdout=said)
    with pytest.raises(SystemExit):
        call_command(command, json=True, stdout=told)

    assert ended.value.code == 1
    assert "1 findings" in said.getvalue()
    report = json.loads(told.getvalue())
    assert report["ok"] is False
    assert set(report["findings"][0]) == {"check", "reference", "expected", "found"}
