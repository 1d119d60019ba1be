"""What a cart will cost, decided from the database, and the token that holds a buyer's quote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core import signing

from cart.errors import CartNotFound
from cart.services import (
    CartOwner,
    CartSnapshot,
    Quote,
    begin_checkout,
    cart_snapshot,
    load_rules,
    price,
)
from catalog.selectors import VariantCard, variants_for_sale
from orders.errors import CartEmpty, NotForSale, PriceChanged, QuoteExpired
from orders.services.drafts import Postal
from shop.money import Money

QUOTE_LASTS = timedelta(minutes=10)

_quotes = signing.Signer(salt="orders.quote")


@dataclass(frozen=True, slots=True)
class Offer:
    """A cart, priced for delivery to somewhere, from the primary and at one moment."""

    cart: CartSnapshot
    cards: Mapping[int, VariantCard]
    quote: Quote

    @property
    def total(self) -> Money:
        return Money(self.quote.total_minor, self.quote.currency)


@dataclass(frozen=True, slots=True)
class Preview:
    """An offer, and the token that binds a checkout to it until `expires_at`."""

    offer: Offer
    quote_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the buyer believes the total to be, as far as they said."""

    total: Money | None = None
    quote_token: str | None = None


def cart_or_none(owner: CartOwner, *, answers_last: timedelta | None = None) -> CartSnapshot | None:
    """Return what is in the cart, or None if there is nothing. Raises CartUnavailable.

    With `answers_last`, it is noted in the cart that a checkout has begun; see `begin_checkout`.
    """
    try:
        if answers_last is None:
            cart = cart_snapshot(owner=owner)
        else:
            cart = begin_checkout(owner=owner, answers_last=answers_last)
    except CartNotFound:
        return None
    return cart if cart.lines else None


def preview(
    *,
    owner: CartOwner,
    address: Postal,
    shipping_method: str,
    expectation: Expectation,
    now: datetime,
) -> Preview:
    """Say what a checkout would charge now, and promise it for ten minutes if nothing changes.

    Writes nothing and holds nothing. Raises CartEmpty, NotForSale, ShippingNotAvailable,
    PriceChanged, QuoteExpired.
    """
    offer = offer_for(
        cart_or_none(owner), address=address, shipping_method=shipping_method, now=now
    )
    require_expected(offer, expectation, now=now)
    expires_at = now.astimezone(UTC).replace(microsecond=0) + QUOTE_LASTS
    return Preview(offer, _token(offer, expires_at=expires_at), expires_at)


def offer_for(
    cart: CartSnapshot | None, *, address: Postal, shipping_method: str, now: datetime
) -> Offer:
    """Price the cart from the primary: five queries, whatever the number of lines.

    Raises CartEmpty, NotForSale, ShippingNotAvailable.
    """
    if cart is None:
        raise CartEmpty("Add something to the cart first.")
    cards = variants_for_sale(
        [line.variant_id for line in cart.lines], currency=cart.currency, now=now
    )
    gone = [line for line in cart.lines if line.variant_id not in cards]
    if gone:
        raise NotForSale(
            "Take these lines out of the cart: they are no longer for sale.",
            lines=[
                {"variant_id": line.variant_id, "requested": line.quantity, "available": 0}
                for line in gone
            ],
        )
    quote = price(
        lines=[(cards[line.variant_id], line.quantity) for line in cart.lines],
        currency=cart.currency,
        country=address.country,
        postal_code=address.postal_code,
        shipping_method=shipping_method,
        now=now,
        rules=load_rules(fresh=True),
    )
    return Offer(cart=cart, cards=cards, quote=quote)


def require_expected(offer: Offer, expectation: Expectation, *, now: datetime) -> None:
    """Raise PriceChanged if the offer is not what the buyer expects, QuoteExpired if their quote
    is not good any more.
    """
    if expectation.total is not None and expectation.total != offer.total:
        raise _price_changed(expectation.total, offer)
    if expectation.quote_token is None:
        return
    quoted = _read(expectation.quote_token, now=now)
    if quoted != _bound_to(offer):
        raise _price_changed(Money(quoted.total_minor, quoted.currency), offer)


@dataclass(frozen=True, slots=True)
class _Bound:
    cart_id: str
    version: int
    total_minor: int
    currency: str


def _bound_to(offer: Offer) -> _Bound:
    return _Bound(
        cart_id=offer.cart.cart_id,
        version=offer.cart.version,
        total_minor=offer.quote.total_minor,
        currency=offer.quote.currency,
    )


def _token(offer: Offer, *, expires_at: datetime) -> str:
    bound = _bound_to(offer)
    return _quotes.sign_object(
        {
            "c": bound.cart_id,
            "v": bound.version,
            "t": bound.total_minor,
            "m": bound.currency,
            "u": int(expires_at.timestamp()),
        }
    )


def _read(token: str, *, now: datetime) -> _Bound:
    try:
        said = _quotes.unsign_object(token)
        bound = _Bound(str(said["c"]), int(said["v"]), int(said["t"]), str(said["m"]))
        until = int(said["u"])
    except (signing.BadSignature, ValueError, KeyError, TypeError):
        raise QuoteExpired("This is no quote of ours. Ask for a new one.") from None
    if until < now.timestamp():
        raise QuoteExpired("It is older than ten minutes. Ask for a new one.")
    return bound


def _price_changed(expected: Money, offer: Offer) -> PriceChanged:
    return PriceChanged(
        "Look at the new total, and order again if it suits you.",
        expected=expected.as_json(),
        actual=offer.total.as_json(),
    )
