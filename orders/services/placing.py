"""The first step of a checkout: an order that holds its stock and waits for its money."""

import secrets
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Protocol

from inventory.services import StockLine, reserve_stock
from orders.models import Channel, LineKind, Order, OrderEvent, OrderLine, Payment
from orders.selectors.access import access_token, token_hash
from orders.services.drafts import DraftLine, OrderDraft, PlacedOrder, Postal
from shop.db.inserting import insert_with
from shop.db.joining import joining
from shop.faults import fault
from shop.privacy import email_hash, keyed_digest

# How long the request that placed an order has to pay for it before the sweeper takes over.
HEAD_START = timedelta(seconds=30)

_OF_ADDRESS = tuple(field.name for field in fields(Postal))
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_number() -> str:
    """Return an order number that nobody can guess: 50 random bits."""
    return "".join(secrets.choice(_CROCKFORD) for _ in range(10))


class Sold(Protocol):
    """What has a part in a document of a sale: an order's line, or a credit note's."""

    @property
    def kind(self) -> str: ...
    @property
    def variant_id(self) -> int | None: ...
    @property
    def quantity(self) -> int: ...


@joining
def place_order(
    *,
    draft: OrderDraft,
    provider: str,
    token: str,
    now: datetime,
    expires_at: datetime,
    payment_id: uuid.UUID | None = None,
    idempotency_claim: int | None = None,
    is_swept: bool = True,
    is_asked_next: bool = False,
) -> PlacedOrder:
    """Place a priced order: pending, its stock held until `expires_at`, its payment not asked yet.

    Joins the caller's transaction, in which it should come last: the stock's rows are locked from
    here on. A refusal has written the order already, so that transaction is to be rolled back. An
    `external_ref` that is known returns that order, whatever the draft says now. The same number
    of queries for any number of lines. With `is_swept` a sweeper pays and settles if nobody else
    has, half a minute after `now`. With `is_asked_next` the payment is REQUESTED from the start:
    the caller asks the provider as soon as it has committed, and need not say so again.

    Raises OutOfStock, PurchaseLimitExceeded, and IntegrityError of `order_once_per_cart_version`
    for a cart version that has an order already.
    """
    if draft.external_ref is not None and (earlier := _placed_before(draft.external_ref)):
        return earlier
    order = _order(draft, now=now, expires_at=expires_at)
    lines = [_line(order, position, line) for position, line in enumerate(draft.lines, start=1)]
    payment = Payment(
        id=payment_id or uuid.uuid4(),
        order=order,
        provider=provider,
        token=token,
        amount_minor=order.total_minor,
        currency=order.currency,
        status=Payment.Status.REQUESTED if is_asked_next else Payment.Status.NEW,
        attempts=1 if is_asked_next else 0,
        requested_at=now if is_asked_next else None,
        idempotency_claim=idempotency_claim,
        next_attempt_at=now + HEAD_START if is_swept else None,
        created_at=now,
    )
    placed = OrderEvent(order=order, kind=OrderEvent.Kind.PLACED, happened_at=now)
    insert_with(order, [*lines, payment, placed])
    fault("checkout.before_stock")
    if stock := stock_lines(lines):
        reserve_stock(
            lines=stock,
            reference=order.stock_reference,
            expires_at=expires_at,
            now=now,
            country=draft.country,
            buyer=buyer_of(order),
        )
    return PlacedOrder(order=order, lines=lines, payment=payment, events=[placed], is_new=True)


def buyer_of(order: Order) -> str:
    """Return whom the order's units count for, as limits on buyers see it.

    A customer and the guest of the same address are one. Nobody, for what was sold before the shop.
    """
    if order.channel == Channel.HISTORY:
        return ""
    return buyer_key(email_hash=order.email_hash, customer_id=order.customer_id)


def buyer_key(*, email_hash: str, customer_id: int | None) -> str:
    """Return what tells this buyer from others, and tells nothing else about them."""
    who = email_hash or (f"customer:{customer_id}" if customer_id is not None else "")
    return keyed_digest("orders.buyer", who.encode()) if who else ""


def stock_lines(lines: Iterable[Sold]) -> list[StockLine]:
    """Return the units that these lines take from the shelf, one line for each variant."""
    units: Counter[int] = Counter()
    for line in lines:
        if line.kind == LineKind.GOODS and line.variant_id is not None:
            units[line.variant_id] += line.quantity
    return [StockLine(variant_id, quantity) for variant_id, quantity in units.items()]


def _placed_before(external_ref: str) -> PlacedOrder | None:
    known = Order.objects.filter(external_ref=external_ref)
    # Hardly ever: to ask whether there is one costs a third of asking for it.
    if not known.exists():
        return None
    order = known.get()
    return PlacedOrder(
        order=order,
        lines=list(order.lines.order_by("position")),
        payment=order.payments.order_by("-created_at")[0],
        events=list(order.events.order_by("id")),
        is_new=False,
    )


def _order(draft: OrderDraft, *, now: datetime, expires_at: datetime) -> Order:
    number = new_number()
    is_guest = draft.customer is None
    email = draft.email
    if draft.customer is not None and draft.customer.is_reachable:
        email = draft.customer.email
    return Order(
        number=number,
        external_ref=draft.external_ref,
        channel=draft.channel,
        customer=draft.customer,
        email=email,
        email_hash=email_hash(email) if email else "",
        access_token_hash=token_hash(access_token(number)) if is_guest and email else "",
        currency=draft.currency,
        subtotal_minor=draft.subtotal_minor,
        discount_minor=draft.discount_minor,
        shipping_minor=draft.shipping_minor,
        shipping_tax_rate_bps=draft.shipping_tax_rate_bps,
        shipping_tax_minor=draft.shipping_tax_minor,
        tax_minor=draft.tax_minor,
        total_minor=draft.total_minor,
        shipping_method=draft.shipping_method,
        shipping_method_name=draft.shipping_method_name,
        country=draft.country,
        shipping_address=_frozen(draft.shipping_address),
        billing_address=_frozen(draft.billing_address or draft.shipping_address),
        cart_id=draft.cart_id,
        cart_version=draft.cart_version,
        placed_at=now,
        hold_expires_at=expires_at,
    )


def _frozen(address: Postal | None) -> dict[str, str] | None:
    # All of its fields are text. `asdict` looks into each for more fields, and takes a while.
    return {name: getattr(address, name) for name in _OF_ADDRESS} if address else None


def _line(order: Order, position: int, line: DraftLine) -> OrderLine:
    return OrderLine(
        order=order,
        position=position,
        kind=line.kind,
        variant_id=line.variant_id,
        sku=line.sku,
        title=line.title,
        variant_title=line.variant_title,
        options=line.options,
        image=line.image,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        total_minor=line.total_minor,
        tax_class=line.tax_class,
        tax_rate_bps=line.tax_rate_bps,
        tax_minor=line.tax_minor,
        is_free=line.is_free,
    )
