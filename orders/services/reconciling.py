"""Looking whether the books of orders and payments agree, and mending what is certain."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from uuid import UUID

from django.db import transaction

from inventory.models import ReconciliationFinding, ReconciliationRun, Reservation
from inventory.services import (
    Break,
    Repair,
    record_reconciliation,
    release_stock,
    resolve_finding,
)
from orders.models import Order, Payment, Refund
from orders.selectors import (
    ORDER_CHECKS,
    PAYMENT_CHECKS,
    PROVIDER_CHECKS,
    Finding,
    order_findings,
    payments_seen,
)
from orders.selectors.reconciliation.checks import OPEN_PATIENCE
from orders.services.sweeping import expire_order, sweep_payments
from shop.db.alone import alone
from shop.db.retry import retried
from shop.outbox import services as outbox

ORDERS = "orders"
PAYMENTS = "payments"
# Providers are asked about so much time; what is found stays in sight until it is mended.
PROVIDER_WINDOW = timedelta(hours=48)

_ORDERS_LOCK = 7_302_021  # any numbers, the same for every process, and no other lock's
_PAYMENTS_LOCK = 7_302_022


@dataclass(frozen=True, slots=True)
class BooksSeen:
    """A look at the books: the run that was stored, and what it found."""

    run: ReconciliationRun
    findings: list[Finding]


def reconcile_orders(*, now: datetime) -> BooksSeen | None:
    """Look whether all orders agree with lines, money and stock, and remember what was seen.

    One at a time: None when another process is at it. Never call it in a transaction: the look
    needs a snapshot of its own. Safe to repeat, and to be killed at any line.
    """
    with alone(_ORDERS_LOCK) as is_mine:
        if not is_mine:
            return None
        started = perf_counter()
        found = order_findings(now=now)
        run = record_reconciliation(
            scope=ORDERS,
            checks=[check.name for check in ORDER_CHECKS],
            breaks=map(_break, found),
            now=now,
            seconds=perf_counter() - started,
        )
    return BooksSeen(run, found)


def reconcile_payments(
    *, now: datetime, window: timedelta | None = PROVIDER_WINDOW
) -> BooksSeen | None:
    """Look whether all payments agree with orders and providers, and remember what was seen.

    Providers are asked about the payments of the last `window` (None: all), and about those where
    they disagreed before. Otherwise like `reconcile_orders`. While one does not answer, what was
    found about providers stays as it was.
    """
    with alone(_PAYMENTS_LOCK) as is_mine:
        if not is_mine:
            return None
        started = perf_counter()
        seen = payments_seen(
            now=now,
            since=None if window is None else now - window,
            again=_disputed(),
        )
        run = record_reconciliation(
            scope=PAYMENTS,
            checks=[*(check.name for check in PAYMENT_CHECKS), *PROVIDER_CHECKS],
            breaks=map(_break, seen.findings),
            now=now,
            seconds=perf_counter() - started,
            unseen=list(PROVIDER_CHECKS) if seen.away else (),
        )
    return BooksSeen(run, seen.findings)


def repair_books(*, findings: Collection[Finding], now: datetime) -> list[Repair]:
    """Mend what is certain among these, and return what was done; the rest stays as it is.

    Each check says itself what a machine may do about its findings (`mending`), and only that is
    done, by the services that the jobs use too, after a look under the lock. What was mended is
    resolved with a word on how. Safe to repeat. Never call it in a transaction.
    """
    repairs: list[Repair] = []
    for finding in findings:
        mend = _MENDING.get(finding.check)
        done = mend(finding, now) if mend is not None else ""
        if not done:
            continue
        resolve_finding(
            scope=_SCOPE_OF[finding.check],
            kind=finding.check,
            reference=finding.reference,
            resolution=done,
            now=now,
        )
        repairs.append(Repair(finding.reference, done))
    return repairs


def _disputed() -> list[UUID]:
    """Return the payments about which a provider was found to say something else."""
    return [
        UUID(reference)
        for reference in ReconciliationFinding.objects.filter(
            scope=PAYMENTS, kind__in=PROVIDER_CHECKS, state=ReconciliationFinding.State.OPEN
        ).values_list("reference", flat=True)
    ]


def _break(finding: Finding) -> Break:
    return Break(finding.check, finding.reference, finding.expected, finding.found)


@retried
@transaction.atomic(durable=True)
def _release_of_cancelled(finding: Finding, now: datetime) -> str:
    order = Order.objects.locked().get(number=finding.reference)
    references = [order.stock_reference, f"{order.stock_reference}:again"]
    if order.status != Order.Status.CANCELLED or not _held(references):
        return ""
    why = "Released: its order is cancelled"
    for reference in references:
        release_stock(reference=reference, now=now, reason=why)
    return why


@retried
@transaction.atomic(durable=True)
def _release_of_nobody(finding: Finding, now: datetime) -> str:
    order_id = int(finding.reference.split(":")[1])
    # An order comes in the transaction that holds its stock: none now is none ever.
    if Order.objects.filter(pk=order_id).exists() or not _held([finding.reference]):
        return ""
    why = "Released: there is no such order"
    release_stock(reference=finding.reference, now=now, reason=why)
    return why


def _held(references: Collection[str]) -> bool:
    return Reservation.objects.filter(
        reference__in=references, state=Reservation.State.HELD
    ).exists()


def _expire(finding: Finding, now: datetime) -> str:
    order = Order.objects.filter(
        number=finding.reference, status=Order.Status.PENDING, hold_expires_at__lte=now
    ).first()
    if order is None or not expire_order(order_id=order.pk, now=now):
        return ""
    order.refresh_from_db(fields=["status"])
    return f"Brought to its end: {order.status.lower()}"


def _relay(finding: Finding, now: datetime) -> str:
    waiting = outbox.waiting(topic=finding.reference)
    outbox.relay(now=now)
    left = outbox.waiting(topic=finding.reference)
    return f"Relayed {waiting - left} of {waiting}" if left < waiting else ""


def _ask_for_payment(finding: Finding, now: datetime) -> str:
    due = Payment.objects.filter(pk=finding.reference, status__in=Payment.OPEN)
    if not due.update(next_attempt_at=now):
        return ""
    sweep_payments(now=now)
    payment = Payment.objects.get(pk=finding.reference)
    asked_first = payment.requested_at or payment.created_at
    is_late = payment.status == Payment.Status.REQUESTED and asked_first < now - OPEN_PATIENCE
    is_due = payment.next_attempt_at is None or payment.next_attempt_at <= now
    if payment.is_open and (is_late or is_due):
        return ""  # the provider does not answer, or another sweep is about to ask it
    return f"Asked the provider: {payment.status.lower()}"


def _ask_for_refund(finding: Finding, now: datetime) -> str:
    open_states = [Refund.Status.NEW, Refund.Status.REQUESTED]
    due = Refund.objects.filter(pk=finding.reference, status__in=open_states)
    if not due.update(next_attempt_at=now):
        return ""
    sweep_payments(now=now)
    refund = Refund.objects.get(pk=finding.reference)
    return "" if refund.status in open_states else f"Asked the provider: {refund.status.lower()}"


_MENDING: dict[str, Callable[[Finding, datetime], str]] = {
    "only_pending_orders_hold_stock": _release_of_cancelled,
    "stock_is_promised_to_orders": _release_of_nobody,
    "holds_end_in_time": _expire,
    "outbox_is_relayed": _relay,
    "payments_come_to_an_end": _ask_for_payment,
    "refunds_come_to_an_end": _ask_for_refund,
}
_SCOPE_OF = {
    **{check.name: ORDERS for check in ORDER_CHECKS},
    **{check.name: PAYMENTS for check in PAYMENT_CHECKS},
    **dict.fromkeys(PROVIDER_CHECKS, PAYMENTS),
}
