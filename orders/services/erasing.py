"""Forgetting a person: at once what they are known by, then order by order, the law's share apart.

Each step is a transaction that may be repeated, so it may be killed anywhere. The row of `Erasure`
is the truth: a sweep goes on with every one that is not finished.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from accounts.models import User
from accounts.services import erase_account, prove_password
from cart.services import CartOwner, clear
from catalog.services import forget_author
from inventory.services import forget_subscriptions
from orders.errors import ErasureNotPossible
from orders.models import (
    Erasure,
    Order,
    OrderEvent,
    Payment,
    ProviderEvent,
    Refund,
    RetainedInvoiceData,
    Return,
)
from shop import idempotency
from shop.db.retry import retried
from shop.errors import Unavailable
from shop.jobs.services import forget_jobs_of
from shop.outbox.services import publish
from shop.privacy import email_hashes

# A request that began before the account was closed may still place an order: access tokens are
# refused after 15 s at the latest, and no request takes a minute.
_LAST_LOOK = timedelta(minutes=2)
_BATCH = 50  # orders in one transaction
# Events whose detail is a code or an amount of ours, and no words of the buyer's.
_OUR_WORDS = (
    OrderEvent.Kind.REFUNDED,
    OrderEvent.Kind.REFUND_FAILED,
    OrderEvent.Kind.PAYMENT_DECLINED,
    OrderEvent.Kind.PAYMENT_FAILED,
)

log = structlog.get_logger("orders.erasing")


@transaction.atomic
def request_erasure(*, user: User, password: str, now: datetime) -> None:
    """Close the account of somebody who proves to own it, for good, and have the rest forgotten.

    From the commit on nobody can sign in, and the address may be registered anew. Joins the
    caller's transaction.

    Raises WrongPassword, and ErasureNotPossible for people who work here.
    """
    person = prove_password(user=user, password=password)
    if person.is_staff:
        raise ErasureNotPossible("You work here: have an administrator close your account.")
    _begin(person, now=now)


def reapply_erasures(*, people: Collection[UUID], now: datetime) -> int:
    """Erase again whom a restored backup has brought back. Safe to repeat.

    Returns how many were there and are erased now; the sweep does what hangs on them.
    """
    found = User.objects.filter(public_id__in=people, erased_at=None)
    for person in found:
        with transaction.atomic():
            _begin(person, now=now)
    return len(found)


def _begin(person: User, *, now: datetime) -> None:
    # Whoever has not shown to read an address has no say over what its guests bought.
    hashes = email_hashes(person.email) if person.email_verified else []
    Erasure.objects.update_or_create(
        user_id=person.pk,
        defaults={
            "person": person.public_id,
            "email_hashes": hashes,
            "asked_at": now,
            "finished_at": None,
        },
    )
    erase_account(user=person, now=now)
    publish(
        topic="order.erasure_requested",
        key=f"user:{person.pk}",
        payload={"v": 1, "user_id": person.pk},
    )


def carry_out_erasure(*, user_id: int, now: datetime) -> bool:
    """Do what is left to do of an erasure, and tell whether it is finished. Safe to repeat.

    Commits by itself, step by step. It counts as finished once a look two minutes after it was
    asked for found nothing more. Raises CartUnavailable; then the sweep comes again.
    """
    erasure = Erasure.objects.filter(user_id=user_id).first()
    if erasure is None or erasure.finished_at is not None:
        return True
    person = User.objects.filter(pk=user_id).first()
    if person is not None:
        erase_account(user=person, now=now)
    forget_subscriptions(customer_id=user_id, email_hashes=erasure.email_hashes)
    forget_author(author=f"customer:{user_id}")
    idempotency.forget(subject=f"user:{user_id}")
    forget_jobs_of(user_id)
    theirs = Q(customer=user_id) | Q(customer=None, email_hash__in=erasure.email_hashes)
    while ids := list(
        Order.objects.filter(theirs, erased_at=None)
        .order_by("pk")
        .values_list("pk", flat=True)[:_BATCH]
    ):
        _erase_orders(ids, now=now)
    clear(owner=CartOwner(customer_id=user_id, token=None))
    if now - erasure.asked_at < _LAST_LOOK:
        return False
    erasure.finished_at = now
    erasure.email_hashes = []
    erasure.save(update_fields=["finished_at", "email_hashes"])
    log.info("person_erased", person=str(erasure.person))
    return True


def sweep_erasures(*, now: datetime) -> int:
    """Go on with erasures that are not finished; return how many are now. Safe to run twice."""
    finished = 0
    waiting = Erasure.objects.filter(finished_at=None).order_by("asked_at")
    for user_id in waiting.values_list("user_id", flat=True)[:100]:
        try:
            finished += carry_out_erasure(user_id=user_id, now=now)
        except Unavailable as refusal:
            log.warning("erasure_waits", user_id=user_id, error=refusal.code)
    return finished


def purge_retained_invoice_data(*, now: datetime) -> int:
    """Delete what was kept for the law, its day having come; return how many. Safe to repeat."""
    deleted, _ = RetainedInvoiceData.objects.filter(keep_until__lte=now.date()).delete()
    return deleted


@retried
@transaction.atomic(durable=True)
def _erase_orders(ids: Collection[int], *, now: datetime) -> None:
    """Take out of these orders who bought them. Amounts, lines, stock and states stay."""
    orders = list(Order.objects.locked().filter(pk__in=ids, erased_at=None))
    RetainedInvoiceData.objects.bulk_create(
        [kept for order in orders if (kept := _retained(order, now=now))], ignore_conflicts=True
    )
    for order in orders:
        order.email = order.email_hash = order.access_token_hash = order.cancel_reason = ""
        order.shipping_address = _emptied(order.shipping_address)
        order.billing_address = _emptied(order.billing_address)
        order.erased_at = now
        order.version += 1
    Order.objects.bulk_update(
        orders,
        [
            "email",
            "email_hash",
            "access_token_hash",
            "cancel_reason",
            "shipping_address",
            "billing_address",
            "erased_at",
            "version",
        ],
    )
    payments = Payment.objects.filter(order__in=orders)
    references = payments.exclude(provider_reference="").values("provider_reference")
    ProviderEvent.objects.filter(
        provider_reference__in=references, handled_at__isnull=False
    ).update(payload={})
    # An attempt that is open is still to be asked about, by its token.
    payments.exclude(status__in=Payment.OPEN).update(token="", next_action_url="", card_last4="")
    Refund.objects.filter(order__in=orders).update(reason="")
    Return.objects.filter(order__in=orders).update(reason="")
    with connection.cursor() as cursor:
        # The trigger that keeps events as they are lets this one change through.
        cursor.execute("SET LOCAL shop.erasing = 'on'")
        OrderEvent.objects.filter(order__in=orders).exclude(detail="").exclude(
            kind__in=_OUR_WORDS
        ).update(detail="")
        cursor.execute("SET LOCAL shop.erasing = 'off'")


def _retained(order: Order, *, now: datetime) -> RetainedInvoiceData | None:
    """Return what the books must be able to say of a sale; None where nothing was sold."""
    keep_until = date(order.placed_at.year + 1 + settings.SHOP_INVOICE_KEEP_YEARS, 1, 1)
    if order.confirmed_at is None or keep_until <= now.date():
        return None
    return RetainedInvoiceData(
        order=order,
        order_number=order.number,
        email=order.email,
        billing_address=order.billing_address,
        shipping_address=order.shipping_address,
        total_minor=order.total_minor,
        currency=order.currency,
        sold_at=order.placed_at,
        keep_until=keep_until,
        created_at=now,
    )


def _emptied(address: dict[str, str] | None) -> dict[str, str] | None:
    """Return the address without anybody in it: its country, which taxes were reckoned by."""
    if address is None:
        return None
    return {**dict.fromkeys(address, ""), "country": address.get("country", "")}
