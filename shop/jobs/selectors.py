"""Questions about jobs."""

import csv
import io
from collections.abc import Iterator
from typing import Literal
from uuid import UUID

from django.db.models import QuerySet

from shop.csv_cells import harmless
from shop.errors import NotFound
from shop.http.json import dumps
from shop.jobs.models import Job, JobError

_PAGE = 2000
ERROR_COLUMNS = ("line", "column", "code", "detail")


def jobs_of(owner_id: int) -> QuerySet[Job]:
    """Return the jobs that this account started."""
    return Job.objects.filter(owner_id=owner_id)


def job_of(owner_id: int, public_id: UUID) -> Job:
    """Return one of this account's jobs. Raises NotFound, also for one of somebody else's."""
    job = jobs_of(owner_id).filter(public_id=public_id).first()
    if job is None:
        raise NotFound("You have no job of this id.")
    return job


def written_errors(job: Job, *, form: Literal["csv", "jsonl"]) -> Iterator[bytes]:
    """Yield the job's errors by line, as CSV with a heading or as JSON lines.

    In pages, so that memory stays flat and no statement lasts.
    """
    if form == "csv":
        yield (",".join(ERROR_COLUMNS) + "\r\n").encode()
    last = (-1, -1)
    while rows := list(
        JobError.objects.filter(job=job, line__gte=last[0])
        .exclude(line=last[0], pk__lte=last[1])
        .order_by("line", "pk")[:_PAGE]
    ):
        if form == "csv":
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerows(
                (row.line, harmless(row.column), row.code, harmless(row.detail)) for row in rows
            )
            yield text.getvalue().encode()
        else:
            yield b"".join(
                dumps({name: getattr(row, name) for name in ERROR_COLUMNS}) + b"\n" for row in rows
            )
        last = (rows[-1].line, rows[-1].pk)
