"""`make imports-load`: a large file of products imported as a job, twice: in, and unchanged.

On servers of its own, or on the empty database of DATABASE_URL. The slices run in this process as a
worker runs them. On a machine that others use as well, look at the processor time: that of this
process and of its server in PostgreSQL (Linux only).
"""

import argparse
import csv
import io
import logging
import os
import resource
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests import servers

servers.begin()

import django  # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from rich.console import Console  # noqa: E402

from shop.jobs.models import Job  # noqa: E402
from tests.make import jobs as make  # noqa: E402
from tests.make.inventory import make_warehouse  # noqa: E402

OUT = Console(width=120)
HEADING = "### Measured\n"  # of the page that `--write` names: up to the next heading it is new
SIZES = [f"{number} cm" for number in range(10, 60, 10)]
COLOURS = ("Blue", "Green")
PER_PRODUCT = len(SIZES) * len(COLOURS)
COLUMNS = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name",
    "Option1 Value", "Option2 Name", "Option2 Value", "Variant SKU", "Variant Grams",
    "Variant Inventory Qty", "Variant Inventory Policy", "Variant Price",
    "Variant Compare At Price", "Variant Requires Shipping", "Variant Taxable", "Image Src",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Took:
    """What one import of the file took."""

    what: str
    seconds: float
    here: float  # seconds of processor time of the worker
    there: float  # the same of its server in PostgreSQL
    peak_mb: float
    result: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=100_000)
    parser.add_argument("--note", default="", help="what a reader should know of this run")
    parser.add_argument("--write", type=Path, help="write the table into this page, too")
    given = parser.parse_args()

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0, interactive=False)
    make_warehouse()
    content = _file(given.variants)
    # A small one first: what a process holds anyway is not the file's.
    make.carried_through(make.import_job(_file(100, prefix="warm")))
    base = _peak_mb()
    runs = [_timed(what, content) for what in ("new", "unchanged")]
    text = _table(runs, given.variants, len(content), base, given.note)
    OUT.print(text, soft_wrap=True, highlight=False, markup=False)
    if given.write:
        before, _, behind = given.write.read_text("utf-8").partition(HEADING)
        rest = behind[behind.index("\n#") + 1 :] if "\n#" in behind else ""
        given.write.write_text(f"{before}{HEADING}{text}\n{rest}", encoding="utf-8")


def _file(variants: int, *, prefix: str = "pot") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for number in range(variants // PER_PRODUCT):
        handle = f"{prefix}-{number}"
        about = {
            "Title": f"Stoneware pot no. {number}",
            "Body (HTML)": f"<p>Pot {number} is thrown by hand and fired twice.</p>",
            "Vendor": f"Pottery {number % 50}",
            "Type": "Pot",
            "Tags": "stoneware, handmade",
            "Published": "true",
            "Option1 Name": "Size",
            "Option2 Name": "Glaze",
            "Image Src": f"https://pictures.example.com/{handle}.jpg",
        }
        for place, (size, colour) in enumerate((s, c) for s in SIZES for c in COLOURS):
            writer.writerow(
                {
                    "Handle": handle,
                    **(about if place == 0 else {}),
                    "Option1 Value": size,
                    "Option2 Value": colour,
                    "Variant SKU": f"{prefix.upper()}-{number}-{place}",
                    "Variant Grams": str(500 + 50 * place),
                    "Variant Inventory Qty": str(place * 3),
                    "Variant Inventory Policy": "deny",
                    "Variant Price": f"{12 + place}.50",
                    "Variant Compare At Price": f"{15 + place}.00" if number % 4 == 0 else "",
                    "Variant Requires Shipping": "true",
                    "Variant Taxable": "true",
                }
            )
    return text.getvalue().encode()


def _timed(what: str, content: bytes) -> Took:
    job = make.import_job(content)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (server,) = cursor.fetchone()
    began, here, there = time.perf_counter(), time.process_time(), _spent(server)
    while not job.is_over:
        job = make.slice_of(job)
    if job.state != Job.State.SUCCEEDED:
        raise SystemExit(f"The import has failed: {job.reason}")
    result = ", ".join(
        f"{count:,} {name}" for name, count in job.result.items() if name != "v" and count
    )
    return Took(
        what,
        time.perf_counter() - began,
        time.process_time() - here,
        _spent(server) - there,
        _peak_mb(),
        result,
    )


def _spent(server: int) -> float:
    file = Path(f"/proc/{server}/schedstat")
    return int(file.read_text("ascii").split()[0]) / 1e9 if file.exists() else 0.0


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _table(runs: list[Took], variants: int, size: int, base: float, note: str) -> str:
    lines = [
        "",
        f'`make imports-load ARGS="--variants {variants}"` on {datetime.now(UTC):%Y-%m-%d}: a'
        f" Shopify CSV of {size / 1e6:.0f} MB, {variants:,} variants of"
        f" {variants // PER_PRODUCT:,} products, into an empty shop as a job; then the same file"
        f" again. {os.cpu_count()} cores, load average {os.getloadavg()[1]:.0f}.",
        "",
        *([note, ""] if note else []),
        "| | seconds | rows a second | processor time: worker, PostgreSQL | largest memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {run.what}: {run.result} | {run.seconds:.0f} | {variants / run.seconds:,.0f}"
        f" | {run.here:.0f} s, {run.there:.0f} s"
        f" | {run.peak_mb:.0f} MB ({run.peak_mb - base:+.0f} to a file of 100) |"
        for run in runs
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
