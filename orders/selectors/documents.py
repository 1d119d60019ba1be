"""Orders as their readers see them. Only the serializers beside the views say more of the shape."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from cart.services import Quote
from catalog.selectors import VariantCard
from orders.models import Order, OrderEvent, OrderLine, Payment, Refund, Return
from shop.money import Money
from shop.privacy import mask_email, postal_document

MoneyDocument = dict[str, str]


class ActionDocument(TypedDict):
    """Something that a reader may do to the order now, or why not."""

    name: str
    allowed: bool
    reason: str | None


class LineDocument(TypedDict):
    id: int
    kind: str
    variant_id: int | None
    sku: str
    title: str
    variant_title: str
    options: dict[str, str]
    image: str | None
    quantity: int
    unit_price: MoneyDocument
    discount: MoneyDocument
    line_total: MoneyDocument
    tax: MoneyDocument
    tax_rate_bps: int


class OrderRow(TypedDict):
    """An order in a list."""

    number: str
    status: str
    payment_status: str
    fulfillment_status: str
    placed_at: datetime
    total: MoneyDocument
    line_count: int
    lines: list[dict[str, object]]


def order_row(order: Order) -> OrderRow:
    """Return the order as a list shows it. Its lines are prefetched."""
    lines = list(order.lines.all())
    return {
        "number": order.number,
        "status": order.status.lower(),
        "payment_status": order.payment_status.lower(),
        "fulfillment_status": order.fulfillment_status.lower(),
        "placed_at": order.placed_at,
        "total": _money(order.total_minor, order.currency),
        "line_count": len(lines),
        "lines": [
            {
                "sku": line.sku,
                "title": line.title,
                "variant_title": line.variant_title,
                "image": line.image or None,
                "quantity": line.quantity,
                "unit_price": _money(line.unit_price_minor, order.currency),
                "line_total": _money(line.total_minor, order.currency),
            }
            for line in lines
        ],
    }


def order_document(
    order: Order,
    *,
    lines: Sequence[OrderLine],
    payments: Sequence[Payment],
    events: Sequence[OrderEvent],
    refunds: Sequence[Refund] = (),
    returns: Sequence[Return] = (),
    is_masked: bool = False,
) -> dict[str, object]:
    """Return the order as its detail shows it. Asks the database nothing.

    The lines of `returns` are prefetched. No full e-mail address, no telephone number.
    """
    currency = order.currency
    is_pending = order.status == Order.Status.PENDING
    return {
        "number": order.number,
        "status": order.status.lower(),
        "payment_status": order.payment_status.lower(),
        "fulfillment_status": order.fulfillment_status.lower(),
        "placed_at": order.placed_at,
        "confirmed_at": order.confirmed_at,
        "cancelled_at": order.cancelled_at,
        "hold_expires_at": order.hold_expires_at if is_pending else None,
        "currency": currency,
        "email_masked": mask_email(order.email) if order.email else None,
        "email_hash": order.email_hash or None,
        "shipping_method": (
            {"code": order.shipping_method, "name": order.shipping_method_name}
            if order.shipping_method
            else None
        ),
        "shipping_address": _address(order.shipping_address, is_masked=is_masked),
        "billing_address": _address(order.billing_address, is_masked=is_masked),
        "line_count": len(lines),
        "lines": [line_document(line, currency) for line in lines],
        "totals": {
            "subtotal": _money(order.subtotal_minor, currency),
            "discount": _money(order.discount_minor, currency),
            "shipping": _money(order.shipping_minor, currency),
            "tax": _money(order.tax_minor, currency),
            "total": _money(order.total_minor, currency),
        },
        "total": _money(order.total_minor, currency),
        "payments": [_payment(payment) for payment in payments],
        "shipments": [],
        "refunds": [
            {
                "id": str(refund.pk),
                "status": refund.status.lower(),
                "amount": _money(refund.amount_minor, refund.currency),
                "reason": refund.reason,
                "created_at": refund.created_at,
            }
            for refund in refunds
        ],
        "returns": [
            {
                "id": given_back.pk,
                "status": given_back.status.lower(),
                "reason": given_back.reason,
                "requested_at": given_back.requested_at,
                "received_at": given_back.received_at,
                "lines": [
                    {"line_id": line.order_line_id, "quantity": line.quantity}
                    for line in given_back.lines.all()
                ],
            }
            for given_back in returns
        ],
        "events": [
            {
                "type": event.kind.lower(),
                "happened_at": event.happened_at,
                "detail": event.detail,
            }
            for event in events
        ],
        "actions": actions_for(order),
    }


def preview_document(
    quote: Quote, cards: Mapping[int, VariantCard], *, quote_token: str, expires_at: datetime
) -> dict[str, object]:
    """Return what a checkout would charge, and how it comes to that."""
    currency = quote.currency
    option = quote.shipping_method
    return {
        "currency": currency,
        "lines": [
            {
                "variant_id": line.variant_id,
                "sku": line.sku,
                "title": cards[line.variant_id].title,
                "variant_title": cards[line.variant_id].variant_title,
                "options": cards[line.variant_id].options,
                "image": cards[line.variant_id].image,
                "quantity": line.quantity,
                "unit_price": _money(line.unit_price_minor, currency),
                "discount": _money(line.discount_minor, currency),
                "line_total": _money(line.total_minor, currency),
                "tax": _money(line.tax_minor, currency),
                "tax_rate_bps": line.tax_rate_bps,
            }
            for line in quote.lines
        ],
        "shipping_method": {"code": option.code, "name": option.name} if option else None,
        "totals": {
            "subtotal": _money(quote.subtotal_minor, currency),
            "discount": _money(quote.discount_minor, currency),
            "shipping": _money(quote.shipping_minor, currency),
            "tax": _money(quote.tax_minor, currency),
            "total": _money(quote.total_minor, currency),
        },
        "total": _money(quote.total_minor, currency),
        "trace": quote.trace,
        "quote_token": quote_token,
        "quote_expires_at": expires_at,
    }


def line_document(line: OrderLine, currency: str) -> LineDocument:
    """Return a line as it was sold."""
    return {
        "id": line.pk,
        "kind": line.kind.lower(),
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "variant_title": line.variant_title,
        "options": line.options,
        "image": line.image or None,
        "quantity": line.quantity,
        "unit_price": _money(line.unit_price_minor, currency),
        "discount": _money(line.discount_minor, currency),
        "line_total": _money(line.total_minor, currency),
        "tax": _money(line.tax_minor, currency),
        "tax_rate_bps": line.tax_rate_bps,
    }


def payment_answer(payment: Payment) -> dict[str, object]:
    """Return what a checkout says of its payment."""
    answer: dict[str, object] = {"status": payment_word(payment)}
    if payment.status == Payment.Status.REQUIRES_ACTION:
        answer["next_action"] = {"type": "redirect", "url": payment.next_action_url}
    return answer


def payment_word(payment: Payment) -> str:
    """Return the payment's status in the words of the API: whether we asked is not its matter."""
    if payment.status in {Payment.Status.NEW, Payment.Status.REQUESTED}:
        return "pending"
    return payment.status.lower()


