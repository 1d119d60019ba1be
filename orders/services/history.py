"""Replaying what happened in another system, by the services that the shop itself sells by.

The clock is the history's: everything is dated when it happened. Each invoice is one transaction
and is known by its reference, so a replay may be killed at any moment and begun again.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils.text import slugify

from accounts.models import User
from accounts.services import customers_for_history
from catalog.models import Variant
from catalog.services import ProductDraft, VariantDraft, ensure_category, upsert_products
from inventory.models import Stock, StockMovement
from inventory.selectors import default_warehouse
from inventory.services import ReceiptLine, StockLine, receive_stock, write_off
from orders.errors import ReplayRunning
from orders.models import (
    AccountAdjustment,
    Cancellation,
    CancellationLine,
    Channel,
    LineKind,
    Order,
    OrderLine,
    Payment,
    Refund,
    Return,
    ReturnLine,
    UnstockedWriteOff,
)
from orders.services.aftersales import (
    CreditLine,
    RefundPart,
    ReturnPart,
    issue_credit_note,
    receive_return,
    refund_order,
)
from orders.services.drafts import DraftLine, OrderDraft, Postal
from orders.services.history_input import CURRENCY, History, Invoice, Kind, Row
from orders.services.history_plan import (
    UNKNOWN_COUNTRY,
    Article,
    articles,
    country_code,
    opening_stock,
)
from orders.services.paying import record_sale
from shop.db.retry import retried
from shop.money import to_minor

SOURCE = "online_retail"
CATEGORY = "Wholesale history"
NO_REASON = "Written off, no reason given"
OPENING_REASON = "Stock that the replayed history began with"
CANCELLED_REASON = "Cancelled in the replayed history"

# Of one transaction: nobody but the replay ever sees an order of it wait for its payment.
_HOLD = timedelta(minutes=15)
_REPLAY_LOCK = 7_024_116_005  # any number that no other advisory lock of the shop uses


class Outcome(StrEnum):
    """What became of an invoice."""

    REPLAYED = "replayed"
    KNOWN = "known"  # by an earlier replay


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands ready before the first invoice: goods, people, and a place for stock."""

    variant_ids: Mapping[str, int]  # by stock code
    titles: Mapping[str, str]  # by stock code
    customers: Mapping[str, User]  # by their number in the history
    warehouse: str


def reference_of(invoice: Invoice) -> str:
    """Return the name under which this invoice is known in the shop."""
    return f"{SOURCE}:{invoice.number}"


