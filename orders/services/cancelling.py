"""Cancelling: by the buyer, by staff, or by the clock."""

from datetime import datetime

from django.db import transaction

from inventory.services import forget_purchase, release_stock
from orders.errors import OrderNotCancellable, OrderNotFound
from orders.models import Order, OrderEvent, Payment, Refund
from orders.providers import provider_of
from orders.providers.base import ProviderError
from orders.selectors.documents import why_not_cancellable
from orders.services.aftersales import (
    execute_refund,
    give_order_stock_back,
    refund_order,
    refundable_minor,
)
from orders.services.paying import (
    announce_cancellation,
    end_unpaid,
    request_of,
    settle_payment,
)
from orders.services.states import turn_order
from shop import idempotency
from shop.db.retry import retried
from shop.faults import fault


def cancel_order(*, number: str, reason: str, now: datetime, actor_id: int | None = None) -> Order:
    """Cancel the order: stock comes free or goes back on the shelf, money is given back.

    Safe to repeat: a cancelled order stays as it is. Commits by itself, then speaks to the payment
    provider; if that does not answer now, the sweeper goes on, and the order is cancelled already.
    Never call it in a transaction.

    Raises OrderNotFound, and OrderNotCancellable once something of it is on its way.
    """
    order_id = _cancel(number=number, reason=reason, now=now, actor_id=actor_id)
    fault("cancel.committed")
    for payment in Payment.objects.filter(order=order_id, status__in=Payment.OPEN):
        void_payment(payment, now=now)
    for refund in Refund.objects.filter(order=order_id, status=Refund.Status.NEW):
        execute_refund(refund=refund, now=now)
    return Order.objects.get(pk=order_id)


@retried
@transaction.atomic(durable=True)
def _cancel(*, number: str, reason: str, now: datetime, actor_id: int | None) -> int:
    order = Order.objects.locked().filter(number=number).first()
    if order is None:
        raise OrderNotFound("There is no such order, or it is not yours.")
    if order.status == Order.Status.CANCELLED:
        return order.pk
    if why := why_not_cancellable(order):
        raise OrderNotCancellable(
            why,
            order_status=order.status.lower(),
            fulfillment_status=order.fulfillment_status.lower(),
        )
    was_pending = order.status == Order.Status.PENDING
    order.cancelled_at = now
    order.cancel_reason = reason
    turn_order(
        order,
        event=OrderEvent.Kind.CANCELLED,
        now=now,
        status=Order.Status.CANCELLED,
        also=["cancelled_at", "cancel_reason"],
        detail=reason,
        actor_id=actor_id,
    ).write()
    if was_pending:
        _end_payment_that_was_not_asked_for(order, now=now)
        release_stock(reference=order.stock_reference, now=now)
    else:
        if refundable := refundable_minor(order):
            refund_order(
                order=order,
                amount_minor=refundable,
                reason=reason or "Cancelled",
                reference=f"cancel:{order.pk}",
                now=now,
                actor_id=actor_id,
            )
        give_order_stock_back(
            # Not the buyer's own words: nothing is ever taken out of the ledger again.
            order=order,
            cause=f"cancel:{order.pk}",
            reason="Order cancelled",
            now=now,
        )
        # After the stock is locked by what goes back to it.
        forget_purchase(references=order.stock_references)
    announce_cancellation(order)
    return order.pk


def _end_payment_that_was_not_asked_for(order: Order, *, now: datetime) -> None:
    """Void an attempt that the provider has not heard of; others wait for the provider's word."""
    payment = Payment.objects.locked().filter(order=order, status__in=Payment.OPEN).first()
    if payment is None:
        return
    if payment.status == Payment.Status.NEW:
        payment.next_attempt_at = None
        payment.settled_at = now
        end_unpaid(order, payment, Payment.Status.VOIDED, now=now)
        if payment.idempotency_claim is not None:
            idempotency.discard(payment.idempotency_claim)
    else:
        payment.next_attempt_at = now
        payment.save(update_fields=["next_attempt_at"])


def void_payment(payment: Payment, *, now: datetime, because: str = "") -> bool:
    """Close an attempt at the provider and settle it by what the provider says; False if it is
    not to be had now. Never call it in a transaction. Safe to repeat.
    """
    try:
        result = provider_of(payment.provider).void(request_of(payment))
    except ProviderError:
        return False
    settlement = settle_payment(payment_id=payment.pk, result=result, now=now, because=because)
    # Money that had come before the end goes straight back.
    for refund in Refund.objects.filter(
        order=settlement.order, status=Refund.Status.NEW, payment=payment
    ):
        execute_refund(refund=refund, now=now)
    return True
