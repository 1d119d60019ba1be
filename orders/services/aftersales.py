"""After the sale: money back, goods back, and credit without an order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Sum

from accounts.models import User
from inventory.selectors import owed_units
from inventory.services import ReceiptLine, StockLine, end_owed, receive_stock, return_stock
from orders.errors import RefundTooLarge, ReturnTooLarge, TransitionRefused
from orders.models import (
    Channel,
    CreditNote,
    CreditNoteLine,
    LineKind,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    Refund,
    RefundLine,
    Return,
    ReturnLine,
)
from orders.providers import MANUAL, provider_of
from orders.providers.base import (
    ProviderError,
    ProviderTimeout,
    RefundRefused,
    RefundRequest,
    RefundResult,
)
from orders.services.paying import IN_FLIGHT, backoff, request_of
from orders.services.placing import stock_lines
from orders.services.states import turn_order
from shop.faults import fault
from shop.money import Money

# A refund that the provider did not answer for so many times is for a person to look at.
MOST_ATTEMPTS = 12

log = structlog.get_logger("orders.aftersales")


@dataclass(frozen=True, slots=True)
class RefundPart:
    """How much of a refund is for one line; `quantity` units of it, or 0 for money alone."""

    order_line_id: int
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ReturnPart:
    """Units of one line that came back."""

    order_line_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class CreditLine:
    """What a credit note credits: units that came back, or (without a variant) an amount."""

    variant_id: int | None
    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    total_minor: int
    kind: LineKind = LineKind.GOODS


@transaction.atomic
def refund_order(
    *,
    order: Order,
    amount_minor: int,
    reason: str,
    reference: str,
    now: datetime,
    lines: Sequence[RefundPart] = (),
    actor_id: int | None = None,
) -> Refund:
    """Owe the buyer this much of what was taken; a manual payment is given back at once.

    Joins the caller's transaction, and locks the order. `reference` counts once: asked again, the
    first refund is returned, whatever the amount. Ask the provider afterwards, outside of any
    transaction, by `execute_refund`, or leave it to the sweeper.

    Raises RefundTooLarge when it is more than was taken and not given back yet.
    """
    order = Order.objects.locked().get(pk=order.pk)
    if earlier := Refund.objects.filter(reference=reference).first():
        return earlier
    payment = order.payments.filter(status=Payment.Status.CAPTURED).first()
    refundable = refundable_minor(order)
    if payment is None or not 0 <= amount_minor <= refundable:
        raise RefundTooLarge(
            "That is more than was paid and not given back yet.",
            refundable=Money(refundable, order.currency).as_json(),
        )
    is_manual = payment.provider == MANUAL
    refund = Refund(
        reference=reference,
        order=order,
        payment=payment,
        amount_minor=amount_minor,
        currency=order.currency,
        reason=reason,
        actor_id=actor_id,
        # The caller goes first; the sweeper takes over if it does not come to it.
        next_attempt_at=None if is_manual else now + IN_FLIGHT,
        created_at=now,
    )
    refund.save(force_insert=True)
    RefundLine.objects.bulk_create(
        RefundLine(
            refund=refund,
            order_line_id=part.order_line_id,
            quantity=part.quantity,
            amount_minor=part.amount_minor,
        )
        for part in lines
    )
    if is_manual:
        result = RefundResult(reference=f"manual:{refund.pk.hex}", amount_minor=amount_minor)
        _given_back(order, refund, result, now=now)
    return refund


def refundable_minor(order: Order) -> int:
    """Return what was taken for the order and is not given back, nor about to be."""
    taken = order.payments.aggregate(sum=Sum("captured_minor"))["sum"] or 0
    given = (
        order.refunds.exclude(status=Refund.Status.FAILED).aggregate(sum=Sum("amount_minor"))["sum"]
        or 0
    )
    return int(taken - given)


def execute_refund(*, refund: Refund, now: datetime) -> Refund:
    """Ask the provider to give the money back, and write down what it said. Safe to repeat.

    Never call it in a transaction. A provider that does not answer is asked again by the sweeper,
    with the same key.
    """
    open_states = [Refund.Status.NEW, Refund.Status.REQUESTED]
    claimed = Refund.objects.filter(pk=refund.pk, status__in=open_states).update(
        status=Refund.Status.REQUESTED,
        attempts=F("attempts") + 1,
        next_attempt_at=now + IN_FLIGHT,
    )
    refund = Refund.objects.select_related("payment").get(pk=refund.pk)
    if not claimed:
        return refund
    request = RefundRequest(
        key=refund.pk, payment=request_of(refund.payment), amount_minor=refund.amount_minor
    )
    try:
        fault("refund.before_asking", error=ProviderTimeout)
        result = provider_of(refund.payment.provider).refund(request)
        fault("refund.answered", error=ProviderTimeout)
    except ProviderError as error:
        return _ask_later(refund, why=type(error).__name__, now=now)
    except RefundRefused as error:
        return fail_refund(refund_id=refund.pk, failure_code=str(error), now=now)
    return settle_refund(refund_id=refund.pk, result=result, now=now)


@transaction.atomic
def settle_refund(*, refund_id: UUID, result: RefundResult, now: datetime) -> Refund:
    """Write down that the money went back. Joins the caller's transaction. Safe to repeat."""
    order, refund = _locked(refund_id)
    if refund.status in {Refund.Status.NEW, Refund.Status.REQUESTED}:
        _given_back(order, refund, result, now=now)
    return refund


