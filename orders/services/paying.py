"""The second and third step: asking the provider, and writing down what it said.

`settle_payment` is the one function that decides what a provider's word means for an order. The
request, the sweeper, the sandbox's page and, one day, webhooks all end there.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction

from inventory.errors import OutOfStock, PurchaseLimitExceeded, ReservationOver
from inventory.services import (
    claim_hold,
    commit_stock,
    extend_hold,
    release_stock,
    reserve_stock,
)
from orders.errors import PaymentNotFound
from orders.models import Channel, Order, OrderEvent, Payment, Refund
from orders.providers import MANUAL, provider_of
from orders.providers.base import Outcome, PaymentRequest, PaymentResult, ProviderTimeout
from orders.services.answers import checkout_answer
from orders.services.drafts import OrderDraft, PlacedOrder
from orders.services.placing import buyer_of, place_order, stock_lines
from orders.services.states import Turn, move_payment, turn_order, turn_payment
from shop import idempotency
from shop.db.joining import joining
from shop.db.retry import may_go_again, note_retry
from shop.db.updating import Change, RowNotFound
from shop.faults import fault
from shop.idempotency import StoredAnswer
from shop.money import Money
from shop.outbox.services import message_of, publish

# An attempt that was begun may be on its way for so long before somebody else asks again.
IN_FLIGHT = timedelta(seconds=20)
# While the payer is away at their bank's page, the provider is asked this often.
ACTION_POLL = timedelta(seconds=60)

_LONGEST_WAIT = timedelta(minutes=10)

_CLAIM = """
UPDATE orders_payment
SET status = 'REQUESTED', attempts = attempts + 1, requested_at = %(now)s,
    next_attempt_at = %(next_attempt_at)s
WHERE id = %(id)s AND status IN ('NEW', 'REQUESTED')
"""

log = structlog.get_logger("orders.paying")


def backoff(attempts: int) -> timedelta:
    """Return how long to wait before a provider that did not answer is asked again."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(timedelta(seconds=15 << doublings), _LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where order and payment stand. `is_news`: this call brought them there.

    `answer` is what it stored for the checkout that began the payment, if it did.
    """

    order: Order
    payment: Payment
    is_news: bool
    answer: StoredAnswer | None = None


def request_of(payment: Payment) -> PaymentRequest:
    """Return what the provider is asked for: always the same for one payment."""
    return PaymentRequest(
        key=payment.pk,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        token=payment.token,
    )


def claim_payment(payment: Payment, *, now: datetime) -> bool:
    """Note that the provider is about to be asked, unless the attempt is over or in other hands.

    Nobody is kept from asking at the same time for ever: the key makes it one payment. This only
    spares the provider, and tells those who come later that money may have moved.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"id": payment.pk, "now": now, "next_attempt_at": now + IN_FLIGHT})
        return bool(cursor.rowcount == 1)


def pay(payment: Payment, *, now: datetime, is_noted: bool = False) -> PaymentResult | None:
    """Ask the provider to take the money; None when the attempt is over already.

    That it is asked for is noted first; with `is_noted` the caller has just done that, in the
    transaction that made the payment. Never call it in a transaction: it waits for somebody else's
    machine. Safe to repeat, and safe to be killed in: the provider does it once per payment.
    Raises ProviderError.
    """
    if not is_noted and not claim_payment(payment, now=now):
        return None
    fault("payment.before_asking", error=ProviderTimeout)
    result = provider_of(payment.provider).pay(request_of(payment))
    fault("payment.answered")
    return result


