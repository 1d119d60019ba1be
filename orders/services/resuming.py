"""Finishing the idempotency keys that a killed worker left running."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction

from orders.models import Order, Payment
from orders.services.checking_out import store_answer
from orders.services.paying import has_ended_unpaid
from orders.services.sweeping import Sweep, finish_payment
from shop import idempotency
from shop.db.alone import alone
from shop.errors import Refusal
from shop.faults import fault
from shop.idempotency import LeftKey

BATCH = 100

_RESUMER_LOCK = 7_302_011  # any number, the same for every process, and no other lock's

log = structlog.get_logger("orders.resuming")


def resume_checkouts(*, now: datetime) -> Sweep:
    """Bring keys to an end whose checkout began two minutes ago or earlier and never answered.

    Only a checkout commits its key before its answer, and with it the payment that the key names.
    So the payment says what to do: it is brought on, and the key gets the answer that the buyer
    would have had, "not known yet" included; or the key is free again, where nothing came of it.
    One at a time: a second finds the lock taken and does nothing. Safe to repeat, and to be killed
    at any line.
    """
    with alone(_RESUMER_LOCK) as is_alone:
        if not is_alone:
            return Sweep()
        left = idempotency.left_running(now=now, limit=BATCH)
        finished = sum(_one(key, now=now) for key in left)
        return Sweep(looked_at=len(left), finished=finished)


def _one(key: LeftKey, *, now: datetime) -> bool:
    """Resume one; if it cannot be, say so and let the others have their turn."""
    try:
        return _resume(key, now=now)
    except (Refusal, DatabaseError) as error:
        log.error("resume_failed", key=key.id, error=type(error).__name__)
        return False


def _resume(key: LeftKey, *, now: datetime) -> bool:
    # As a retry of the client's would, which finds it in our hands from here on.
    if not idempotency.take_over(key.id, now=now):
        return False
    fault("resume.taken")
    payment = _payment_of(key)
    if payment is None:
        log.warning("key_of_nothing", key=key.id)
        idempotency.discard(key.id)
        return True
    if payment.is_open:
        finish_payment(payment, now=now)
    return _answer(payment.pk, key, now=now)


def _payment_of(key: LeftKey) -> Payment | None:
    try:
        payment_id = UUID(key.resource)
    except ValueError:
        return None
    return Payment.objects.select_related("order").filter(pk=payment_id).first()


@transaction.atomic(durable=True)
def _answer(payment_id: UUID, key: LeftKey, *, now: datetime) -> bool:
    """Give the key the answer of its payment as it stands, unless it has one or is gone."""
    payment = Payment.objects.locked().get(pk=payment_id)
    if payment.is_open and payment.order.status != Order.Status.PENDING:
        return False  # the provider's word on a payment of an ended order is still to come
    # Whoever ended the payment has done this in the same transaction, and then nothing changes.
    if has_ended_unpaid(payment.order, payment):
        idempotency.discard(key.id)
    else:
        store_answer(payment, request_id="")
    return True
