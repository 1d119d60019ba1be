"""Imports as jobs: the file is staged piece by piece, then made true product by product.

Each piece is a transaction that also says how far the job has come, so a worker may be killed at
any line: what was not committed is done again, and what was is not.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction

from inventory.selectors import default_warehouse
from inventory.services.imports.importer import Importer
from inventory.services.imports.report import ImportReport, Outcome, RowResult
from inventory.services.imports.staged import StagedRows
from inventory.services.imports.table import Headings, ProductTable, Records
from inventory.services.product_import import FORMATS
from shop.jobs.files import open_input
from shop.jobs.models import Job
from shop.jobs.services import Complaint, advance, finish

_READ_ROWS = 10_000  # in one piece
_MERGE_ROWS = 2000
_PREFIX = "import_"
# What a job's result calls it: a row that is as the file says was passed over, whatever the reason.
_COUNT_OF = {
    Outcome.CREATED: "created",
    Outcome.UPDATED: "updated",
    Outcome.UNCHANGED: "skipped",
    Outcome.SKIPPED: "skipped",
    Outcome.FAILED: "failed",
}


def import_step(*, job: Job, now: datetime) -> None:
    """Do the next piece of an import. Raises UnreadableFile for a file that is not of its format.

    A dry run does everything and rolls it back, piece by piece.
    """
    if job.cursor.get("phase") == "merge":
        _merge(job, now=now)
    else:
        _read(job, now=now)


@transaction.atomic
def _read(job: Job, *, now: datetime) -> None:
    table = _table(job)
    cursor = job.cursor
    rows = StagedRows(job.pk)
    with open_input(job) as source:
        source.seek(cursor.get("offset", 0))
        records = Records(source, line=cursor.get("line", 1))
        headings = (
            _headings(cursor["headings"]) if "headings" in cursor else table.read_headings(records)
        )
        began = records.offset
        file = table(headings, rows=rows, currency=settings.SHOP_CURRENCY)
        file.index(islice(records, _READ_ROWS))
        staged = cursor.get("staged", 0) + rows.write()
        place = {"offset": records.offset, "line": records.line, "staged": staged}
        is_read = records.offset == began
        records.release()
    cursor = {
        **cursor,
        **place,
        "headings": {
            "names": list(headings.names),
            "columns": dict(headings.columns),
            "spelling": dict(headings.spelling),
        },
    }
    if is_read:
        rows.gather()
        cursor = {**cursor, "phase": "merge", "after": cursor.get("after", 0)}
    advance(job=job, now=now, cursor=cursor, total=max(job.done, staged))


@transaction.atomic
def _merge(job: Job, *, now: datetime) -> None:
    rows = StagedRows(job.pk)
    reach = rows.load(after=job.cursor["after"], size=_MERGE_ROWS)
    if reach is None:
        if job.cursor["staged"] and rows.are_gone():
            # The server has crashed and lost what was staged, but not how far we had come.
            again = {"after": job.cursor["after"]}
            advance(job=job, now=now, cursor=again)
        else:
            finish(job=job, now=now)
        return
    file = _table(job)(
        _headings(job.cursor["headings"]), rows=rows, currency=settings.SHOP_CURRENCY
    )
    importer = Importer(
        file, currency=settings.SHOP_CURRENCY, warehouse=default_warehouse().code, now=now
    )
    with transaction.atomic():
        results = list(importer.rows(ImportReport()))
        if job.options.get("dry_run"):
            transaction.set_rollback(True)
    advance(
        job=job,
        now=now,
        cursor={**job.cursor, "after": reach},
        done=job.done + len(results),
        counts=_counts(results),
        complaints=[
            Complaint(error.line, error.column[:255], error.code, error.detail)
            for row in results
            for error in row.errors
        ],
    )


def _counts(results: list[RowResult]) -> Mapping[str, int]:
    counts = dict.fromkeys(_COUNT_OF.values(), 0)
    for row in results:
        counts[_COUNT_OF[row.outcome]] += 1
    return counts


def _table(job: Job) -> type[ProductTable]:
    return FORMATS[job.kind.removeprefix(_PREFIX)]


def _headings(kept: Mapping[str, Any]) -> Headings:
    return Headings(tuple(kept["names"]), kept["columns"], kept["spelling"])