@joining
def settle_payment(
    *,
    payment_id: UUID,
    result: PaymentResult,
    now: datetime,
    known: PlacedOrder | None = None,
    request_id: str = "",
    because: str = "",
) -> Settlement:
    """Write down what the provider said, with all that follows from it, or nothing.

    Taken: the order is confirmed and its stock leaves. Refused or voided: the order is cancelled
    and its stock comes free. Too late, for an order that was cancelled meanwhile: the money is
    given back. Completes the answer of the checkout that began it. Safe to repeat: an attempt
    that is over stays as it is. Joins the caller's transaction; locks the order, then the payment,
    then the hold, and last of all, so that nobody waits longer than for the commit, the stock.
    `known` spares queries to the caller who has just placed the order and is about to answer its
    buyer; without it, a buyer whose order ends here is told by mail. `because` says why, if the
    word of the provider does not.

    Raises PaymentNotFound.
    """
    payment = Payment.objects.locked_one(payment_id)
    if payment is None:
        raise PaymentNotFound("There is no such payment.")
    order = payment.order
    if not payment.is_open or (
        result.outcome is Outcome.REQUIRES_ACTION
        and payment.status == Payment.Status.REQUIRES_ACTION
    ):
        return Settlement(order, payment, is_news=False)
    fault("settle.locked")
    earlier = _events_before(payment, known)
    _note(payment, result, now=now)
    sale: _Sale | None = None
    match result.outcome:
        case Outcome.CAPTURED | Outcome.AUTHORIZED:
            sale, event = _money_came(order, payment, result, now=now)
        case Outcome.REQUIRES_ACTION:
            event = _payer_must_act(order, payment, now=now)
        case Outcome.DECLINED:
            event = end_unpaid(
                order,
                payment,
                Payment.Status.DECLINED,
                now=now,
                detail=because or payment.failure_code,
                tells_buyer=known is None,
            )
        case Outcome.VOIDED:
            event = end_unpaid(
                order,
                payment,
                Payment.Status.VOIDED,
                now=now,
                detail=because,
                tells_buyer=known is None,
            )
    answer = _answer(order, payment, known=known, events=[*earlier, event], request_id=request_id)
    if sale is not None:
        sale.write(payment, answer, now=now)
    elif payment.idempotency_claim is not None:
        _keep_or_discard(payment.idempotency_claim, answer)
    return Settlement(order, payment, is_news=True, answer=answer)


def settle_at_once(
    placed: PlacedOrder, *, result: PaymentResult, now: datetime, request_id: str
) -> Settlement | None:
    """Settle an order that was placed a moment ago as `settle_payment` does, reading nothing again.

    Only where the money came as it was asked for. The statement that writes the sale finds the
    order as it was placed, under its lock, and the one that lets the stock leave finds the hold.
    None where either does not, for then something has happened meanwhile, or where the provider
    said anything else: nothing is done, and it is for `settle_payment` to decide. Locks the same
    rows in the same order. Never call it in a transaction: it may have to be rolled back.
    """
    order, payment = placed.order, placed.payment
    came = result.outcome in {Outcome.CAPTURED, Outcome.AUTHORIZED}
    if not came or _sum_told(result) != _sum_asked(payment):
        return None
    try:
        with transaction.atomic(durable=True):
            _note(payment, result, now=now)
            sale = _sale(order, payment, result, hold=_Hold(order.stock_reference), now=now)
            events = [*placed.events, sale.turn.event]
            answer = _answer(order, payment, known=placed, events=events, request_id=request_id)
            sale.write(payment, answer, now=now, is_locked=False)
    except (RowNotFound, ReservationOver) as found:
        log.info("order_moved_meanwhile", order=order.number, found=type(found).__name__)
        return None
    except OperationalError as error:
        if not may_go_again(error):
            raise
        note_retry(error)
        return None
    return Settlement(order, payment, is_news=True, answer=answer)


@transaction.atomic
def record_sale(*, draft: OrderDraft, now: datetime, expires_at: datetime) -> PlacedOrder:
    """Place an order whose money came in outside the shop, and settle it at once.

    Joins the caller's transaction. Safe to repeat by `draft.external_ref`. Raises OutOfStock.
    """
    placed = place_order(
        draft=draft,
        provider=MANUAL,
        token="",
        now=now,
        expires_at=expires_at,
        is_swept=False,
    )
    if placed.payment.is_open:
        # The manual provider reaches no network, so it may be asked in a transaction.
        result = provider_of(MANUAL).pay(request_of(placed.payment))
        settled = settle_payment(payment_id=placed.payment.pk, result=result, now=now, known=placed)
        return replace(placed, order=settled.order, payment=settled.payment)
    return placed


