"""Jobs for tests: started, and carried through as workers would."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from celery import current_app
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from shop.jobs.kinds import EXPORTS, IMPORTS, KINDS, Kind
from shop.jobs.models import Job
from shop.jobs.services import start_job

OWNER = 7  # an account's id


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return a CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def import_job(content: bytes, *, format_name: str = "shopify_csv", **options: Any) -> Job:
    return job(IMPORTS[format_name], upload=content, **options)


def export_job(**filters: Any) -> Job:
    return job(EXPORTS["native_csv"], filters=filters)


def job(kind: Kind, *, upload: bytes | None = None, owner_id: int = OWNER, **options: Any) -> Job:
    return start_job(
        kind=kind,
        owner_id=owner_id,
        options=options,
        now=timezone.now(),
        upload=SimpleUploadedFile("products.csv", upload) if upload is not None else None,
    )


def slice_of(job: Job) -> Job:
    """Have a worker do the slice that is due, and return the job as it is then."""
    current_app.loader.import_default_modules()
    task = current_app.tasks[KINDS[job.kind].task]
    task(job_id=job.pk, turn=job.turn)
    return Job.objects.get(pk=job.pk)


def carried_through(job: Job) -> Job:
    """Have workers do slice after slice until the job has ended."""
    while not job.is_over:
        job = slice_of(job)
    return job


def errors_of(job: Job) -> list[tuple[int, str, str]]:
    return list(job.errors.order_by("line", "pk").values_list("line", "column", "code"))