@contextmanager
def only_replay() -> Iterator[None]:
    """Keep a second replay out for as long as this one runs.

    Two at once would be safe, but each would receive opening stock for the same invoices. Ends
    with the connection, so a replay that is killed is in nobody's way. Raises ReplayRunning.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_REPLAY_LOCK])
        if cursor.fetchone() != (True,):
            raise ReplayRunning("Another replay is running on this database.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_REPLAY_LOCK])


def not_yet_replayed(invoices: Iterable[Invoice]) -> list[int]:
    """Return the places of the invoices that the shop does not know yet. Five queries."""
    mine = {"external_ref__startswith": f"{SOURCE}:"}
    done: dict[Kind, set[str | None]] = {
        Kind.SALE: set(
            Order.objects.filter(confirmed_at__isnull=False, **mine).values_list(
                "external_ref", flat=True
            )
        ),
        Kind.CANCELLATION: set(
            Cancellation.objects.filter(**mine).values_list("external_ref", flat=True)
        ),
        Kind.WRITE_OFF: {
            *UnstockedWriteOff.objects.filter(**mine).values_list("external_ref", flat=True),
            *(
                cause.partition("/")[0]
                for cause in StockMovement.objects.filter(
                    kind=StockMovement.Kind.WRITE_OFF, cause__startswith=f"{SOURCE}:"
                ).values_list("cause", flat=True)
            ),
        },
        Kind.ADJUSTMENT: set(
            AccountAdjustment.objects.filter(**mine).values_list("external_ref", flat=True)
        ),
    }
    return [
        place
        for place, invoice in enumerate(invoices)
        if reference_of(invoice) not in done[invoice.kind]
    ]


def prepare_ground(*, history: History, now: datetime) -> Ground:
    """Make the goods and the customers of this history that are not here yet.

    A SKU that the shop has already is taken as it is. Safe to repeat.
    """
    goods = articles(history)
    variant_ids = _known_variants(goods)
    missing = [article for article in goods if article.code not in variant_ids]
    if missing:
        with transaction.atomic():
            slug = ensure_category(path=[CATEGORY]).slug
            upsert_products(drafts=[_product(article, slug) for article in missing], now=now)
        variant_ids = _known_variants(goods)
    return Ground(
        variant_ids=variant_ids,
        titles={article.code: article.title for article in goods},
        customers=customers_for_history(
            {invoice.customer for invoice in history.invoices if invoice.customer}, now=now
        ),
        warehouse=default_warehouse().code,
    )


def _known_variants(goods: Sequence[Article]) -> dict[str, int]:
    return dict(
        Variant.objects.filter(sku__in=[article.code for article in goods]).values_list("sku", "pk")
    )


def _product(article: Article, category_slug: str) -> ProductDraft:
    prices = {} if article.price_minor is None else {CURRENCY: (article.price_minor, None)}
    return ProductDraft(
        slug=_slug(article.code),
        title=article.title,
        category_slug=category_slug,
        # Sold here once, which does not say that it still is: whoever runs the shop publishes it.
        is_published=False,
        variants=[VariantDraft(sku=article.code, prices=prices)],
    )


def _slug(code: str) -> str:
    """Return a slug that no other code has, though some codes differ by case alone."""
    slug = f"wholesale-{slugify(code)}"
    if code == slugify(code).upper():
        return slug
    return f"{slug}-{hashlib.sha256(code.encode()).hexdigest()[:8]}"


@retried
@transaction.atomic(durable=True)
def receive_opening_stock(*, invoices: Sequence[Invoice], ground: Ground, now: datetime) -> int:
    """Receive the least stock with which these invoices can be replayed in this order.

    Takes account of what is on the shelf already, so it may be called again at any time: before
    the rest of a replay that was killed, or before another half year. Returns the units received.
    """
    needed = opening_stock(invoices)
    on_shelf = {
        row["variant"]: row["units"]
        for row in Stock.objects.filter(
            variant__in=[ground.variant_ids[code] for code in needed],
            warehouse__code=ground.warehouse,
        )
        .values("variant")
        .annotate(units=Sum(F("on_hand") - F("reserved")))
    }
    lines = []
    for code, units in needed.items():
        variant_id = ground.variant_ids[code]
        if (short := units - max(on_shelf.get(variant_id, 0), 0)) > 0:
            lines.append(ReceiptLine(variant_id, short))
    if lines:
        receive_stock(
            lines=lines,
            warehouse=ground.warehouse,
            # Never the same twice: what is received is what is missing at this moment.
            cause=f"{SOURCE}:opening:{uuid4().hex}",
            reason=OPENING_REASON,
            now=now,
        )
    return sum(line.quantity for line in lines)


def replay_invoice(*, invoice: Invoice, ground: Ground) -> Outcome:
    """Let one invoice happen, dated when it did: all of it, or nothing.

    One transaction of its own. Safe to repeat: an invoice that is known stays as it is. The same
    number of queries for any number of lines, but for a cancellation, which takes some more for
    each order that it gives back from.

    Raises OutOfStock and StockBelowReserved when others have bought what this needs.
    """
    match invoice.kind:
        case Kind.SALE:
            return _replay_sale(invoice, ground)
        case Kind.CANCELLATION:
            return _replay_cancellation(invoice, ground)
        case Kind.WRITE_OFF:
            return _replay_write_off(invoice, ground)
        case Kind.ADJUSTMENT:
            return _replay_adjustment(invoice, ground)


# Sales -------------------------------------------------------------------------------------------


@retried
@transaction.atomic(durable=True)
def _replay_sale(invoice: Invoice, ground: Ground) -> Outcome:
    code = country_code(invoice.country)
    placed = record_sale(
        draft=OrderDraft(
            currency=CURRENCY,
            country=code,
            lines=tuple(_sold_line(row, ground) for row in invoice.rows),
            customer=ground.customers.get(invoice.customer),
            channel=Channel.HISTORY,
            external_ref=reference_of(invoice),
            shipping_address=_region_only(invoice) if code == UNKNOWN_COUNTRY else None,
        ),
        now=invoice.happened_at,
        expires_at=invoice.happened_at + _HOLD,
    )
    return Outcome.REPLAYED if placed.is_new else Outcome.KNOWN


def _sold_line(row: Row, ground: Ground) -> DraftLine:
    return DraftLine(
        variant_id=ground.variant_ids[row.code] if row.is_stocked else None,
        sku=row.code,
        title=_title(row, ground),
        quantity=row.quantity,
        unit_price_minor=row.unit_price_minor,
        total_minor=row.amount_minor,
        kind=_line_kind(row),
        is_free=row.is_free,
    )


def _title(row: Row, ground: Ground) -> str:
    return row.description or ground.titles.get(row.code) or row.code


def _line_kind(row: Row) -> LineKind:
    return LineKind.GOODS if row.is_stocked else LineKind.FEE


def _region_only(invoice: Invoice) -> Postal | None:
    """Keep the wholesaler's word for a place that no code of a country stands for."""
    if not invoice.country:
        return None
    return Postal(name="", line1="", city="", country=UNKNOWN_COUNTRY, region=invoice.country)