@transaction.atomic
def give_up_payment(*, payment_id: UUID, now: datetime, failure_code: str) -> Settlement:
    """End an attempt of which the provider has assured that no money moved or will.

    The order is cancelled and its stock comes free. The claim of its idempotency key goes too, so
    that the same key may try again. Safe to repeat.
    """
    payment = Payment.objects.locked().filter(pk=payment_id).first()
    if payment is None:
        raise PaymentNotFound("There is no such payment.")
    if not payment.is_open:
        return Settlement(payment.order, payment, is_news=False)
    payment.failure_code = failure_code
    payment.settled_at = now
    end_unpaid(payment.order, payment, Payment.Status.FAILED, now=now, detail=failure_code)
    if payment.idempotency_claim is not None:
        idempotency.discard(payment.idempotency_claim)
    return Settlement(payment.order, payment, is_news=True)


def end_unpaid(
    order: Order,
    payment: Payment,
    status: Payment.Status,
    *,
    now: datetime,
    detail: str = "",
    tells_buyer: bool = False,
) -> OrderEvent:
    """End a payment that took nothing, and with it the order that waited for it.

    The caller holds their locks, and has set what else there is to know of the payment.
    """
    move_payment(payment, status, also=_OUTCOME_FIELDS)
    paid = Order.PaymentStatus
    kind = OrderEvent.Kind
    event, payment_status = {
        Payment.Status.DECLINED: (kind.PAYMENT_DECLINED, paid.FAILED),
        Payment.Status.FAILED: (kind.PAYMENT_FAILED, paid.FAILED),
        Payment.Status.VOIDED: (kind.PAYMENT_VOIDED, paid.VOIDED),
    }[status]
    is_pending = order.status == Order.Status.PENDING
    if is_pending:
        order.cancelled_at = now
    noted = turn_order(
        order,
        event=event,
        now=now,
        status=Order.Status.CANCELLED if is_pending else None,
        payment_status=payment_status,
        also=["cancelled_at"] if is_pending else [],
        detail=detail,
    ).write()
    if is_pending:
        release_stock(reference=order.stock_reference, now=now)
        if tells_buyer:
            announce_cancellation(order)
    return noted


def announce_cancellation(order: Order) -> None:
    """Have the buyer told that the order has ended. Joins the caller's transaction."""
    publish(
        topic="order.cancelled", key=f"order:{order.pk}", payload={"v": 1, "order_id": order.pk}
    )


_OUTCOME_FIELDS = (
    "provider_reference",
    "captured_minor",
    "card_brand",
    "card_last4",
    "next_action_url",
    "failure_code",
    "next_attempt_at",
    "settled_at",
    "authorized_until",
)


def _note(payment: Payment, result: PaymentResult, *, now: datetime) -> None:
    payment.provider_reference = result.reference
    payment.card_brand = result.card_brand
    payment.card_last4 = result.card_last4
    payment.next_action_url = result.next_action_url
    payment.failure_code = result.failure_code
    payment.authorized_until = result.authorized_until
    if result.outcome is Outcome.REQUIRES_ACTION:
        payment.next_attempt_at = now + ACTION_POLL
    else:
        payment.next_attempt_at = None
        payment.settled_at = now
    if result.outcome is Outcome.CAPTURED:
        payment.captured_minor = result.amount_minor


