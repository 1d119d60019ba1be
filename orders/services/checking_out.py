"""Checkout: prepare, pay, settle. Any of the three may be killed, and any may be repeated.

1. Prepare, one transaction: the key is claimed, prices and tax are read, order, lines and payment
   attempt (as one that is about to be asked for) are written, and last the stock is held.
2. Pay, outside of any transaction, with the attempt's id as the provider's idempotency key.
3. Settle, one transaction, by what the sweeper shares; the answer is stored in it.

Whatever is left in between, a retry with the same key or the sweeper takes up where it stopped.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q

from accounts.models import User
from cart.errors import CartUnavailable
from cart.services import (
    CartOwner,
    CartSnapshot,
    empty_cart_by_id,
    forget_checkout,
    glimpse_of_cart,
)
from inventory.errors import OutOfStock
from inventory.services import (
    Admission,
    StockLine,
    enter_sales,
    leave_sales,
    may_know_shortages,
    refuse_known_shortage,
    refuse_short_lines,
)
from orders.errors import (
    CartAlreadyOrdered,
    OrderEnded,
    PaymentProviderUnknown,
    PaymentTokenUnknown,
    PaymentUnavailable,
)
from orders.models import Order, Payment
from orders.providers import provider_of, providers_for_buyers
from orders.providers.base import Outcome, PaymentResult, ProviderError, ProviderTimeout
from orders.services.answers import checkout_answer, ticket_answer
from orders.services.cancelling import void_payment
from orders.services.drafts import DraftLine, OrderDraft, PlacedOrder, Postal
from orders.services.paying import (
    Settlement,
    give_up_payment,
    pay,
    request_of,
    settle_at_once,
    settle_payment,
)
from orders.services.placing import buyer_key, place_order
from orders.services.quoting import Expectation, Offer, cart_or_none, offer_for, require_expected
from shop import idempotency
from shop.db.retry import retried
from shop.errors import FieldError, Malformed, Refusal
from shop.faults import fault
from shop.idempotency import IdempotencyInProgress, Scope, StoredAnswer
from shop.privacy import email_hash

# A payment whose answer was lost is asked after so soon: by then it has arrived, or never will.
ASK_AGAIN = timedelta(seconds=5)

# After these nothing is kept under the key, so the request may be held up at the gate again.
_LEAVES_NOTHING = frozenset({"conflict", "unavailable", "too_many", "precondition_failed"})

log = structlog.get_logger("orders.checkout")


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """What a buyer asks for. A guest has an `email`, a customer has an account instead."""

    owner: CartOwner
    customer: User | None
    email: str
    shipping_address: Postal
    billing_address: Postal | None
    shipping_method: str
    provider: str
    token: str
    expectation: Expectation
    sale_tickets: tuple[str, ...] = ()

    @property
    def buyer(self) -> str:
        """Whom the units count for, where there are limits: the same as of the order's."""
        email = self.email
        if self.customer is not None:
            email = self.customer.email if self.customer.is_reachable else ""
        return buyer_key(
            email_hash=email_hash(email) if email else "",
            customer_id=self.customer.pk if self.customer is not None else None,
        )