# Cancellations -----------------------------------------------------------------------------------


@retried
@transaction.atomic(durable=True)
def _replay_cancellation(invoice: Invoice, ground: Ground) -> Outcome:
    reference = reference_of(invoice)
    if Cancellation.objects.filter(external_ref=reference).exists():
        return Outcome.KNOWN
    lines = _matched(invoice, ground)
    _lock_stock(lines)
    cancellation = Cancellation.objects.create(
        external_ref=reference,
        customer=ground.customers.get(invoice.customer),
        country=country_code(invoice.country),
        currency=CURRENCY,
        total_minor=sum(line.amount_minor for line in lines),
        happened_at=invoice.happened_at,
    )
    for position, line in enumerate(lines, start=1):
        line.cancellation = cancellation
        line.position = position
    CancellationLine.objects.bulk_create(lines, batch_size=1000)
    by_order: dict[Order | None, list[CancellationLine]] = defaultdict(list)
    for line in lines:
        by_order[line.order_line.order if line.order_line else None].append(line)
    for order, of_order in by_order.items():
        if order is None:
            _credit_alone(cancellation, of_order, ground)
        else:
            _give_back(cancellation, order, of_order)
    return Outcome.REPLAYED


def _lock_stock(lines: Sequence[CancellationLine]) -> None:
    """Lock all the stock that will change, in the one order.

    Each return locks its own in that order; two returns in one transaction would not.
    """
    variant_ids = {line.variant_id for line in lines if line.variant_id is not None}
    list(Stock.objects.filter(variant__in=variant_ids).locked().values_list("pk"))


def _give_back(cancellation: Cancellation, order: Order, lines: Sequence[CancellationLine]) -> None:
    """Return the units of these lines to their order, and what they cost to its buyer."""
    reference = f"cancellation:{cancellation.pk}:{order.pk}"
    reason = f"{CANCELLED_REASON}: {cancellation.external_ref}"
    units: Counter[int] = Counter()
    money: Counter[int] = Counter()
    for line in lines:
        if line.order_line_id is not None:
            units[line.order_line_id] += line.quantity
            money[line.order_line_id] += line.amount_minor
    receive_return(
        order=order,
        lines=[ReturnPart(line_id, quantity) for line_id, quantity in units.items()],
        reason=reason,
        reference=reference,
        now=cancellation.happened_at,
    )
    if amount_minor := sum(money.values()):
        refund_order(
            order=order,
            amount_minor=amount_minor,
            lines=[
                RefundPart(line_id, quantity, money[line_id]) for line_id, quantity in units.items()
            ],
            reason=reason,
            reference=reference,
            now=cancellation.happened_at,
        )


def _credit_alone(
    cancellation: Cancellation, lines: Sequence[CancellationLine], ground: Ground
) -> None:
    """Credit what was sold before our history begins, or to somebody whom we cannot tell."""
    issue_credit_note(
        external_ref=cancellation.external_ref,
        channel=Channel.HISTORY,
        customer=cancellation.customer,
        country=cancellation.country,
        currency=cancellation.currency,
        lines=[
            CreditLine(
                variant_id=line.variant_id,
                sku=line.sku,
                title=line.title,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                total_minor=line.amount_minor,
                kind=LineKind(line.kind),
            )
            for line in lines
        ],
        reason=CANCELLED_REASON,
        now=cancellation.happened_at,
        warehouse=ground.warehouse,
    )


@dataclass(slots=True)
class _Sold:
    """A sold line, and how many of its units have not come back."""

    line: OrderLine
    left: int  # units


def _matched(invoice: Invoice, ground: Ground) -> list[CancellationLine]:
    """Decide which sold lines the units come back from; the rest comes back from none.

    Of the lines of that customer and code that were sold by then, those at the same price come
    first, and later ones before earlier ones. Never more units of a line than are still out, and
    never more money of an order than was paid and not given back.
    """
    sold = _still_out(invoice, ground)
    refundable = _refundable(
        {entry.line.order_id for entries in sold.values() for entry in entries}
    )
    made = []
    for row in invoice.rows:
        pieces: list[tuple[OrderLine | None, int]] = []
        wanted = -row.quantity
        candidates = sold.get(row.code, [])
        for entry in sorted(
            candidates, key=lambda entry: entry.line.unit_price_minor != row.unit_price_minor
        ):
            units = min(wanted, entry.left)
            if row.unit_price > 0:
                units = min(units, int(refundable[entry.line.order_id] / (row.unit_price * 100)))
            if units <= 0:
                continue
            entry.left -= units
            wanted -= units
            # A piece may be rounded up to the next penny, and never further.
            refundable[entry.line.order_id] -= ceil(row.unit_price * 100 * units)
            pieces.append((entry.line, units))
        if wanted:
            pieces.append((None, wanted))
        amounts = _amounts(row, [units for _, units in pieces])
        made += [
            CancellationLine(
                order_line=line,
                kind=_line_kind(row),
                variant_id=ground.variant_ids[row.code] if row.is_stocked else None,
                sku=row.code,
                title=_title(row, ground),
                quantity=units,
                unit_price_minor=row.unit_price_minor,
                amount_minor=amount,
            )
            for (line, units), amount in zip(pieces, amounts, strict=True)
        ]
    return made


