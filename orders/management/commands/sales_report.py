"""manage.py sales_report: what was sold and what came back, from the shop's own tables."""

import csv
import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from orders.selectors.reports import Period, SalesRow, sales_by
from shop.money import Money, is_currency

COUNTS = frozenset(
    {
        "sale_invoices",
        "cancel_invoices",
        "units_sold",
        "units_back",
        "units_written_off",
        "free_units",
        "customers",
    }
)
AMOUNTS = {"gross": "gross_minor", "cancelled": "cancelled_minor", "other": "other_minor"}
COLUMNS = (
    "sale_invoices",
    "cancel_invoices",
    "gross",
    "cancelled",
    "units_sold",
    "units_back",
    "units_written_off",
    "free_units",
    "customers",
    "other",
)


class Command(BaseCommand):
    help = (
        "Print sales, cancellations, units and customers by period. Days are those of UTC; "
        "only confirmed orders count."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", choices=[p.value for p in Period], default=Period.MONTH.value)
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")
        parser.add_argument("--from", dest="first", type=_day, metavar="DATE", help="first day")
        parser.add_argument("--to", dest="last", type=_day, metavar="DATE", help="last day")
        parser.add_argument("--currency", default=None, help="default: the shop's own")

    def handle(self, *_args: object, **options: Any) -> None:
        currency = (options["currency"] or settings.SHOP_CURRENCY).upper()
        if not is_currency(currency):
            raise CommandError(f"{currency} is not an ISO 4217 currency.")
        period = Period(options["by"])
        rows = [
            _cells(row, period, currency)
            for row in sales_by(
                period, currency=currency, first=options["first"], last=options["last"]
            )
        ]
        show: dict[str, Callable[[Period, list[dict[str, str]]], None]] = {
            "csv": self._as_csv,
            "json": self._as_json,
            "table": self._as_table,
        }
        show[options["format"]](period, rows)

    def _as_csv(self, period: Period, rows: list[dict[str, str]]) -> None:
        writer = csv.DictWriter(self.stdout, [period.value, *COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

    def _as_json(self, period: Period, rows: list[dict[str, str]]) -> None:
        self.stdout.write(
            json.dumps(
                [{k: int(v) if k in COUNTS else v for k, v in row.items()} for row in rows],
                indent=2,
            )
        )

    def _as_table(self, period: Period, rows: list[dict[str, str]]) -> None:
        table = Table(box=None)
        table.add_column(period.value, min_width=10)
        for column in COLUMNS:
            # A heading may fold, a number must not be cut off.
            widest = max((len(row[column]) for row in rows), default=0)
            table.add_column(column.replace("_", " "), justify="right", min_width=widest)
        for row in rows:
            table.add_row(*row.values())
        console = Console(file=self.stdout)  # type: ignore[arg-type]  # a wrapper of a text file
        console.print(table)


def _cells(row: SalesRow, period: Period, currency: str) -> dict[str, str]:
    start = row.start.isoformat()
    cells = {period.value: start[:7] if period is Period.MONTH else start}
    for column in COLUMNS:
        if column in COUNTS:
            cells[column] = str(getattr(row, column))
        else:
            # A plain 0 says that there was none, which is not the same as sums that cancel out
            # only for those who look twice; all others have the currency's digits.
            amount_minor = getattr(row, AMOUNTS[column])
            cells[column] = Money(amount_minor, currency).amount if amount_minor else "0"
    return cells


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day like 2011-05-31") from None
