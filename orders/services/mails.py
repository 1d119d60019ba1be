"""Mails about orders. The buyer sees their own order in full; nobody else is written to."""

from datetime import datetime

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from orders.models import Channel, Order, OrderLine
from orders.selectors.access import link_token
from shop.money import Money
from shop.outbox.services import first_time, publish
from shop.privacy import email_hashes

log = structlog.get_logger("orders.mails")

_ADDRESS_LINES = ("name", "company", "line1", "line2", "city", "region", "postal_code", "country")


@transaction.atomic
def send_confirmation(*, message_id: str, order_id: int, now: datetime) -> None:
    """Mail the buyer what they bought, once a message.

    In one transaction with the note that it was done: a mail that cannot be handed over counts as
    unsent and is tried again, so in a rare case it may come twice.
    """
    order = _order_to_tell_of("orders.send_confirmation", message_id, order_id)
    if order is not None:
        _send(order, "confirmation", now=now)


@transaction.atomic
def send_cancellation(*, message_id: str, order_id: int, now: datetime) -> None:
    """Mail the buyer that the order has ended, once a message."""
    order = _order_to_tell_of("orders.send_cancellation", message_id, order_id)
    if order is not None:
        _send(order, "cancellation", now=now)


@transaction.atomic
def send_order_link(*, message_id: str, order_id: int | None, now: datetime) -> None:
    """Mail the buyer a fresh link to the order, once a message; nothing without an order."""
    if order_id is None:
        return
    order = _order_to_tell_of("orders.send_order_link", message_id, order_id)
    if order is not None:
        _send(order, "link", now=now)


@transaction.atomic
def request_order_link(*, number: str, email: str) -> None:
    """Have a fresh link mailed to the buyer of the order, if that is their address.

    Does the same work for a right and a wrong guess, and tells nobody which it was. Joins the
    caller's transaction.
    """
    order = Order.objects.filter(number=number.upper(), email_hash__in=email_hashes(email)).first()
    publish(
        topic="order.link_requested",
        key=f"order:{order.pk}" if order else "order:unknown",
        payload={"v": 1, "order_id": order.pk if order else None},
    )


def _order_to_tell_of(consumer: str, message_id: str, order_id: int) -> Order | None:
    if not first_time(consumer, message_id):
        return None
    order = Order.objects.filter(pk=order_id).first()
    if order is None or not order.email or order.channel == Channel.HISTORY:
        return None
    return order


def _send(order: Order, name: str, *, now: datetime) -> None:
    facts = {
        "shop_url": settings.SHOP_PUBLIC_URL,
        "order": order,
        "lines": [_line(line, order.currency) for line in order.lines.order_by("position")],
        "subtotal": Money(order.subtotal_minor, order.currency),
        "discount": Money(order.discount_minor, order.currency) if order.discount_minor else None,
        "shipping": Money(order.shipping_minor, order.currency),
        "tax": Money(order.tax_minor, order.currency),
        "total": Money(order.total_minor, order.currency),
        "address": _address(order.shipping_address),
        "is_paid_back": order.payment_status
        in {Order.PaymentStatus.PAID, Order.PaymentStatus.REFUNDED},
        # Behind the `#`, which browsers keep to themselves: no server writes it to its log.
        "link": (
            f"{settings.SHOP_PUBLIC_URL}/orders/{order.number}#token={link_token(order, now=now)}"
        ),
    }
    mail = EmailMultiAlternatives(
        subject=render_to_string(f"orders/mail/{name}_subject.txt", facts).strip(),
        body=render_to_string(f"orders/mail/{name}.txt", facts),
        to=[order.email],
    )
    mail.attach_alternative(render_to_string(f"orders/mail/{name}.html", facts), "text/html")
    mail.send()
    log.info("mail_sent", mail=name, order=order.number)


def _line(line: OrderLine, currency: str) -> dict[str, object]:
    title = f"{line.title}, {line.variant_title}" if line.variant_title else line.title
    return {
        "title": title,
        "sku": line.sku,
        "quantity": line.quantity,
        "unit_price": Money(line.unit_price_minor, currency),
        "total": Money(line.total_minor, currency),
    }


def _address(address: dict[str, str] | None) -> list[str]:
    return [address[part] for part in _ADDRESS_LINES if address.get(part)] if address else []
