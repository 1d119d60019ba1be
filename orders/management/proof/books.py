"""What is compared when all is quiet: answers, orders, payments, provider, counters and ledger."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from inventory.models import FlashSale, Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock
from orders.management.proof.goods import Goods
from orders.management.proof.people import Buyer, Intent
from orders.models import Order, OrderLine, Payment, Refund
from orders.providers import provider_of
from orders.providers.base import Outcome, PaymentResult
from orders.selectors import order_findings, payment_findings

_KEPT = frozenset({Order.Status.CONFIRMED, Order.Status.COMPLETED})


@dataclass(frozen=True, slots=True)
class Counted:
    """The units of one round, as the database has them."""

    sold: int
    on_hand: int
    reserved: int
    ledger_on_hand: int
    ledger_reserved: int


def count(goods: Goods) -> Counted:
    """Count the units that confirmed orders have, and what stock and ledger say."""
    sold = OrderLine.objects.filter(variant_id=goods.variant_id, order__status__in=_KEPT).aggregate(
        units=Sum("quantity")
    )["units"]
    stock = Stock.objects.filter(variant_id=goods.variant_id).aggregate(
        on_hand=Sum("on_hand"), reserved=Sum("reserved")
    )
    ledger = StockMovement.objects.filter(stock__variant_id=goods.variant_id).aggregate(
        on_hand=Sum("delta_on_hand"), reserved=Sum("delta_reserved")
    )
    return Counted(
        sold=sold or 0,
        on_hand=stock["on_hand"] or 0,
        reserved=stock["reserved"] or 0,
        ledger_on_hand=ledger["on_hand"] or 0,
        ledger_reserved=ledger["reserved"] or 0,
    )


def is_at_rest(goods: Goods) -> bool:
    """Tell whether nothing of this round is still on its way."""
    orders = Order.objects.filter(lines__variant_id=goods.variant_id)
    unpaid = [Refund.Status.NEW, Refund.Status.REQUESTED]
    return not (
        orders.filter(status=Order.Status.PENDING).exists()
        or Payment.objects.filter(order__in=orders, status__in=Payment.OPEN).exists()
        or Refund.objects.filter(order__in=orders, status__in=unpaid).exists()
        or Reservation.objects.filter(stock__variant_id=goods.variant_id, state="HELD").exists()
    )


def breaches(goods: Goods, buyers: Sequence[Buyer], *, since: datetime, now: datetime) -> list[str]:
    """Return each broken promise of the round in a sentence: none, in a sound shop."""
    orders = {
        order.number: order
        for order in Order.objects.filter(lines__variant_id=goods.variant_id)
        .prefetch_related("payments__refunds")
        .distinct()
    }
    return [
        *_of_units(goods, buyers),
        *_of_answers(buyers, orders),
        *_of_money(orders, since=since),
        *(
            f"{drift.check}: {drift.sku}: expected {drift.expected}, found {drift.found}"
            for drift in drifted_stock(sku=goods.sku, now=now)
        ),
        *_of_reconciliation(orders, since=since, now=now),
    ]


def _of_units(goods: Goods, buyers: Sequence[Buyer]) -> list[str]:
    counted = count(goods)
    wanted = sum(buyer.intent is Intent.BUY for buyer in buyers)
    refused = sum(buyer.is_refused for buyer in buyers)
    found = []
    if counted.sold > goods.units:
        found.append(f"oversold: {counted.sold} units of {goods.units}")
    if counted.sold < min(goods.units, wanted) and refused:
        found.append(
            f"undersold: {goods.units - counted.sold} units left, and {refused} buyers refused"
        )
    if counted.on_hand != goods.units - counted.sold:
        found.append(f"on hand {counted.on_hand}, but {goods.units - counted.sold} are not sold")
    if goods.sale_slug:
        sale = FlashSale.objects.get(slug=goods.sale_slug)
        if sale.taken != counted.sold:
            found.append(f"the sale gave {sale.taken} units, and {counted.sold} are sold")
    if counted.reserved != 0:
        found.append(f"{counted.reserved} units are promised, and nobody waits for them")
    if (counted.ledger_on_hand, counted.ledger_reserved) != (counted.on_hand, counted.reserved):
        found.append(
            f"ledger {counted.ledger_on_hand}/{counted.ledger_reserved}, "
            f"counters {counted.on_hand}/{counted.reserved}"
        )
    return found


def _of_answers(buyers: Sequence[Buyer], orders: dict[str, Order]) -> list[str]:
    found = []
    told = Counter(buyer.order_number for buyer in buyers if buyer.is_sold)
    found += [
        f"order {number}: told to {times} buyers" for number, times in told.items() if times > 1
    ]
    for buyer in buyers:
        if not buyer.is_sold:
            continue
        order = orders.get(buyer.order_number)
        if order is None:
            found.append(f"order {buyer.order_number}: acknowledged, and not there")
        elif buyer.intent is Intent.BUY and order.status not in _KEPT:
            found.append(f"order {order.number}: acknowledged as sold, and is {order.status}")
        elif buyer.intent is Intent.ABANDON and order.status != Order.Status.CANCELLED:
            found.append(f"order {order.number}: never paid, and is {order.status}")
        elif buyer.intent is Intent.CANCEL and (
            not buyer.cancelled or order.status != Order.Status.CANCELLED
        ):
            found.append(f"order {order.number}: was to be cancelled, and is {order.status}")
    found += [
        f"order {number}: {order.status.lower()}, and nobody was told"
        for number, order in orders.items()
        if order.status in _KEPT and number not in told
    ]
    return found


def _of_money(orders: dict[str, Order], *, since: datetime) -> list[str]:
    statement = provider_of("sandbox").statement(since=since) or {}
    found = []
    for order in orders.values():
        held = sum(_kept_minor(statement.get(payment.pk)) for payment in order.payments.all())
        should = order.total_minor if order.status in _KEPT else 0
        if held != should:
            found.append(f"order {order.number}: the provider keeps {held}, and not {should}")
        charges = sum(_is_captured(statement.get(payment.pk)) for payment in order.payments.all())
        if charges > 1:
            found.append(f"order {order.number}: charged {charges} times")
    taken = [key for key, result in statement.items() if _is_captured(result)]
    known = set(Payment.objects.filter(pk__in=taken).values_list("pk", flat=True))
    found += [f"charge {key}: of no payment" for key in taken if key not in known]
    return found


def _is_captured(result: PaymentResult | None) -> bool:
    return result is not None and result.outcome is Outcome.CAPTURED


def _kept_minor(result: PaymentResult | None) -> int:
    if result is None or result.outcome is not Outcome.CAPTURED:
        return 0
    return result.amount_minor - result.refunded_minor


def _of_reconciliation(orders: dict[str, Order], *, since: datetime, now: datetime) -> list[str]:
    ours = {*orders, *(str(p.pk) for order in orders.values() for p in order.payments.all())}
    findings = [*order_findings(now=now), *payment_findings(now=now, since=since)]
    return [
        f"{finding.check}: {finding.reference}: expected {finding.expected}, found {finding.found}"
        for finding in findings
        if finding.reference in ours
    ]