@dataclass(frozen=True, slots=True)
class CheckoutAnswer:
    """The answer as it goes out, and whether it went out before."""

    answer: StoredAnswer
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The end of step one: an answer from before, or a payment to be asked for."""

    answer: StoredAnswer | None = None
    payment: Payment | None = None
    known: PlacedOrder | None = None


def checkout(*, wish: CheckoutWish, scope: Scope, request_id: str, now: datetime) -> CheckoutAnswer:
    """Turn the cart into an order and take the money, once for one key.

    The answer is 201 for an order that is paid or waits for its payer, 202 when the provider did
    not say in time, 402 when it refused; and 202 with a ticket, and nothing kept under the key,
    when a flash sale in the cart lets nobody more in now. Never call it in a transaction.

    Raises CartEmpty, NotForSale, ShippingNotAvailable, PriceChanged, QuoteExpired, OutOfStock,
    PurchaseLimitExceeded, CartAlreadyOrdered, PaymentProviderUnknown, PaymentTokenUnknown,
    PaymentUnavailable, OrderEnded and what `shop.idempotency.claim` raises; cart, stock and orders
    are then as they were, but for an order that ended in being cancelled.
    """
    # Before the key is claimed, because the cart is emptied only after its answer is stored: so a
    # twin of this request finds the cart, or the answer, and never neither.
    turns_away = may_know_shortages(now=now)
    cart = cart_or_none(wish.owner, answers_last=None if turns_away else _answers_last())
    fault("checkout.before_prepare")
    if turns_away and (shortage := _known_shortage(cart, now=now)):
        _require_wish_in_order(wish)
        raise shortage
    admission = _admission(wish=wish, cart=cart, scope=scope, now=now)
    if admission.ticket is not None:
        return CheckoutAnswer(ticket_answer(admission.ticket))
    if turns_away:
        cart = _begun(wish=wish, admission=admission)
    try:
        prepared = _admitted(admission, wish=wish, cart=cart, scope=scope, now=now)
    except IntegrityError as error:
        if cart is None or not _is_second_order_of_cart(error):
            raise
        raise _already_ordered(cart) from None
    if prepared.answer is not None:
        return CheckoutAnswer(prepared.answer, is_replay=True)
    if prepared.payment is None:
        raise AssertionError("prepared neither an answer nor a payment")
    if prepared.payment.order.status == Order.Status.CANCELLED:
        # It ended while nobody asked with this key: money for it must not be taken any more.
        void_payment(prepared.payment, now=now)
        return _answer_by_another(prepared.payment, scope=scope, now=now)
    fault("checkout.prepared")
    return _pay_and_settle(
        prepared.payment, prepared.known, scope=scope, request_id=request_id, now=now
    )


def _answers_last() -> timedelta:
    return timedelta(seconds=settings.SHOP_IDEMPOTENCY_SECONDS)


def shortage_at_hand(*, owner: CartOwner, now: datetime) -> OutOfStock | None:
    """Return what any checkout of this cart that could be read is refused with now, if it is known.

    In vain unless `knows_shortages`. Never call it in a transaction. None also where a store does
    not answer.
    """
    try:
        return _known_shortage(glimpse_of_cart(owner=owner), now=now)
    except (Refusal, DatabaseError):
        return None


def require_in_order(*, provider: str, token: str, email: str, has_account: bool) -> None:
    """Raise what a checkout is refused with whatever is in the cart, or on the shelf."""
    require_payable(provider, token)
    if not has_account and not email:
        raise Malformed(
            errors=[FieldError("/email", "required", "A guest's order needs an e-mail address.")]
        )
    if has_account and email:
        raise Malformed(
            errors=[FieldError("/email", "not_allowed", "Your account has your e-mail address.")]
        )


def _require_wish_in_order(wish: CheckoutWish) -> None:
    require_in_order(
        provider=wish.provider,
        token=wish.token,
        email=wish.email,
        has_account=wish.customer is not None,
    )


def _known_shortage(cart: CartSnapshot | None, *, now: datetime) -> OutOfStock | None:
    """Return the refusal of what is known to be short, before it costs a query.

    Not where a checkout of the cart's owner may have been answered before: its key might be this
    one, and then that answer is due. Every checkout leaves a note of itself in the cart before it
    claims its key, and a refused one takes it out again.
    """
    if cart is None or cart.has_been_tried(now=now):
        return None
    lines = [StockLine(line.variant_id, line.quantity) for line in cart.lines]
    try:
        refuse_known_shortage(lines=lines, now=now)
    except OutOfStock as shortage:
        return shortage
    return None


def _begun(*, wish: CheckoutWish, admission: Admission) -> CartSnapshot | None:
    """Read the cart once more and have it say that a checkout has begun."""
    try:
        return cart_or_none(wish.owner, answers_last=_answers_last())
    except CartUnavailable:
        leave_sales(admission=admission, came_to_nothing=True, gives_tickets_back=True)
        raise


def _admission(
    *, wish: CheckoutWish, cart: CartSnapshot | None, scope: Scope, now: datetime
) -> Admission:
    """Ask the gates of the flash sales in the cart, before anything costs a query."""
    if cart is None:
        return Admission()
    return enter_sales(
        units={line.variant_id: line.quantity for line in cart.lines},
        key=f"{scope.subject}\n{scope.route}\n{scope.key}",
        holder=scope.subject,
        tickets=wish.sale_tickets,
        now=now,
    )


def _admitted(
    admission: Admission,
    *,
    wish: CheckoutWish,
    cart: CartSnapshot | None,
    scope: Scope,
    now: datetime,
) -> _Prepared:
    """Prepare, and then make room at the gate and take the note out of the cart, if it is right."""
    came_to_nothing = False
    try:
        return _prepare(wish=wish, cart=cart, scope=scope, now=now)
    except IdempotencyInProgress:
        raise  # somebody who was let in with this key may have an order by now
    except Refusal as refusal:
        came_to_nothing = refusal.kind in _LEAVES_NOTHING
        raise
    finally:
        leave_sales(admission=admission, came_to_nothing=came_to_nothing)
        if came_to_nothing and cart is not None:
            forget_checkout(cart=cart)


@retried
@transaction.atomic(durable=True)
def _prepare(
    *, wish: CheckoutWish, cart: CartSnapshot | None, scope: Scope, now: datetime
) -> _Prepared:
    payment_id = uuid.uuid4()
    claim = idempotency.claim(scope, now=now, resource=str(payment_id))
    if claim.answer is not None:
        return _Prepared(answer=claim.answer)
    if not claim.is_new:
        # The request that began this was killed. Its payment says how far it came.
        left = Payment.objects.select_related("order").filter(pk=claim.resource).first()
        if left is None:
            raise IdempotencyInProgress("Send it again in a second.", retry_after=1)
        return _Prepared(payment=left)
    fault("checkout.key_claimed")
    _require_wish_in_order(wish)
    offer = offer_for(
        cart, address=wish.shipping_address, shipping_method=wish.shipping_method, now=now
    )
    require_expected(offer, wish.expectation, now=now)
    # A look without a lock: who comes too late should not have to queue to hear it.
    refuse_short_lines(
        lines=[StockLine(line.variant_id, line.quantity) for line in offer.cart.lines],
        now=now,
        buyer=wish.buyer,
    )
    placed = place_order(
        draft=_draft(wish, offer),
        provider=wish.provider,
        token=wish.token,
        now=now,
        expires_at=now + timedelta(seconds=settings.SHOP_HOLD_SECONDS),
        payment_id=payment_id,
        idempotency_claim=claim.id,
        # Else it would be a transaction of its own, with a wait for the disk, to say it next.
        is_asked_next=True,
    )
    fault("checkout.before_commit")
    return _Prepared(payment=placed.payment, known=placed)


def require_payable(provider: str, token: str) -> None:
    """Raise PaymentProviderUnknown or PaymentTokenUnknown unless this could be paid by."""
    providers = providers_for_buyers()
    if provider not in providers:
        raise PaymentProviderUnknown(
            "Choose one of the payment providers of this shop.",
            provider=provider,
            available=sorted(providers),
        )
    if not providers[provider].knows(token):
        raise PaymentTokenUnknown("The payment provider does not know this token.")


def _draft(wish: CheckoutWish, offer: Offer) -> OrderDraft:
    quote = offer.quote
    option = quote.shipping_method
    return OrderDraft(
        currency=quote.currency,
        country=quote.country,
        customer=wish.customer,
        email=wish.email,
        lines=tuple(
            DraftLine(
                variant_id=line.variant_id,
                sku=line.sku,
                title=offer.cards[line.variant_id].title,
                variant_title=offer.cards[line.variant_id].variant_title,
                options=offer.cards[line.variant_id].options,
                image=offer.cards[line.variant_id].image or "",
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                discount_minor=line.discount_minor,
                total_minor=line.total_minor,
                tax_class=line.tax_class,
                tax_rate_bps=line.tax_rate_bps,
                tax_minor=line.tax_minor,
            )
            for line in quote.lines
        ),
        shipping_method=option.code if option else "",
        shipping_method_name=option.name if option else "",
        shipping_minor=quote.shipping_minor,
        shipping_tax_rate_bps=quote.shipping_tax_rate_bps,
        shipping_tax_minor=quote.shipping_tax_minor,
        shipping_address=wish.shipping_address,
        billing_address=wish.billing_address,
        cart_id=offer.cart.cart_id,
        cart_version=offer.cart.version,
    )


def _pay_and_settle(
    payment: Payment,
    known: PlacedOrder | None,
    *,
    scope: Scope,
    request_id: str,
    now: datetime,
) -> CheckoutAnswer:
    try:
        result = pay(payment, now=now, is_noted=known is not None)
    except ProviderTimeout:
        return _accept(payment, scope=scope, request_id=request_id, now=now)
    except ProviderError:
        found = _what_moved(payment)
        if found is None:
            return _accept(payment, scope=scope, request_id=request_id, now=now)
        if found.outcome is Outcome.VOIDED:
            give_up_payment(payment_id=payment.pk, now=now, failure_code="provider_failed")
            raise PaymentUnavailable(
                "Nothing was taken. Try again in a little while.", retry_after=5
            ) from None
        result = found
    if result is None:
        return _answer_by_another(payment, scope=scope, now=now)
    return _settle(payment, result, known, scope=scope, request_id=request_id, now=now)


def _what_moved(payment: Payment) -> PaymentResult | None:
    """Ask a provider that failed whether it took the money, and see to it that it does not later.

    None when it does not tell.
    """
    provider, request = provider_of(payment.provider), request_of(payment)
    try:
        return provider.find(request) or provider.void(request)
    except ProviderError:
        return None


def _settle(
    payment: Payment,
    result: PaymentResult,
    known: PlacedOrder | None,
    *,
    scope: Scope,
    request_id: str,
    now: datetime,
) -> CheckoutAnswer:
    settlement = _settled(payment, result, known, request_id=request_id, now=now)
    fault("checkout.settled")
    if settlement.order.status == Order.Status.CONFIRMED:
        empty_ordered_cart(settlement.order)
    fault("checkout.before_answer")
    if settlement.answer is not None:
        return CheckoutAnswer(settlement.answer)
    return _answer_by_another(payment, scope=scope, now=now)


def _settled(
    payment: Payment,
    result: PaymentResult,
    known: PlacedOrder | None,
    *,
    request_id: str,
    now: datetime,
) -> Settlement:
    if known is not None:
        settlement = settle_at_once(known, result=result, now=now, request_id=request_id)
        if settlement is not None:
            return settlement
    return _settle_as_it_stands(
        payment_id=payment.pk, result=result, now=now, known=known, request_id=request_id
    )


# The whole unit again on a deadlock, and the outermost transaction on purpose.
_settle_as_it_stands = retried(transaction.atomic(durable=True)(settle_payment))


def _accept(payment: Payment, *, scope: Scope, request_id: str, now: datetime) -> CheckoutAnswer:
    """Answer that the order waits for news of its payment, unless they have come meanwhile."""
    with transaction.atomic(durable=True):
        current = Payment.objects.locked().get(pk=payment.pk)
        # Of an order that ended meanwhile there is nothing to wait for, and nothing to keep.
        waits = current.is_open and current.order.status == Order.Status.PENDING
        if waits and current.idempotency_claim is not None:
            current.next_attempt_at = now + ASK_AGAIN
            current.save(update_fields=["next_attempt_at"])
            answer = store_answer(current, request_id=request_id)
            fault("checkout.before_accept")
            return CheckoutAnswer(answer)
    return _answer_by_another(payment, scope=scope, now=now)


def store_answer(payment: Payment, *, request_id: str) -> StoredAnswer:
    """Store what the buyer is told of a payment as it stands, unless its key has an answer.

    Joins the caller's transaction, who holds the payment's lock.
    """
    order = payment.order
    answer = checkout_answer(
        order,
        payment,
        lines=list(order.lines.order_by("position")),
        events=list(order.events.order_by("id")),
        request_id=request_id,
    )
    if payment.idempotency_claim is not None:
        idempotency.complete(payment.idempotency_claim, answer)
    return answer


def _answer_by_another(payment: Payment, *, scope: Scope, now: datetime) -> CheckoutAnswer:
    """Return the answer that was stored by whoever settled this payment before us.

    Raises OrderEnded if they found that the order had ended, which is no answer to keep.
    """
    if stored := answer_stored(scope=scope, now=now):
        return CheckoutAnswer(stored)
    order = Order.objects.get(payments=payment.pk)
    raise OrderEnded("Nothing was charged for good. Order again if you like.", order=order.number)


def empty_ordered_cart(order: Order) -> bool:
    """Empty the cart that became this order, if it was not changed since. Safe to repeat.

    A store that is away is no reason to fail: a task comes again.
    """
    if not order.cart_id or order.cart_version is None:
        return False
    try:
        return empty_cart_by_id(cart_id=order.cart_id, version=order.cart_version)
    except CartUnavailable:
        log.warning("cart_not_emptied", order=order.number)
        return False


def empty_cart_of(*, order_id: int) -> bool:
    """Empty the cart that became this order, if it was not changed since. Safe to repeat.

    Raises CartUnavailable: nobody comes after this one.
    """
    order = Order.objects.filter(pk=order_id).first()
    if order is None or not order.cart_id or order.cart_version is None:
        return False
    return empty_cart_by_id(cart_id=order.cart_id, version=order.cart_version)


def _is_second_order_of_cart(error: IntegrityError) -> bool:
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) == "order_once_per_cart_version"


def _already_ordered(cart: CartSnapshot) -> CartAlreadyOrdered:
    order = (
        Order.objects.filter(cart_id=cart.cart_id, cart_version=cart.version)
        .filter(~Q(status=Order.Status.CANCELLED))
        .first()
    )
    if order is not None and order.status != Order.Status.PENDING:
        empty_ordered_cart(order)  # whoever placed it was killed before it came to this
    return CartAlreadyOrdered(
        "Change the cart to order once more, or see to the order that it became.",
        order=order.number if order else None,
    )


def answer_stored(*, scope: Scope, now: datetime) -> StoredAnswer | None:
    """Return the answer that the key has already, leaving no claim behind.

    Never call it in a transaction. Raises what `shop.idempotency.claim` raises.
    """
    with transaction.atomic(durable=True):
        claim = idempotency.claim(scope, now=now)
        if claim.answer is None:
            transaction.set_rollback(True)
        return claim.answer


def remember_answer(*, scope: Scope, answer: StoredAnswer, now: datetime) -> StoredAnswer:
    """Store a final answer under its key, and return the one that the key has now.

    Never call it in a transaction. Raises what `shop.idempotency.claim` raises.
    """
    with transaction.atomic(durable=True):
        claim = idempotency.claim(scope, now=now)
        if claim.answer is not None:
            return claim.answer
        idempotency.complete(claim.id, answer)
    return answer
