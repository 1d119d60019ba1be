"""`make search`: lists, searches, facets, deep pages and suggestions as the catalogue grows.

On servers of its own, or on the empty database of DATABASE_URL. Each request goes through all
of the shop but the socket; queries are counted.
"""

import argparse
import base64
import logging
import os
import statistics
from time import perf_counter

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
from rich.table import Table  # noqa: E402

from catalog.models import ProductListing  # noqa: E402
from catalog.selectors import forget_pages  # noqa: E402

OUT = Console(width=120)
URL = "/api/v1/products"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()

    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0, interactive=False)
    table = Table("request", "queries")
    rows: dict[str, list[str]] = {}
    for size in sorted(given.sizes):
        started = perf_counter()
        call_command("seed_catalog", products=size, seed=1, verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        load = os.getloadavg()[0]
        OUT.print(f"{size} products in {perf_counter() - started:.0f} s, load average {load:.0f}")
        table.add_column(f"{size:,}: median, p95 ms", justify="right")
        for name, query in _requests().items():
            queries, median, p95 = _timed(query, given.rounds)
            rows.setdefault(name, [str(queries)]).append(f"{median:.0f}, {p95:.0f}")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    OUT.print(table)


def _requests() -> dict[str, str]:
    listed = ProductListing.objects.filter(currency="GBP").order_by("-popularity", "-product_id")
    deep = listed.values_list("popularity", "product_id")[listed.count() // 2]
    first = listed[0]
    noun = first.title.split()[-1]
    adjective, material = first.title.split()[:2]
    category = first.category_path[-1]
    typo = noun[:2] + noun[3:]
    page = f"{URL}?page_size=24"
    return {
        "list": page,
        "list, half way down": f"{page}&cursor={_cursor(list(deep))}",
        "a category by price": f"{page}&category={category}&sort=price",
        "price range, in stock, newest": (
            f"{page}&min_price=20&max_price=40&in_stock=true&sort=newest"
        ),
        "facets of everything": f"{page}&facets=true",
        "facets of a category": f"{page}&category={category}&facets=true",
        "search, a frequent word": f"{page}&q={material}",
        "search, three words": f"{page}&q={adjective}+{material}+{noun}",
        "search, by price": f"{page}&q={material}&sort=price",
        "search with facets": f"{page}&q={noun}&facets=true",
        "search, misspelt": f"{page}&q={typo}",
        "suggestions, two letters": f"{URL}/suggest?q={noun[:2]}",
        "suggestions, misspelt": f"{URL}/suggest?q={typo}",
    }


def _cursor(values: list[int]) -> str:
    raw = orjson.dumps(["-popularity,-product_id", 0, values])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _timed(url: str, rounds: int) -> tuple[int, float, float]:
    api = APIClient()
    api.get(url)
    took = []
    queries = 0
    for _ in range(rounds):
        if "/suggest" in url:
            forget_pages()
        started = perf_counter()
        with CaptureQueriesContext(connection) as asked:
            answer = api.get(url)
        took.append((perf_counter() - started) * 1000)
        assert answer.status_code == 200, answer.content
        queries = len(asked)
    return queries, statistics.median(took), sorted(took)[int(0.95 * (len(took) - 1) + 0.5)]


if __name__ == "__main__":
    main()