def _money_came(
    order: Order, payment: Payment, result: PaymentResult, *, now: datetime
) -> tuple["_Sale | None", OrderEvent]:
    """Return the sale that follows from the money, to be written last of all; or give it back."""
    told, asked = _sum_told(result), _sum_asked(payment)
    if told != asked:
        # Never paid by the wrong amount: what came goes back, and somebody should look.
        log.error("payment_amount_differs", order=order.number, payment=str(payment.pk))
        why = f"Paid {told}, not {asked}"
    elif order.status == Order.Status.CANCELLED:
        why = "Paid after the order had ended"
    elif hold := _hold_to_sell(order, now=now):
        sale = _sale(order, payment, result, hold=hold, now=now)
        return sale, sale.turn.event
    else:
        why = "Sold out before the money came"
    paid = _paid(payment, result)
    return None, _give_back(order, payment, paid, now=now, why=why)


def _sum_told(result: PaymentResult) -> Money:
    return Money(result.amount_minor, result.currency)


def _sum_asked(payment: Payment) -> Money:
    return Money(payment.amount_minor, payment.currency)


def _sale(
    order: Order, payment: Payment, result: PaymentResult, *, hold: "_Hold", now: datetime
) -> "_Sale":
    paid = _paid(payment, result)
    is_taken = result.outcome is Outcome.CAPTURED
    return _Sale(turn=_confirmed(order, is_taken=is_taken, now=now), paid=paid, hold=hold)


def _paid(payment: Payment, result: PaymentResult) -> Change:
    taken = result.outcome is Outcome.CAPTURED
    status = Payment.Status.CAPTURED if taken else Payment.Status.AUTHORIZED
    return turn_payment(payment, status, also=_OUTCOME_FIELDS)


def _confirmed(order: Order, *, is_taken: bool, now: datetime) -> Turn:
    order.confirmed_at = now
    is_history = order.channel == Channel.HISTORY
    confirmed = message_of(
        topic="order.confirmed", key=f"order:{order.pk}", payload={"v": 1, "order_id": order.pk}
    )
    return turn_order(
        order,
        event=OrderEvent.Kind.CONFIRMED,
        now=now,
        # What a history tells of was handed over long ago, and nobody waits for a mail about it.
        status=Order.Status.COMPLETED if is_history else Order.Status.CONFIRMED,
        fulfillment_status=Order.FulfillmentStatus.FULFILLED if is_history else None,
        payment_status=(Order.PaymentStatus.PAID if is_taken else Order.PaymentStatus.AUTHORIZED),
        also=["confirmed_at"],
        messages=[] if is_history else [confirmed],
    )


@dataclass(frozen=True, slots=True)
class _Sale:
    """An order whose money came, with all that is still to be written of it."""

    turn: Turn
    paid: Change
    hold: "_Hold"

    def write(
        self,
        payment: Payment,
        answer: StoredAnswer | None,
        *,
        now: datetime,
        is_locked: bool = True,
    ) -> None:
        """Write payment, order and answer in one statement, and then have the stock leave.

        Raises RowNotFound for an order that is not locked and has moved, and ReservationOver.
        """
        beside = [self.paid]
        if answer is not None and payment.idempotency_claim is not None:
            beside.append(idempotency.completion(payment.idempotency_claim, answer))
        self.turn.write(beside=beside, is_locked=is_locked)
        fault("settle.sale_written")
        _let_leave(self.hold, now=now)
        fault("settle.before_commit")


@dataclass(frozen=True, slots=True)
class _Hold:
    """Stock that is to leave, and what is left of a hold that it stands in for."""

    reference: str
    in_place_of: str = ""


def _hold_to_sell(order: Order, *, now: datetime) -> _Hold | None:
    """Keep the order's hold until it is sold; None if it was given up and cannot be had again."""
    if claim_hold(reference=order.stock_reference):
        return _Hold(order.stock_reference)
    # Past its end somebody else took it, or a part of it: have it again from what is there.
    # What is left of the hold goes last, as it is past its end too: the new one takes it over
    # where it needs to, and so all stock is locked at once, in its order.
    again = order.second_stock_reference
    try:
        reserve_stock(
            lines=stock_lines(list(order.lines.all())),
            reference=again,
            expires_at=now,
            now=now,
            country=order.country,
            buyer=buyer_of(order),
            replaces=order.stock_reference,
        )
    except (OutOfStock, PurchaseLimitExceeded):
        return None
    return _Hold(again, in_place_of=order.stock_reference)


