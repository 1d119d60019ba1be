"""Products that come in by file: read, made true in the catalogue, and stocked for the first time.

What a re-import leaves alone: stock of every variant that ever had any (a quantity in a file is
opening stock, and sales since then are not undone), back-order limits and tax classes that staff
have refined, prices in other currencies, and variants that the file does not name.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import BinaryIO, Protocol

from django.conf import settings
from django.db import transaction

from inventory.selectors import default_warehouse, warehouse_of
from inventory.services.imports.importer import Importer
from inventory.services.imports.native import NativeFile
from inventory.services.imports.report import ImportReport, RowResult
from inventory.services.imports.shopify import ShopifyFile
from inventory.services.imports.table import ProductTable, opened

FORMATS: Mapping[str, type[ProductTable]] = {
    "native_csv": NativeFile,
    "shopify_csv": ShopifyFile,
}


class ImportObserver(Protocol):
    """Who watches an import."""

    def begin(self, row_count: int) -> None:
        """Hear how many rows there are, before the first is imported."""

    def see(self, row: RowResult) -> None:
        """Hear what became of a row: once for each."""


def import_products(
    *,
    source: BinaryIO,
    format_name: str,
    now: datetime,
    dry_run: bool = False,
    warehouse: str | None = None,
    currency: str | None = None,
    observer: ImportObserver | None = None,
) -> ImportReport:
    """Import every sound row of the file and report on each row.

    Safe to repeat, also after it was killed: products are committed some hundreds at a time, and
    what is as the file says is left alone. A dry run does everything and rolls it back. Opening
    stock goes to `warehouse`, or to the one that the shop takes first. Memory does not grow with
    the file.

    Raises KeyError for an unknown format, UnreadableFile for a file that is not of its format
    (nothing is imported then), and UnknownWarehouse.
    """
    currency = currency or settings.SHOP_CURRENCY
    table = FORMATS[format_name]
    place = default_warehouse() if warehouse is None else warehouse_of(warehouse)
    report = ImportReport(is_dry_run=dry_run)
    with opened(table, source, currency=currency) as file:
        if observer is not None:
            observer.begin(file.row_count)
        whole: AbstractContextManager[object] = (
            transaction.atomic() if dry_run else nullcontext()  # each batch commits by itself
        )
        with whole:
            run = Importer(file, currency=currency, warehouse=place.code, now=now)
            for row in run.rows(report):
                report.rows[row.outcome] += 1
                if observer is not None:
                    observer.see(row)
            if dry_run:
                transaction.set_rollback(True)
    return report
