"""`make search`: lists, searches, facets, deep pages and suggestions as the catalogue grows.

On servers of its own, or on the empty database of DATABASE_URL. Each request goes through all
of the shop but the socket; queries are counted. On a machine that others use as well, look at the
processor time: that of this process and of its server in PostgreSQL (Linux only).
"""

import argparse
import base64
import logging
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from tests import servers

servers.begin()

import django  # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

import orjson  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from rich.console import Console  # noqa: E402

from catalog.models import ProductListing  # noqa: E402
from catalog.selectors import forget_pages  # noqa: E402

OUT = Console(width=160)
URL = "/api/v1/products"
HEADING = "## How fast\n"  # of the page that `--write` names: what is behind it is written anew


@dataclass(slots=True)
class Took:
    """What one request took, again and again."""

    queries: int = 0
    wall: list[float] = field(default_factory=list)  # milliseconds, each time
    processor: float = 0.0  # milliseconds, on average

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def p95(self) -> float:
        return sorted(self.wall)[int(0.95 * (len(self.wall) - 1) + 0.5)]


@dataclass(slots=True)
class Run:
    """All requests on a catalogue of one size."""

    size: int
    seeding_seconds: float
    load: float
    took: dict[str, Took]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--note", default="", help="what a reader should know of this run")
    parser.add_argument("--write", type=Path, help="write the table into this page, too")
    given = parser.parse_args()

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0, interactive=False)
    runs = [_run(size, given.rounds) for size in sorted(given.sizes)]
    text = _table(runs, given.rounds, given.note)
    OUT.print(text, soft_wrap=True, highlight=False, markup=False)
    if given.write:
        before, _, _ = given.write.read_text("utf-8").partition(HEADING)
        given.write.write_text(before + HEADING + text, encoding="utf-8")


def _run(size: int, rounds: int) -> Run:
    began = time.perf_counter()
    call_command("seed_catalog", products=size, seed=1, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    seeding_seconds = time.perf_counter() - began
    OUT.print(f"{size} products in {seeding_seconds:.0f} s")
    requests = _requests()
    for query in requests.values():
        _timed(query, 2)  # what a process does once is not the first request's
    took = {name: _timed(query, rounds) for name, query in requests.items()}
    return Run(size, seeding_seconds, os.getloadavg()[1], took)


def _requests() -> dict[str, str]:
    listed = ProductListing.objects.filter(currency="GBP").order_by("-popularity", "-product_id")
    deep = listed.values_list("popularity", "product_id")[listed.count() // 2]
    first = listed[0]
    noun = first.title.split()[-1]
    adjective, material = first.title.split()[:2]
    category = first.category_path[-1]
    vendor = first.vendor
    typo = noun[:2] + noun[3:]
    return {
        "list": _page(),
        "list, half way down": _page(cursor=_cursor(list(deep))),
        "a category by price": _page(category=category, sort="price"),
        "price range, in stock, newest": _page(
            min_price="120", max_price="140", in_stock="true", sort="newest"
        ),
        "a vendor, sold out, by title": _page(vendor=vendor, in_stock="false", sort="title"),
        "a vendor in a category, dearest": _page(vendor=vendor, category=category, sort="-price"),
        "a tag and an option, newest": _page(tag="vegan", sort="newest", **{"option.Size": "M"}),
        "facets of everything": _page(facets="true"),
        "facets of a category": _page(category=category, facets="true"),
        "facets of a vendor": _page(vendor=vendor, facets="true"),
        "facets of four filters": _page(
            category=category, vendor=vendor, min_price="110", max_price="160", facets="true"
        ),
        "facets of a category, an option, in stock": _page(
            category=category, in_stock="true", facets="true", **{"option.Size": "M"}
        ),
        "search, a frequent word": _page(q=material),
        "search, a word that all have": _page(q="seed"),
        "search, three words": _page(q=f"{adjective} {material} {noun}"),
        "search, by price": _page(q=material, sort="price"),
        "search in a category, best sellers": _page(
            q=material, category=category, sort="best_selling"
        ),
        "search with facets": _page(q=noun, facets="true"),
        "search, misspelt": _page(q=typo),
        "search, two words, one misspelt": _page(q=f"{material} {typo}"),
        "suggestions, two letters": f"{URL}/suggest?q={noun[:2]}",
        "suggestions, a word and three letters": f"{URL}/suggest?q={material}+{noun[:3]}",
        "suggestions, misspelt": f"{URL}/suggest?q={typo}",
    }


def _page(**query: str) -> str:
    return f"{URL}?{urlencode({'page_size': '24', **query})}"


def _cursor(values: list[int]) -> str:
    raw = orjson.dumps(["-popularity,-product_id", 0, values])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _timed(url: str, rounds: int) -> Took:
    api = APIClient()
    took = Took()
    for _ in range(2):
        api.get(url)
    with _processor_time(took, rounds):
        for _ in range(rounds):
            if "/suggest" in url:
                forget_pages()
            began = time.perf_counter()
            with CaptureQueriesContext(connection) as asked:
                answer = api.get(url)
            took.wall.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.content
            took.queries = len(asked)
    return took


@contextmanager
def _processor_time(took: Took, rounds: int) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (server,) = cursor.fetchone()
    before = _spent(server)
    yield
    took.processor = (_spent(server) - before) / rounds


def _spent(server: int) -> float:
    """Return the milliseconds of processor time of this process and of that server's."""
    file = Path(f"/proc/{server}/schedstat")
    there = int(file.read_text("ascii").split()[0]) / 1e6 if file.exists() else 0.0
    return time.process_time() * 1000 + there


def _table(runs: list[Run], rounds: int, note: str) -> str:
    sizes = " ".join(str(run.size) for run in runs)
    loads = ", ".join(f"{run.load:.0f}" for run in runs)
    seeding = ", ".join(f"{run.size:,}: {run.seeding_seconds:.0f} s" for run in runs)
    base = runs[0].took["list"]
    lines = [
        "",
        f'`make search ARGS="--sizes {sizes} --rounds {rounds}"` on {datetime.now(UTC):%Y-%m-%d}:'
        " seeds a catalogue of each size, one after the other, and times each request through all"
        " of the shop but the socket. In each cell the median and the p95 in milliseconds, then"
        " the processor time of the shop and of PostgreSQL together, on average. The last column"
        " is the largest catalogue's processor time against the first page of the plain list in"
        f" the smallest ({base.processor:.1f} ms).",
        "",
        *([note, ""] if note else []),
        f"{os.cpu_count()} cores; load average while it ran: {loads}. Seeded in all (products,"
        f" stock, listing, VACUUM): {seeding}.",
        "",
        "| request | queries | " + " | ".join(f"{run.size:,}" for run in runs) + " | × list |",
        "| --- | --- |" + " --- |" * (len(runs) + 1),
    ]
    for name, last in runs[-1].took.items():
        cells = [
            f"{took.median:.0f}, {took.p95:.0f}; {took.processor:.1f}"
            for took in (run.took[name] for run in runs)
        ]
        lines.append(
            f"| {name} | {last.queries} | {' | '.join(cells)}"
            f" | {last.processor / base.processor:.1f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