@transaction.atomic
def fail_refund(*, refund_id: UUID, failure_code: str, now: datetime) -> Refund:
    """Write down that the provider will not give it back: a person has to. Safe to repeat."""
    order, refund = _locked(refund_id)
    if refund.status not in {Refund.Status.NEW, Refund.Status.REQUESTED}:
        return refund
    log.error("refund_failed", refund=str(refund.pk), order=order.number, code=failure_code)
    refund.status = Refund.Status.FAILED
    refund.failure_code = failure_code[:60]
    refund.next_attempt_at = None
    refund.settled_at = now
    refund.save(update_fields=["status", "failure_code", "next_attempt_at", "settled_at"])
    turn_order(order, event=OrderEvent.Kind.REFUND_FAILED, now=now, detail=failure_code).write()
    return refund


def _locked(refund_id: UUID) -> tuple[Order, Refund]:
    # The order first, as everywhere; the refund is read under its lock.
    order = Order.objects.locked().get(refunds=refund_id)
    return order, Refund.objects.get(pk=refund_id)


def _given_back(order: Order, refund: Refund, result: RefundResult, *, now: datetime) -> None:
    refund.status = Refund.Status.SUCCEEDED
    refund.provider_reference = result.reference
    refund.next_attempt_at = None
    refund.settled_at = now
    refund.save(update_fields=["status", "provider_reference", "next_attempt_at", "settled_at"])
    taken = order.payments.aggregate(sum=Sum("captured_minor"))["sum"] or 0
    given = (
        order.refunds.filter(status=Refund.Status.SUCCEEDED).aggregate(sum=Sum("amount_minor"))[
            "sum"
        ]
        or 0
    )
    state = None
    if given:
        paid = Order.PaymentStatus
        state = paid.REFUNDED if given >= taken else paid.PARTIALLY_REFUNDED
    turn_order(
        order,
        event=OrderEvent.Kind.REFUNDED,
        now=now,
        payment_status=state,
        detail=str(Money(refund.amount_minor, refund.currency)),
        actor_id=refund.actor_id,
    ).write()


def _ask_later(refund: Refund, *, why: str, now: datetime) -> Refund:
    if refund.attempts >= MOST_ATTEMPTS:
        # Still open, still asked now and then: somebody should know of it, though.
        log.error("refund_does_not_go_through", refund=str(refund.pk), attempts=refund.attempts)
    refund.failure_code = why
    refund.next_attempt_at = now + backoff(refund.attempts)
    refund.save(update_fields=["failure_code", "next_attempt_at"])
    return refund


@transaction.atomic
def receive_return(
    *,
    order: Order,
    lines: Sequence[ReturnPart],
    reason: str,
    reference: str,
    now: datetime,
    restock: bool = True,
    warehouse: str | None = None,
    actor_id: int | None = None,
) -> Return:
    """Take sold units back, and put them on the shelf again unless told otherwise.

    Joins the caller's transaction, and locks the order. `reference` counts once: told again, the
    first return comes back. Money is another matter: see `refund_order`.

    Raises ReturnTooLarge when more units of a line would come back than are still out. What is
    owed to the order has not gone out.
    """
    order = Order.objects.locked().get(pk=order.pk)
    if earlier := Return.objects.filter(reference=reference).first():
        return earlier
    if order.status not in {Order.Status.CONFIRMED, Order.Status.COMPLETED}:
        raise TransitionRefused(
            "Nothing of this order was sold.",
            field="status",
            state=order.status.lower(),
            wanted="returned",
        )
    wanted = Counter[int]()
    for part in lines:
        wanted[part.order_line_id] += part.quantity
    sold = {line.pk: line for line in order.lines.filter(pk__in=wanted)}
    back = {
        row["order_line"]: row["units"]
        for row in ReturnLine.objects.filter(order_line__in=wanted)
        .exclude(return_order__status=Return.Status.REFUSED)
        .values("order_line")
        .annotate(units=Sum("quantity"))
    }
    _refuse_too_many(wanted, sold, back)
    _refuse_what_is_owed(order, wanted, sold)
    given_back = Return.objects.create(
        reference=reference,
        order=order,
        reason=reason,
        status=Return.Status.RECEIVED,
        requested_at=now,
        received_at=now,
        actor_id=actor_id,
    )
    ReturnLine.objects.bulk_create(
        ReturnLine(
            return_order=given_back,
            order_line_id=line_id,
            quantity=units,
            is_restocked=restock and sold[line_id].variant_id is not None,
        )
        for line_id, units in wanted.items()
    )
    turn_order(order, event=OrderEvent.Kind.RETURN_RECEIVED, now=now, detail=reason).write()
    stock = Counter[int]()
    for line_id, units in wanted.items():
        variant_id = sold[line_id].variant_id
        if variant_id is not None and sold[line_id].kind == LineKind.GOODS:
            stock[variant_id] += units
    if restock and stock:
        return_stock(
            lines=[StockLine(variant_id, units) for variant_id, units in stock.items()],
            cause=f"return:{given_back.pk}",
            reason=reason[:500],
            now=now,
            warehouse=warehouse,
            references=order.stock_references,
            actor_id=actor_id,
        )
    return given_back


