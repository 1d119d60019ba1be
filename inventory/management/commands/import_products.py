"""`manage.py import_products FILE --format shopify_csv`: products from a file, row by row."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO

import orjson
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from inventory.errors import UnknownWarehouse, UnreadableFile
from inventory.services.imports.report import ImportReport, Outcome, RowError, RowResult
from inventory.services.product_import import FORMATS, import_products


class Command(BaseCommand):
    help = (
        "Import products from a file. Safe to repeat. Prints a line for each row (-v 0: only for"
        " wrong ones). Exit code 1 if a row failed. Quantities are opening stock: they count for"
        " variants that never had any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--format", choices=sorted(FORMATS), default="shopify_csv")
        parser.add_argument(
            "--dry-run", action="store_true", help="do everything, report, and leave nothing of it"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--warehouse", help="where opening stock goes; default: the first")

    def handle(self, *args: Any, **options: Any) -> None:
        with ExitStack() as stack:
            watcher: _JsonWatcher | _TextWatcher
            if options["json"]:
                watcher = _JsonWatcher(self.stdout, format_name=options["format"])
            else:
                watcher = stack.enter_context(
                    _TextWatcher(self.stdout, verbosity=options["verbosity"])
                )
            try:
                report = import_products(
                    source=stack.enter_context(_opened(options["file"])),
                    format_name=options["format"],
                    now=timezone.now(),
                    dry_run=options["dry_run"],
                    warehouse=options["warehouse"],
                    observer=watcher,
                )
            except UnreadableFile as refusal:
                report = ImportReport(is_dry_run=options["dry_run"])
                watcher.end_unread(refusal, report)
                raise SystemExit(1) from None
            except UnknownWarehouse as refusal:
                raise CommandError(f"{refusal.detail} ({options['warehouse']})") from None
            watcher.end(report)
        if report.has_failures:
            raise SystemExit(1)


def _opened(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    try:
        return open(path, "rb")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


class _TextWatcher:
    """Prints for people: a line for each row, a bar where somebody watches, and the sums."""

    def __init__(self, stdout: OutputWrapper, *, verbosity: int) -> None:
        self._stdout = stdout
        self._verbosity = verbosity
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None
        # A bar and lines on the same screen must go through the same hands.
        self._print: Callable[[str], object] = stdout.write
        if not self._bar.disable and stdout.isatty():
            self._print = lambda text: console.print(
                text, markup=False, highlight=False, soft_wrap=True
            )

    def __enter__(self) -> "_TextWatcher":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, row_count: int) -> None:
        self._task = self._bar.add_task("Importing", total=row_count)

    def see(self, row: RowResult) -> None:
        if self._task is not None:
            self._bar.advance(self._task)
        for error in row.errors:
            self._print(str(error))
        if self._verbosity and not row.errors:
            words = (row.outcome.value, row.handle, row.sku)
            self._print(f"line {row.line}: {' '.join(word for word in words if word)}")

    def end(self, report: ImportReport) -> None:
        self._bar.stop()
        rows = ", ".join(f"{report.rows[outcome]} {outcome.value}" for outcome in Outcome)
        products = ", ".join(
            f"{count} {outcome.value}" for outcome, count in report.products.items() if count
        )
        self._stdout.write(f"Rows: {rows}. Products: {products or 'none'}.")
        if not (report.rows[Outcome.CREATED] or report.rows[Outcome.UPDATED]):
            self._stdout.write("Nothing changed.")
        elif report.is_dry_run:
            self._stdout.write("Dry run: nothing of this was kept.")

    def end_unread(self, refusal: UnreadableFile, _: ImportReport) -> None:
        self._bar.stop()
        self._stdout.write(refusal.detail)


class _JsonWatcher:
    """Prints one JSON object, rows as they come, so that memory stays flat."""

    def __init__(self, stdout: OutputWrapper, *, format_name: str) -> None:
        self._stdout = stdout
        self._has_rows = False
        self._errors: list[RowError] = []
        self._write(f'{{"format":{_json(format_name)},"rows":[')

    def begin(self, row_count: int) -> None:
        pass

    def see(self, row: RowResult) -> None:
        separator = ",\n" if self._has_rows else "\n"
        self._has_rows = True
        self._errors.extend(row.errors)
        document = {
            "line": row.line,
            "handle": row.handle,
            "sku": row.sku,
            "outcome": row.outcome.value,
        }
        self._write(f"{separator}{_json(document)}")

    def end(self, report: ImportReport) -> None:
        errors = [
            {
                "line": error.line,
                "column": error.column,
                "code": error.code,
                "detail": error.detail,
            }
            for error in self._errors
        ]
        self._end(report, errors)

    def end_unread(self, refusal: UnreadableFile, report: ImportReport) -> None:
        self._end(
            report,
            [
                {
                    "line": refusal.facts["line"],
                    "column": refusal.facts["column"],
                    "code": refusal.errors[0].code,
                    "detail": refusal.detail,
                }
            ],
        )

    def _end(self, report: ImportReport, errors: list[dict[str, object]]) -> None:
        counts = {outcome.value: report.rows[outcome] for outcome in Outcome}
        products = {outcome.value: report.products[outcome] for outcome in Outcome}
        self._write(
            f'\n],"errors":{_json(errors)},"dry_run":{_json(report.is_dry_run)},'
            f'"products":{_json(products)},{_json(counts)[1:]}\n'
        )

    def _write(self, text: str) -> None:
        self._stdout.write(text, ending="")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
