"""Telling those who asked for it that a variant is available again."""

from collections.abc import Collection, Mapping
from datetime import datetime

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.db.models import Q
from django.template.loader import render_to_string

from accounts.models import User
from inventory.models import Reservation, StockSubscription
from shop.outbox.services import publish
from shop.privacy import email_hash, normal_email

# A message names no more subscriptions than this.
_MESSAGE_SIZE = 100

_SUBSCRIBE = """
INSERT INTO inventory_stocksubscription
    (variant_id, customer_id, email, email_hash, created_at, told_at)
SELECT v.id, %s, %s, %s, %s, NULL FROM catalog_variant v WHERE v.id = %s
ON CONFLICT DO NOTHING
"""

_CLAIM = """
UPDATE inventory_stocksubscription SET told_at = %s
WHERE variant_id = ANY(%s::bigint[]) AND told_at IS NULL
RETURNING id
"""

log = structlog.get_logger("inventory.subscriptions")


@transaction.atomic
def subscribe_to_stock(
    *, variant_id: int, customer: User | None, email: str, now: datetime
) -> None:
    """Have the customer, or the guest of that `email`, told once when the variant is available.

    Tells nobody whether they were waiting before, or whether there is such a variant. Safe to
    repeat. Joins the caller's transaction.
    """
    address = "" if customer is not None else normal_email(email)
    with connection.cursor() as cursor:
        cursor.execute(
            _SUBSCRIBE,
            [
                customer.pk if customer is not None else None,
                address,
                customer.email_hash if customer is not None else email_hash(address),
                now,
                variant_id,
            ],
        )


def forget_subscriptions(*, customer_id: int, email_hashes: Collection[str]) -> None:
    """Have nobody told who is this customer, or a guest of these addresses. Safe to repeat."""
    StockSubscription.objects.filter(
        Q(customer_id=customer_id) | Q(customer=None, email_hash__in=email_hashes)
    ).delete()


def announce_back_in_stock(*, variant_ids: Collection[int], now: datetime) -> None:
    """Have everybody who waits for these variants told. Joins the caller's transaction.

    Each is claimed, so of two that announce at once only one has the mail sent.
    """
    if not variant_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [now, list(variant_ids)])
        told = sorted(subscription_id for (subscription_id,) in cursor.fetchall())
    for start in range(0, len(told), _MESSAGE_SIZE):
        part = told[start : start + _MESSAGE_SIZE]
        publish(
            topic="inventory.back_in_stock",
            key=f"subscription:{part[0]}",
            payload={"subscription_ids": part, "v": 1},
        )


def send_back_in_stock(*, subscription_ids: Collection[int]) -> None:
    """Mail those who asked for it, each once, and forget their addresses. Safe to repeat."""
    for subscription_id in subscription_ids:
        _send(subscription_id)


@transaction.atomic
def _send(subscription_id: int) -> None:
    # Sent and forgotten in one transaction: a mail that is not taken counts as unsent.
    asked = (
        StockSubscription.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("variant__product", "customer")
        .filter(pk=subscription_id)
        .first()
    )
    if asked is None:
        return
    address = asked.email
    if asked.customer is not None:
        address = asked.customer.email if asked.customer.is_reachable else ""
    if address:
        product = asked.variant.product
        facts = {
            "shop_url": settings.SHOP_PUBLIC_URL,
            "title": product.title,
            "variant_title": asked.variant.title,
            "link": f"{settings.SHOP_PUBLIC_URL}/products/{product.slug}",
        }
        mail = EmailMultiAlternatives(
            subject=render_to_string("inventory/mail/back_in_stock_subject.txt", facts).strip(),
            body=render_to_string("inventory/mail/back_in_stock.txt", facts),
            to=[address],
        )
        mail.attach_alternative(
            render_to_string("inventory/mail/back_in_stock.html", facts), "text/html"
        )
        mail.send()
        log.info("mail_sent", mail="back_in_stock", subscription=subscription_id)
    asked.delete()


@transaction.atomic
def rehash_subscriptions(*, after: int, size: int) -> tuple[int, int] | None:
    """Write the hashes of the next `size` subscriptions anew, after their customers' own.

    Returns the last id and how many changed; None, when there are no more. Safe to repeat. Who
    subscribed again under the newest key keeps one of the two.
    """
    waiting = list(
        StockSubscription.objects.select_for_update(of=("self",))
        .select_related("customer")
        .filter(pk__gt=after)
        .order_by("pk")[:size]
    )
    if not waiting:
        return None
    changed = 0
    for asked in waiting:
        new = asked.customer.email_hash if asked.customer else email_hash(asked.email)
        if new == asked.email_hash:
            continue
        changed += 1
        twin = StockSubscription.objects.filter(variant=asked.variant_id, email_hash=new)
        if asked.told_at is None and twin.filter(told_at=None).exists():
            asked.delete()
        else:
            asked.email_hash = new
            asked.save(update_fields=["email_hash"])
    return waiting[-1].pk, changed


def rename_buyers(names: Mapping[str, str]) -> None:
    """Have what counts for one name of a buyer count for the new one. Joins the transaction."""
    for old, new in sorted(names.items()):
        Reservation.objects.filter(buyer=old).update(buyer=new)
