"""Every way in which a cart changes, and what a shopper is shown of it.

A cart holds variants and units, no prices: they are looked up each time it is shown.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings

from cart import store
from cart.errors import (
    CartFull,
    CartNotFound,
    CartUnavailable,
    CurrencyFixed,
    QuantityLimit,
    VoucherNotApplicable,
)
from cart.services.pricing import Quote, ShippingOption, price, shipping_options
from cart.store import Edited, Outcome, StoredCart, Trial
from catalog.errors import VariantNotFound
from catalog.selectors import VariantCard, variant_cards
from inventory.errors import OutOfStock
from inventory.selectors import available_units, sale_board
from shop.errors import VersionMismatch

LARGEST_ID = 2**63 - 1  # of a bigint: the database cannot even be asked about more

log = structlog.get_logger("cart.carts")


@dataclass(frozen=True, slots=True)
class CartOwner:
    """Whose cart: a customer's by id, else a guest's by token; neither yet, before the first write.

    A customer's token counts for nothing: their cart is their own.
    """

    customer_id: int | None
    token: str | None


@dataclass(frozen=True, slots=True)
class CartLine:
    """So many units of a variant."""

    variant_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class CartSnapshot:
    """What the cart held at one moment. No two contents of one cart ever share a version."""

    cart_id: str
    version: int
    currency: str
    lines: tuple[CartLine, ...]
    tried_until: int = field(default=0, compare=False)  # see `has_been_tried`
    trial: Trial | None = field(default=None, compare=False)  # to be taken back

    def has_been_tried(self, *, now: datetime) -> bool:
        """Tell whether there may be an answer to some checkout of the cart's owner.

        Who would lose this knowledge loses the cart with it, as they are one.
        """
        return self.tried_until >= int(now.timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line that can be sold, as it is priced now."""

    card: VariantCard
    quantity: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a line that the shopper should know."""

    code: str
    variant_id: int
    detail: str


@dataclass(frozen=True, slots=True)
class ShownCart:
    """A cart as its owner sees it. Variants that are not for sale are in `notices` only."""

    token: str | None
    version: int
    currency: str
    lines: tuple[ShownLine, ...]
    quote: Quote
    notices: tuple[Notice, ...]
    expires_at: datetime | None


def cart_snapshot(*, owner: CartOwner) -> CartSnapshot:
    """Return what is in the cart, renewing its seven days. No cart yet is an empty one, version 0.

    Raises CartNotFound for a token that no cart goes by, and CartUnavailable.
    """
    return _snapshot(_read(owner))


def glimpse_of_cart(*, owner: CartOwner) -> CartSnapshot:
    """Do as `cart_snapshot` does, but leave the cart's seven days as they are. Costs less."""
    return _snapshot(_stored(owner, read=store.look_at))


def begin_checkout(*, owner: CartOwner, answers_last: timedelta) -> CartSnapshot:
    """Do as `cart_snapshot` does, and note in the cart that a checkout has begun.

    For as long as `answers_last`, or until `forget_checkout`, the cart `has_been_tried`. One trip.
    Raises CartNotFound and CartUnavailable.
    """
    cart_id = _cart_id(owner)
    if cart_id is None:
        return _snapshot(_no_cart(""))
    noted = store.note_trial(cart_id, seconds=int(answers_last.total_seconds()))
    if noted is None:
        if owner.customer_id is None:
            raise CartNotFound("Begin a new one by adding something.")
        return _snapshot(_no_cart(cart_id))
    cart, trial = noted
    return replace(_snapshot(cart), trial=trial)


def forget_checkout(*, cart: CartSnapshot) -> None:
    """Take back what `begin_checkout` noted: nothing is left of that checkout. Safe to repeat.

    A store that is away is no reason to fail: the cart is then as if there were something.
    """
    if cart.trial is None:
        return
    try:
        store.forget_trial(cart.cart_id, cart.trial)
    except CartUnavailable:
        log.warning("trial_not_forgotten")


def empty_cart(*, owner: CartOwner, version: int) -> bool:
    """Empty the cart if it still has this version; False if it was changed meanwhile, and stays.

    Safe to repeat. Raises CartNotFound for a malformed token, and CartUnavailable.
    """
    cart_id = _cart_id(owner)
    return cart_id is not None and store.empty(cart_id, version=version)


