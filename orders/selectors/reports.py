"""What was sold and what came back, by day, week or month: for people who count."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncMonth, TruncWeek

from inventory.models import StockMovement
from orders.models import (
    AccountAdjustment,
    Cancellation,
    CreditNote,
    CreditNoteLine,
    Order,
    OrderLine,
    Refund,
    ReturnLine,
    UnstockedWriteOff,
)


class Period(StrEnum):
    """How the days are put together. A week begins on Monday; days are those of UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(slots=True)
class SalesRow:
    """One period of trade. Money in minor units of one currency; what goes back is below 0."""

    start: date
    sale_invoices: int = 0  # orders that were confirmed, also if they were cancelled later
    cancel_invoices: int = 0  # documents that gave money or units back
    gross_minor: int = 0  # what the orders came to
    cancelled_minor: int = 0
    units_sold: int = 0  # for money; fees count like goods
    units_back: int = 0
    units_written_off: int = 0
    free_units: int = 0  # given away
    customers: int = 0  # different ones who bought or gave back; guests are not counted
    other_minor: int = 0  # money without goods: bad debts


_TRUNC = {Period.DAY: TruncDay, Period.WEEK: TruncWeek, Period.MONTH: TruncMonth}

# Cancellations bring returns, refunds and a credit note about, under references that say so.
CANCELLATION_PREFIX = "cancellation:"


def sales_by(
    period: Period, *, currency: str, first: date | None = None, last: date | None = None
) -> list[SalesRow]:
    """Return a row for each period in which something happened, oldest first.

    Only from the day `first` to the day `last`, both included. Counts what was confirmed: an order
    that was never paid is in no column. A number of queries that does not grow.
    """
    return list(_Report(period, currency, first, last).rows())


class _Report:
    def __init__(
        self, period: Period, currency: str, first: date | None, last: date | None
    ) -> None:
        self._trunc = _TRUNC[period]
        self._currency = currency
        self._after = None if first is None else _midnight(first)
        self._before = None if last is None else _midnight(last + timedelta(days=1))
        self._rows: dict[date, SalesRow] = {}

    def rows(self) -> Iterator[SalesRow]:
        self._add_sales()
        self._add_what_came_back()
        self._add_write_offs()
        self._add_adjustments()
        self._add_customers()
        for start in sorted(self._rows):
            yield self._rows[start]

    def _sold(self) -> QuerySet[Order]:
        return Order.objects.filter(currency=self._currency, confirmed_at__isnull=False)

    def _add_sales(self) -> None:
        orders = self._sold()
        self._add(orders, "placed_at", sale_invoices=Count("pk"), gross_minor=Sum("total_minor"))
        lines = OrderLine.objects.filter(order__in=orders)
        self._add(
            lines,
            "order__placed_at",
            units_sold=Sum("quantity", filter=Q(is_free=False), default=0),
            free_units=Sum("quantity", filter=Q(is_free=True), default=0),
        )

    def _add_what_came_back(self) -> None:
        of_orders = Q(order__currency=self._currency)
        refunds = Refund.objects.filter(currency=self._currency, status=Refund.Status.SUCCEEDED)
        self._add(refunds, "settled_at", cancelled_minor=-Sum("amount_minor"))
        self._add(
            ReturnLine.objects.filter(
                return_order__order__currency=self._currency,
                return_order__received_at__isnull=False,
            ),
            "return_order__received_at",
            units_back=Sum("quantity"),
        )
        notes = CreditNote.objects.filter(currency=self._currency)
        self._add(notes, "issued_at", cancelled_minor=-Sum("total_minor"))
        self._add(
            CreditNoteLine.objects.filter(credit_note__in=notes),
            "credit_note__issued_at",
            units_back=Sum("quantity"),
        )
        # What is cancelled before it was sent comes back without a return.
        cancelled = self._sold().filter(status=Order.Status.CANCELLED)
        self._add(
            OrderLine.objects.filter(order__in=cancelled),
            "order__cancelled_at",
            units_back=Sum("quantity"),
        )
        # A document counts once, whatever it brought about: a cancellation from outside may be
        # several refunds, returns and a credit note; in the shop, all that one order gets back on
        # one occasion counts as one, and a credit note of its own as another.
        self._add(
            Cancellation.objects.filter(currency=self._currency),
            "happened_at",
            cancel_invoices=Count("pk"),
        )
        self._add(
            refunds.filter(of_orders).exclude(reference__startswith=CANCELLATION_PREFIX),
            "settled_at",
            cancel_invoices=Count("pk"),
        )
        self._add(
            notes.exclude(
                external_ref__in=Cancellation.objects.values("external_ref"),
            ),
            "issued_at",
            cancel_invoices=Count("pk"),
        )

    def _add_write_offs(self) -> None:
        self._add(
            StockMovement.objects.filter(kind=StockMovement.Kind.WRITE_OFF),
            "happened_at",
            units_written_off=-Sum("delta_on_hand"),
        )
        self._add(UnstockedWriteOff.objects.all(), "happened_at", units_written_off=Sum("quantity"))

    def _add_adjustments(self) -> None:
        self._add(
            AccountAdjustment.objects.filter(currency=self._currency),
            "happened_at",
            other_minor=Sum("amount_minor"),
        )

    def _add_customers(self) -> None:
        seen: dict[date, set[int]] = defaultdict(set)
        documents: Iterable[tuple[QuerySet[Any], str, str]] = (
            (self._sold(), "placed_at", "customer_id"),
            (Cancellation.objects.filter(currency=self._currency), "happened_at", "customer_id"),
            (CreditNote.objects.filter(currency=self._currency), "issued_at", "customer_id"),
            (
                Refund.objects.filter(currency=self._currency, status=Refund.Status.SUCCEEDED),
                "settled_at",
                "order__customer_id",
            ),
            (
                AccountAdjustment.objects.filter(currency=self._currency),
                "happened_at",
                "customer_id",
            ),
        )
        for found, moment, customer in documents:
            pairs = (
                self._within(found, moment)
                .filter(**{f"{customer}__isnull": False})
                .annotate(period=self._trunc(moment, tzinfo=UTC))
                .order_by()
                .values_list("period", customer)
                .distinct()
            )
            for period, customer_id in pairs:
                seen[period.date()].add(customer_id)
        for start, customer_ids in seen.items():
            self._row(start).customers = len(customer_ids)

    def _within(self, found: QuerySet[Any], moment: str) -> QuerySet[Any]:
        if self._after is not None:
            found = found.filter(**{f"{moment}__gte": self._after})
        if self._before is not None:
            found = found.filter(**{f"{moment}__lt": self._before})
        return found

    def _add(self, found: QuerySet[Any], moment: str, **sums: Any) -> None:
        """Add sums to the columns of their names, by the period in which `moment` lies."""
        groups = (
            self._within(found, moment)
            .annotate(period=self._trunc(moment, tzinfo=UTC))
            .order_by()
            .values("period")
            .annotate(**sums)
        )
        for group in groups:
            row = self._row(group["period"].date())
            for column in sums:
                setattr(row, column, getattr(row, column) + (group[column] or 0))

    def _row(self, start: date) -> SalesRow:
        return self._rows.setdefault(start, SalesRow(start=start))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