def _amounts(row: Row, pieces: Sequence[int]) -> list[int]:
    """Return what each piece of a cancelled line comes to: together, to the penny, the line."""
    amounts, units, so_far = [], 0, 0
    for piece in pieces:
        units += piece
        amount = to_minor(row.unit_price * units, CURRENCY)
        amounts.append(amount - so_far)
        so_far = amount
    return amounts


def _still_out(invoice: Invoice, ground: Ground) -> dict[str, list[_Sold]]:
    """Return what this customer bought by then and has not given back, by code, latest first.

    The orders are locked, so that nobody gives anything back from them meanwhile.
    """
    customer = ground.customers.get(invoice.customer)
    if customer is None:
        return {}
    lines = OrderLine.objects.filter(
        order__customer=customer,
        order__currency=CURRENCY,
        order__status__in=[Order.Status.CONFIRMED, Order.Status.COMPLETED],
        order__placed_at__lte=invoice.happened_at,
        sku__in={row.code for row in invoice.rows},
    )
    order_of = {
        order.pk: order for order in Order.objects.filter(pk__in=lines.values("order")).locked()
    }
    if not order_of:
        return {}
    back = dict(
        ReturnLine.objects.filter(order_line__in=lines)
        .exclude(return_order__status=Return.Status.REFUSED)
        .values_list("order_line")
        .annotate(units=Sum("quantity"))
    )
    found: dict[str, list[_Sold]] = defaultdict(list)
    for line in lines.order_by("-order__placed_at", "-order_id", "position"):
        if left := line.quantity - back.get(line.pk, 0):
            line.order = order_of[line.order_id]
            found[line.sku].append(_Sold(line, left))
    return found


def _refundable(order_ids: set[int]) -> Counter[int]:
    """Return what was paid and not given back, in minor units by order."""
    left: Counter[int] = Counter()
    if order_ids:
        captured = Payment.objects.filter(order__in=order_ids).values_list("order")
        given = (
            Refund.objects.filter(order__in=order_ids)
            .exclude(status=Refund.Status.FAILED)
            .values_list("order")
        )
        left.update(dict(captured.annotate(sum=Sum("captured_minor"))))
        left.subtract(dict(given.annotate(sum=Sum("amount_minor"))))
    return left


# Write-offs and adjustments ----------------------------------------------------------------------


@retried
@transaction.atomic(durable=True)
def _replay_write_off(invoice: Invoice, ground: Ground) -> Outcome:
    reference = reference_of(invoice)
    stocked: dict[str, list[StockLine]] = defaultdict(list)
    unstocked = []
    for position, row in enumerate(invoice.rows, start=1):
        reason = row.description or NO_REASON
        if row.is_stocked:
            stocked[reason].append(StockLine(ground.variant_ids[row.code], -row.quantity))
        else:
            unstocked.append(
                UnstockedWriteOff(
                    external_ref=reference,
                    position=position,
                    sku=row.code,
                    quantity=-row.quantity,
                    reason=reason,
                    happened_at=invoice.happened_at,
                )
            )
    UnstockedWriteOff.objects.bulk_create(unstocked, ignore_conflicts=True)
    for number, (reason, lines) in enumerate(stocked.items(), start=1):
        write_off(
            lines=lines,
            warehouse=ground.warehouse,
            cause=f"{reference}/{number}",
            reason=reason,
            now=invoice.happened_at,
        )
    return Outcome.REPLAYED


@retried
@transaction.atomic(durable=True)
def _replay_adjustment(invoice: Invoice, ground: Ground) -> Outcome:
    AccountAdjustment.objects.bulk_create(
        (
            AccountAdjustment(
                external_ref=reference_of(invoice),
                position=position,
                customer=ground.customers.get(invoice.customer),
                sku=row.code,
                reason=row.description or row.code,
                amount_minor=row.amount_minor,
                currency=CURRENCY,
                happened_at=row.happened_at,
            )
            for position, row in enumerate(invoice.rows, start=1)
        ),
        ignore_conflicts=True,
    )
    return Outcome.REPLAYED