def empty_cart_by_id(*, cart_id: str, version: int) -> bool:
    """Do as `empty_cart` does, by a snapshot's `cart_id`: for what runs without the owner.

    Safe to repeat. Raises CartUnavailable.
    """
    return bool(cart_id) and store.empty(cart_id, version=version)


def show_cart(*, owner: CartOwner, now: datetime) -> ShownCart:
    """Return the cart, priced, renewing its seven days. No cart yet is an empty one, not stored.

    Raises CartNotFound for a token that no cart goes by, and CartUnavailable.
    """
    return _shown(_read(owner), token=_token_of(owner), now=now)


def add_item(
    *,
    owner: CartOwner,
    variant_id: int,
    quantity: int,
    now: datetime,
    currency: str | None = None,
    expected: frozenset[int] | None = None,
    operation: str | None = None,
) -> ShownCart:
    """Add units of a variant. A guest without a token gets a new cart, and its token.

    `currency` may be chosen while the cart is empty. `expected` are the versions to change, None
    for any. Repeated with the same `operation`, it adds once.

    Raises VariantNotFound, OutOfStock (by a hint: only the checkout decides), QuantityLimit,
    CartFull, CurrencyFixed, VersionMismatch, CartNotFound and CartUnavailable; the cart is then as
    it was.
    """
    return _put(
        "add",
        owner=owner,
        variant_id=variant_id,
        quantity=quantity,
        now=now,
        currency=currency,
        expected=expected,
        operation=operation,
    )


def set_item(
    *,
    owner: CartOwner,
    variant_id: int,
    quantity: int,
    now: datetime,
    expected: frozenset[int] | None = None,
) -> ShownCart:
    """Have exactly so many units of a variant in the cart; none removes it.

    Safe to repeat. Raises what `add_item` raises, with the cart as it was.
    """
    if quantity == 0:
        return remove_item(owner=owner, variant_id=variant_id, now=now, expected=expected)
    return _put(
        "set",
        owner=owner,
        variant_id=variant_id,
        quantity=quantity,
        now=now,
        currency=None,
        expected=expected,
        operation=None,
    )


def remove_item(
    *,
    owner: CartOwner,
    variant_id: int,
    now: datetime,
    expected: frozenset[int] | None = None,
) -> ShownCart:
    """Have none of a variant in the cart, known or not. Safe to repeat.

    Raises VersionMismatch, CartNotFound and CartUnavailable.
    """
    cart = _take_out("remove", owner=owner, variant_id=variant_id, expected=expected)
    return _shown(cart, token=_token_of(owner), now=now)


def clear(*, owner: CartOwner, expected: frozenset[int] | None = None) -> None:
    """Take everything out. The token stays good. Safe to repeat.

    Raises VersionMismatch, CartNotFound and CartUnavailable.
    """
    _take_out("clear", owner=owner, variant_id=0, expected=expected)


def merge(
    *,
    customer_id: int,
    token: str,
    now: datetime,
    expected: frozenset[int] | None = None,
) -> ShownCart:
    """Move a guest's cart into the customer's: quantities add up, and what does not fit is told.

    The guest's cart is gone afterwards. Safe to repeat, also after being killed half-way: units are
    added once, and the same notices come again. Two carts in different currencies become one in the
    customer's currency.

    Raises CartNotFound, VersionMismatch (by the customer's cart) and CartUnavailable.
    """
    owner = CartOwner(customer_id=customer_id, token=token)
    if not store.is_token(token):
        raise CartNotFound("Begin a new one by adding something.")
    merged = store.merge(
        store.guest_cart_id(token), store.customer_cart_id(customer_id), expected=expected
    )
    _refuse(merged.outcome)
    losses = tuple(
        Notice(
            code="quantity_capped" if loss.kept else "line_dropped",
            variant_id=loss.variant_id,
            detail=(
                f"{loss.kept} of {loss.wanted} units were kept: that is the most of one variant."
                if loss.kept
                else f"All {loss.wanted} units were left out: there is no room for a line."
            ),
        )
        for loss in merged.losses
    )
    return _shown(merged.cart, token=_token_of(owner), now=now, first_notices=losses)


def apply_voucher(*, owner: CartOwner, code: str, now: datetime) -> ShownCart:
    """Refuse the voucher: this shop has issued none yet.

    Raises VoucherNotApplicable, CartNotFound and CartUnavailable.
    """
    _read(owner)
    raise VoucherNotApplicable("This shop has issued no such voucher.", reason="unknown")