def _let_leave(hold: _Hold, *, now: datetime) -> None:
    commit_stock(reference=hold.reference, now=now)
    if hold.in_place_of:
        release_stock(reference=hold.in_place_of, now=now)


def _give_back(
    order: Order, payment: Payment, paid: Change, *, now: datetime, why: str
) -> OrderEvent:
    """Cancel the order if it is not yet, and have the sweeper return the money that came."""
    is_pending = order.status == Order.Status.PENDING
    if is_pending:
        order.cancelled_at = now
        order.cancel_reason = why
    event = turn_order(
        order,
        event=OrderEvent.Kind.PAYMENT_LATE,
        now=now,
        status=Order.Status.CANCELLED if is_pending else None,
        payment_status=(
            Order.PaymentStatus.PAID if payment.captured_minor else Order.PaymentStatus.VOIDED
        ),
        also=["cancelled_at", "cancel_reason"] if is_pending else [],
        detail=why,
    ).write(beside=[paid])
    if is_pending:
        release_stock(reference=order.stock_reference, now=now)
        announce_cancellation(order)
    if payment.captured_minor:
        Refund.objects.get_or_create(
            reference=f"payment:{payment.pk}",
            defaults={
                "order": order,
                "payment": payment,
                "amount_minor": payment.captured_minor,
                "currency": payment.currency,
                "reason": why,
                "next_attempt_at": now,
                "created_at": now,
            },
        )
    return event


def _payer_must_act(order: Order, payment: Payment, *, now: datetime) -> OrderEvent:
    """Note that the payer has to go to their bank, and keep the stock for them meanwhile.

    Once for a payment, as it comes into this state once; and never for longer after the order was
    placed than SHOP_LONGEST_HOLD_SECONDS, however slow the provider was.
    """
    move_payment(payment, Payment.Status.REQUIRES_ACTION, also=_OUTCOME_FIELDS)
    until = min(
        now + timedelta(seconds=settings.SHOP_ACTION_HOLD_SECONDS),
        order.placed_at + timedelta(seconds=settings.SHOP_LONGEST_HOLD_SECONDS),
    )
    # What has ended is anyone's, and what somebody took over is not to be had by waiting: such an
    # order ends as it said.
    is_extended = (
        order.status == Order.Status.PENDING
        and now < order.hold_expires_at < until
        and extend_hold(reference=order.stock_reference, until=until)
    )
    if is_extended:
        order.hold_expires_at = until
    return turn_order(
        order,
        event=OrderEvent.Kind.ACTION_REQUIRED,
        now=now,
        also=["hold_expires_at"] if is_extended else [],
    ).write()


def _events_before(payment: Payment, known: PlacedOrder | None) -> list[OrderEvent]:
    """Return what had happened to the order so far, for the answer that is to be stored."""
    if payment.idempotency_claim is None:
        return []
    return known.events if known else list(payment.order.events.order_by("id"))


def _answer(
    order: Order,
    payment: Payment,
    *,
    known: PlacedOrder | None,
    events: list[OrderEvent],
    request_id: str,
) -> StoredAnswer | None:
    """Return the answer of the checkout that began this, to be stored with what makes it true."""
    if payment.idempotency_claim is None or has_ended_unpaid(order, payment):
        return None
    return checkout_answer(
        order,
        payment,
        lines=known.lines if known else list(order.lines.order_by("position")),
        events=events,
        request_id=request_id,
    )


def _keep_or_discard(claim_id: int, answer: StoredAnswer | None) -> None:
    if answer is None:
        idempotency.discard(claim_id)
    else:
        idempotency.complete(claim_id, answer)


def has_ended_unpaid(order: Order, payment: Payment) -> bool:
    """Tell whether the order came to its end for another reason than a refused payment.

    That is no answer to keep: with the same key, the buyer may try again.
    """
    return order.status == Order.Status.CANCELLED and payment.status != Payment.Status.DECLINED
