"""Exports as jobs: one part of the file for each piece, so that a piece may be written again."""

from datetime import datetime

from django.db import transaction

from inventory.services.exports.native import (
    Filters,
    exported_products,
    heading,
    written_products,
)
from shop.jobs.files import write_part
from shop.jobs.models import Job
from shop.jobs.services import advance, finish

_PRODUCTS = 1000  # in one part


@transaction.atomic
def export_step(*, job: Job, now: datetime) -> None:
    """Write the next part of an export, or the end.

    Products in the order of their ids; each is written as it is at that moment.
    """
    found = exported_products(Filters.of(job.options.get("filters", {})))
    cursor = job.cursor or {"after": 0, "parts": 0}
    total = job.total if job.total is not None else found.count()
    products = list(found.filter(pk__gt=cursor["after"]).order_by("pk")[:_PRODUCTS])
    if not products and cursor["parts"]:
        finish(job=job, now=now, result={"parts": cursor["parts"]})
        return
    text, rows = written_products(products)
    if not cursor["parts"]:
        text = heading() + text
    content = text.encode()
    number = cursor["parts"] + 1
    write_part(job, number=number, content=content)
    advance(
        job=job,
        now=now,
        cursor={"after": products[-1].pk if products else cursor["after"], "parts": number},
        done=job.done + len(products),
        total=max(total, job.done + len(products)),
        counts={"rows": rows, "bytes": len(content)},
    )