def actions_for(order: Order) -> list[ActionDocument]:
    """Return what may be done with the order now."""
    reason = why_not_cancellable(order)
    if order.status == Order.Status.CANCELLED:
        reason = "It is cancelled already."
    return [{"name": "cancel", "allowed": reason is None, "reason": reason}]


def why_not_cancellable(order: Order) -> str | None:
    """Return why the order cannot be cancelled any more, or None. A cancelled one may be again."""
    if order.status == Order.Status.COMPLETED:
        return "It is completed."
    if order.fulfillment_status != Order.FulfillmentStatus.UNFULFILLED:
        return "Some of it is on its way already."
    return None


def _payment(payment: Payment) -> dict[str, object]:
    return {
        "id": str(payment.pk),
        "provider": payment.provider,
        "status": payment_word(payment),
        "amount": _money(payment.amount_minor, payment.currency),
        "card": (
            {"brand": payment.card_brand, "last4": payment.card_last4}
            if payment.card_brand
            else None
        ),
        "next_action": (
            {"type": "redirect", "url": payment.next_action_url}
            if payment.status == Payment.Status.REQUIRES_ACTION
            else None
        ),
        "created_at": payment.created_at,
    }


def _address(address: dict[str, str] | None, *, is_masked: bool) -> dict[str, object] | None:
    return None if address is None else postal_document(address, is_masked=is_masked)


def _money(amount_minor: int, currency: str) -> MoneyDocument:
    return Money(amount_minor, currency).as_json()
