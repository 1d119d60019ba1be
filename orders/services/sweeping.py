"""Finishing what was left: payments nobody settled, holds that ran out, refunds still owed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import DatabaseError, transaction
from django.db.models import F

from inventory.services import release_stock
from orders.models import Order, OrderEvent, Payment, Refund
from orders.providers import provider_of
from orders.providers.base import PaymentResult, ProviderError
from orders.services.aftersales import execute_refund
from orders.services.cancelling import void_payment
from orders.services.paying import (
    IN_FLIGHT,
    announce_cancellation,
    backoff,
    request_of,
    settle_payment,
)
from orders.services.states import turn_order
from shop.db.alone import alone
from shop.db.retry import retried
from shop.errors import Refusal
from shop.faults import fault

BATCH = 100
NOT_PAID_IN_TIME = "Not paid in time"

_PAYMENTS_LOCK = 7_302_001  # any number, the same for every process, and no other lock's
_HOLDS_LOCK = 7_302_002

Row = Payment | Refund | Order

log = structlog.get_logger("orders.sweeping")


@dataclass(frozen=True, slots=True)
class Sweep:
    """How many a sweep looked at, and how many of them it brought to an end."""

    looked_at: int = 0
    finished: int = 0


def sweep_payments(*, now: datetime) -> Sweep:
    """Finish attempts that nobody came back for, by asking the provider with the same key.

    Then give back what is owed. One sweep at a time: a second finds the lock taken and does
    nothing. Safe to repeat, and to be killed at any line.
    """
    with alone(_PAYMENTS_LOCK) as is_alone:
        if not is_alone:
            return Sweep()
        due = list(
            Payment.objects.select_related("order")
            .filter(status__in=Payment.OPEN, next_attempt_at__lte=now)
            .order_by("next_attempt_at")[:BATCH]
        )
        finished = sum(_one(finish_payment, payment, now=now) for payment in due)
        owed = list(
            Refund.objects.filter(
                status__in=[Refund.Status.NEW, Refund.Status.REQUESTED], next_attempt_at__lte=now
            ).order_by("next_attempt_at")[:BATCH]
        )
        finished += sum(_one(_give_back, refund, now=now) for refund in owed)
        return Sweep(looked_at=len(due) + len(owed), finished=finished)


def expire_holds(*, now: datetime) -> Sweep:
    """End pending orders whose hold has run out, and set their stock free.

    The provider is asked to close the payment first: if the money came in the last moment, the
    order is confirmed with the stock that it still holds. If the provider does not answer, the
    order ends all the same, and money that shows up later goes back. One at a time, safe to
    repeat.
    """
    with alone(_HOLDS_LOCK) as is_alone:
        if not is_alone:
            return Sweep()
        over = list(
            Order.objects.filter(status=Order.Status.PENDING, hold_expires_at__lte=now).order_by(
                "hold_expires_at"
            )[:BATCH]
        )
        finished = sum(_one(_expire, order, now=now) for order in over)
        return Sweep(looked_at=len(over), finished=finished)


def _one(finish: Callable[..., bool], row: Row, *, now: datetime) -> bool:
    """Finish one row; if it cannot be, say so and let the others have their turn."""
    try:
        return finish(row, now=now)
    except (Refusal, DatabaseError) as error:
        log.error("sweep_failed", row=str(row.pk), error=type(error).__name__)
        return False


def _expire(order: Order, *, now: datetime) -> bool:
    return expire_order(order_id=order.pk, now=now)


def _give_back(refund: Refund, *, now: datetime) -> bool:
    return execute_refund(refund=refund, now=now).status == Refund.Status.SUCCEEDED


def expire_order(*, order_id: int, now: datetime) -> bool:
    """End one pending order whose hold has run out; False if it is to be left alone for now."""
    if Order.objects.filter(pk=order_id, hold_expires_at__gt=now).exists():
        return False  # the payer was given more time since it was picked
    payment = Payment.objects.filter(order=order_id, status__in=Payment.OPEN).first()
    if payment is not None and _is_in_flight(payment, now=now):
        return False
    if payment is not None:
        void_payment(payment, now=now, because=NOT_PAID_IN_TIME)
    return _end_expired(order_id=order_id, now=now)


def _is_in_flight(payment: Payment, *, now: datetime) -> bool:
    """Whether somebody is asking the provider at this moment: they will settle it."""
    return (
        payment.status == Payment.Status.REQUESTED
        and payment.requested_at is not None
        and payment.requested_at > now - IN_FLIGHT
    )


@retried
@transaction.atomic(durable=True)
def _end_expired(*, order_id: int, now: datetime) -> bool:
    order = Order.objects.locked().get(pk=order_id)
    if order.status != Order.Status.PENDING:
        return True  # the provider's word has ended it, one way or the other
    if order.hold_expires_at > now:
        return False
    order.cancelled_at = now
    order.cancel_reason = NOT_PAID_IN_TIME
    turn_order(
        order,
        event=OrderEvent.Kind.EXPIRED,
        now=now,
        status=Order.Status.CANCELLED,
        # With an attempt still open nobody knows of the money: the sweeper will.
        payment_status=(
            None
            if order.payments.filter(status__in=Payment.OPEN).exists()
            else Order.PaymentStatus.VOIDED
        ),
        also=["cancelled_at", "cancel_reason"],
        detail=order.cancel_reason,
    ).write()
    release_stock(reference=order.stock_reference, now=now)
    announce_cancellation(order)
    return True


def finish_payment(payment: Payment, *, now: datetime) -> bool:
    """Bring one open attempt on by asking the provider; True when it came to an end.

    Of an order that has ended, or whose hold has, the attempt is closed and no money asked for.
    Never call it in a transaction. Safe to repeat.
    """
    # Before anything that may go wrong: an attempt that always does must not block the others.
    _ask_later(payment, now=now)
    order = payment.order
    if order.status != Order.Status.PENDING:
        return void_payment(payment, now=now)
    if order.hold_expires_at <= now:
        # Nobody is charged for what is no longer kept for them: as when the clock comes first.
        return void_payment(payment, now=now, because=NOT_PAID_IN_TIME)
    try:
        result = _ask(payment, now=now)
    except ProviderError as error:
        log.warning("provider_away", provider=payment.provider, error=type(error).__name__)
        return False
    if result is None:
        return False
    fault("sweep.answered")
    return not settle_payment(payment_id=payment.pk, result=result, now=now).payment.is_open


def _ask(payment: Payment, *, now: datetime) -> PaymentResult | None:
    """Return what became of the attempt, begun now if the provider never heard of it."""
    provider = provider_of(payment.provider)
    request = request_of(payment)
    if payment.status == Payment.Status.REQUIRES_ACTION:
        return provider.find(request)
    Payment.objects.filter(pk=payment.pk, status=Payment.Status.NEW).update(
        status=Payment.Status.REQUESTED, requested_at=now
    )
    # The key makes it one payment, whether or not the first request arrived.
    return provider.find(request) or provider.pay(request)


def _ask_later(payment: Payment, *, now: datetime) -> None:
    Payment.objects.filter(pk=payment.pk, status__in=Payment.OPEN).update(
        attempts=F("attempts") + 1,
        next_attempt_at=now + backoff(payment.attempts + 1),
    )