def remove_voucher(*, owner: CartOwner, code: str, now: datetime) -> ShownCart:
    """Return the cart without this voucher, which it never had. Safe to repeat."""
    return show_cart(owner=owner, now=now)


def cart_shipping_options(
    *, owner: CartOwner, country: str, postal_code: str, now: datetime
) -> list[ShippingOption]:
    """Return the ways to ship what is in the cart, cheapest first.

    Raises CartNotFound and CartUnavailable.
    """
    shown = show_cart(owner=owner, now=now)
    return shipping_options(
        country=country,
        postal_code=postal_code,
        currency=shown.currency,
        subtotal_minor=shown.quote.subtotal_minor - shown.quote.discount_minor,
        weight_grams=shown.quote.weight_grams,
    )


def _put(
    action: str,
    *,
    owner: CartOwner,
    variant_id: int,
    quantity: int,
    now: datetime,
    currency: str | None,
    expected: frozenset[int] | None,
    operation: str | None,
) -> ShownCart:
    if variant_id > LARGEST_ID:
        raise _unknown_variant()
    cart_id, token = _cart_id(owner), _token_of(owner)
    is_new_guest = cart_id is None
    if cart_id is None:
        token = store.new_token()
        cart_id = store.guest_cart_id(token)

    available = max(available_units([variant_id]).get(variant_id, 0), 0)
    edited = store.edit(
        cart_id,
        action=action,
        operation=_operation_id(operation),
        must_exist=owner.customer_id is None and not is_new_guest,
        expected=expected,
        variant_id=variant_id,
        quantity=quantity,
        available=available,
        currency=currency,
        default_currency=settings.SHOP_CURRENCY,
    )
    if edited.outcome == Outcome.SHORT:
        wanted_currency = currency or _currency_of(edited.cart)
        card = variant_cards([variant_id], currency=wanted_currency).get(variant_id)
        if card is None:
            raise _unknown_variant()
        raise OutOfStock(
            f"{card.sku}: {edited.wanted} wanted, {available} available.",
            lines=[
                {
                    "variant_id": variant_id,
                    "sku": card.sku,
                    "requested": edited.wanted,
                    "available": available,
                }
            ],
        )
    _refuse(edited.outcome, variant_id=variant_id, wanted=edited.wanted)

    # The cards of all lines are read once, after the edit: a trip less in every edit, for one more
    # in the rare one that turns out to add what is in stock and not for sale.
    shown = _shown(edited.cart, token=token, now=now, units={variant_id: available})
    if _is_missing(variant_id, edited, shown):
        store.undo(cart_id, edited.undo)
        raise _unknown_variant()
    return shown


def _is_missing(variant_id: int, edited: Edited, shown: ShownCart) -> bool:
    return any(line.variant_id == variant_id for line in edited.cart.lines) and not any(
        line.card.variant_id == variant_id for line in shown.lines
    )


def _take_out(
    action: str, *, owner: CartOwner, variant_id: int, expected: frozenset[int] | None
) -> StoredCart:
    cart_id = _cart_id(owner)
    if cart_id is None:
        if expected is not None and 0 not in expected:
            raise VersionMismatch("There is no cart yet.")
        return _no_cart("")
    edited = store.edit(
        cart_id,
        action=action,
        operation=_operation_id(None),
        must_exist=owner.customer_id is None,
        expected=expected,
        variant_id=variant_id,
    )
    _refuse(edited.outcome)
    return edited.cart


def _refuse(outcome: Outcome, *, variant_id: int = 0, wanted: int = 0) -> None:
    """Raise what the outcome of an edit means; nothing if it was done."""
    match outcome:
        case Outcome.ABSENT:
            raise CartNotFound("Begin a new one by adding something.")
        case Outcome.STALE:
            raise VersionMismatch("The cart has changed since you read it: read it again.")
        case Outcome.CURRENCY:
            raise CurrencyFixed("Empty the cart before changing its currency.")
        case Outcome.LIMIT:
            raise QuantityLimit(
                f"A cart takes at most {store.MAX_QUANTITY} units of one variant.",
                variant_id=variant_id,
                wanted=wanted,
                limit=store.MAX_QUANTITY,
            )
        case Outcome.FULL:
            raise CartFull(f"A cart takes at most {store.MAX_LINES} lines.", limit=store.MAX_LINES)
        case Outcome.DONE | Outcome.SHORT:
            return


def _unknown_variant() -> VariantNotFound:
    return VariantNotFound("It is unknown or not for sale.")