def _refuse_too_many(
    wanted: Counter[int], sold: dict[int, OrderLine], back: dict[int, int]
) -> None:
    over = [
        {
            "line_id": line_id,
            "returned": units,
            "returnable": (sold[line_id].quantity - back.get(line_id, 0)) if line_id in sold else 0,
        }
        for line_id, units in wanted.items()
        if line_id not in sold or units + back.get(line_id, 0) > sold[line_id].quantity
    ]
    if over:
        raise ReturnTooLarge("More would come back than was sold and is still out.", lines=over)


def _refuse_what_is_owed(order: Order, wanted: Counter[int], sold: Mapping[int, OrderLine]) -> None:
    # Under the lock of the order nothing more of it becomes owed; what comes in meanwhile is asked
    # for again. Units of a variant are the same on whichever line they stand.
    owed = owed_units(references=order.stock_references)
    if not owed:
        return
    out = Counter({line.variant_id: line.quantity for line in stock_lines(list(order.lines.all()))})
    out.subtract(owed)
    out.subtract(_units_back(order))
    goods = {
        line.pk: line.variant_id
        for line in sold.values()
        if line.kind == LineKind.GOODS and line.variant_id is not None
    }
    asked = Counter[int]()
    for line_id, variant_id in goods.items():
        asked[variant_id] += wanted[line_id]
    over = [
        {"line_id": line_id, "returned": wanted[line_id], "returnable": max(0, out[variant_id])}
        for line_id, variant_id in goods.items()
        if asked[variant_id] > out[variant_id]
    ]
    if over:
        raise ReturnTooLarge("Some of these units are owed: they have not gone out.", lines=over)


@transaction.atomic
def issue_credit_note(
    *,
    currency: str,
    lines: Sequence[CreditLine],
    reason: str,
    now: datetime,
    warehouse: str,
    external_ref: str | None = None,
    channel: Channel = Channel.STAFF,
    customer: User | None = None,
    country: str = "",
    restock: bool = True,
    actor_id: int | None = None,
) -> CreditNote:
    """Credit somebody with no order to credit it against, and receive the goods that came.

    Joins the caller's transaction. An `external_ref` counts once: told again, the first note comes
    back.
    """
    if external_ref is not None and (
        earlier := CreditNote.objects.filter(external_ref=external_ref).first()
    ):
        return earlier
    note = CreditNote.objects.create(
        external_ref=external_ref,
        channel=channel,
        customer=customer,
        country=country,
        currency=currency,
        total_minor=sum(line.total_minor for line in lines),
        reason=reason,
        issued_at=now,
    )
    made = CreditNoteLine.objects.bulk_create(
        CreditNoteLine(
            credit_note=note,
            position=position,
            kind=line.kind,
            variant_id=line.variant_id,
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            total_minor=line.total_minor,
        )
        for position, line in enumerate(lines, start=1)
    )
    stock = stock_lines(made)
    if restock and stock:
        receive_stock(
            lines=[ReceiptLine(line.variant_id, line.quantity) for line in stock],
            warehouse=warehouse,
            cause=f"credit_note:{note.pk}",
            reason=reason[:500],
            now=now,
            actor_id=actor_id,
        )
    return note


def _units_back(order: Order) -> Counter[int]:
    """Return the units that came back of the order, by variant, on the shelf or not."""
    rows = (
        ReturnLine.objects.filter(return_order__order=order, order_line__variant__isnull=False)
        .exclude(return_order__status=Return.Status.REFUSED)
        .values_list("order_line__variant_id", "quantity")
    )
    units = Counter[int]()
    for variant_id, quantity in rows:
        units[variant_id] += quantity
    return units


@transaction.atomic
def give_order_stock_back(*, order: Order, cause: str, reason: str, now: datetime) -> None:
    """Put the units of a sold order that never left the house back on the shelf.

    What is still owed to it never left the shelf either: it is owed no more. What came back before,
    by `receive_return`, does not come back again. Joins the caller's transaction, who holds the
    order's lock and calls this once.
    """
    stock = stock_lines(list(order.lines.all()))
    if not stock:
        return
    never_left = end_owed(
        references=order.stock_references,
        variant_ids=[line.variant_id for line in stock],
        reason=reason[:500],
        now=now,
    )
    not_out = never_left + _units_back(order)
    left = [
        StockLine(line.variant_id, line.quantity - not_out[line.variant_id])
        for line in stock
        if line.quantity > not_out[line.variant_id]
    ]
    if left:
        return_stock(
            lines=left,
            cause=cause,
            reason=reason[:500],
            now=now,
            references=order.stock_references,
        )