def _read(owner: CartOwner) -> StoredCart:
    return _stored(owner, read=store.read)


def _stored(owner: CartOwner, *, read: Callable[[str], StoredCart | None]) -> StoredCart:
    cart_id = _cart_id(owner)
    if cart_id is None:
        return _no_cart("")
    cart = read(cart_id)
    if cart is None and owner.customer_id is None:
        raise CartNotFound("Begin a new one by adding something.")
    return cart or _no_cart(cart_id)


def _shown(
    cart: StoredCart,
    *,
    token: str | None,
    now: datetime,
    units: Mapping[int, int] | None = None,
    first_notices: tuple[Notice, ...] = (),
) -> ShownCart:
    """Price a cart. `units` are available units that the caller has asked for already."""
    currency = _currency_of(cart)
    cards = (
        variant_cards([line.variant_id for line in cart.lines], currency=currency)
        if cart.lines
        else {}
    )
    sold = [
        (cards[line.variant_id], line.quantity) for line in cart.lines if line.variant_id in cards
    ]
    quote = price(
        lines=sold,
        currency=currency,
        country=None,
        postal_code="",
        shipping_method=None,
        now=now,
    )
    gone = tuple(
        Notice("variant_unavailable", line.variant_id, "It is no longer for sale: remove it.")
        for line in cart.lines
        if line.variant_id not in cards
    )
    return ShownCart(
        token=token,
        version=cart.version,
        currency=currency,
        lines=tuple(
            ShownLine(card, quantity, line.total_minor)
            for (card, quantity), line in zip(sold, quote.lines, strict=True)
        ),
        quote=quote,
        notices=first_notices
        + gone
        + _shortages(sold, units or {})
        + _beyond_limits(sold, now=now),
        expires_at=datetime.fromtimestamp(cart.expires_at, UTC) if cart.expires_at else None,
    )


def _shortages(sold: list[tuple[VariantCard, int]], units: Mapping[int, int]) -> tuple[Notice, ...]:
    # A card counts to ten. Only where that does not settle it are the units asked for.
    doubtful = [
        (card, quantity) for card, quantity in sold if quantity > card.availability_quantity
    ]
    unasked = [card.variant_id for card, _ in doubtful if card.variant_id not in units]
    known = {**units, **available_units(unasked)} if unasked else units
    return tuple(
        Notice("insufficient_stock", card.variant_id, f"Only {left} available.")
        for card, quantity in doubtful
        if quantity > (left := known.get(card.variant_id, 0))
    )


def _beyond_limits(sold: list[tuple[VariantCard, int]], *, now: datetime) -> tuple[Notice, ...]:
    """Tell of lines that no buyer may have; what this one has already only checkout knows."""
    if not sold:
        return ()
    board = sale_board()
    return tuple(
        Notice("purchase_limit", card.variant_id, f"At most {most} for each customer.")
        for card, quantity in sold
        if (most := board.most_of(card.variant_id, now=now)) is not None and quantity > most
    )


def _cart_id(owner: CartOwner) -> str | None:
    """Return the id of the owner's cart, None before a guest's first write."""
    if owner.customer_id is not None:
        return store.customer_cart_id(owner.customer_id)
    if owner.token is None:
        return None
    if not store.is_token(owner.token):
        raise CartNotFound("Begin a new one by adding something.")
    return store.guest_cart_id(owner.token)


def _token_of(owner: CartOwner) -> str | None:
    return owner.token if owner.customer_id is None else None


def _snapshot(cart: StoredCart) -> CartSnapshot:
    return CartSnapshot(
        cart_id=cart.cart_id,
        version=cart.version,
        currency=_currency_of(cart),
        lines=tuple(CartLine(line.variant_id, line.quantity) for line in cart.lines),
        tried_until=cart.tried_until,
    )


def _no_cart(cart_id: str) -> StoredCart:
    return StoredCart(cart_id=cart_id, version=0, currency=None, lines=(), expires_at=None)


def _currency_of(cart: StoredCart) -> str:
    if cart.currency is not None and cart.currency in settings.SHOP_CURRENCIES:
        return cart.currency
    default: str = settings.SHOP_CURRENCY
    return default


def _operation_id(operation: str | None) -> str:
    """Return what the cart remembers of an operation.

    One that nobody named gets a name too: the Redis client sends a script again after a timeout.
    """
    if operation is None:
        return secrets.token_hex(8)
    return hashlib.sha256(operation.encode()).hexdigest()[:16]
