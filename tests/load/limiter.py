"""`make limiter`: what the rate limit costs a request, in process time and in trips.

On servers of its own. Clients by address, half of them over their limit; a token is checked for the
request in any case, and not counted here.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path
from time import perf_counter, process_time

from tests import servers

servers.begin()

import django  # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from shop.http.rate_limit.limiter import check  # noqa: E402
from shop.http.rate_limit.rates import Rate  # noqa: E402

BUDGET_MS = 0.2
MARK = "<!-- written by make limiter: what follows is replaced by the next run -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()

    settings.SHOP_RATE_LIMIT = Rate(100, 60)
    path = "/api/v1/products/1"
    requests = [
        RequestFactory().get(path, REMOTE_ADDR=f"10.0.{n // 250}.{n % 250}")
        for n in range(given.calls // 200)
    ]
    spent, waited = [], []
    for _ in range(given.rounds):
        for turn in range(given.calls):
            asked = requests[turn % len(requests)]
            before, at = process_time(), perf_counter()
            check(asked)
            waited.append((perf_counter() - at) * 1000)
            spent.append((process_time() - before) * 1000)
    spent_ms, median_ms = statistics.fmean(spent), statistics.median(waited)
    told = (
        f"{len(waited):,} calls: {spent_ms:.3f} ms of the process' time each; with the one trip to"
        f" Valkey {median_ms:.3f} ms in the middle and"
        f" {statistics.quantiles(waited, n=100)[98]:.2f} ms at the 99th percentile."
        f" Load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n"
    )
    sys.stdout.write(told)
    if given.write:
        page = given.write.read_text(encoding="utf-8").partition(MARK)[0]
        given.write.write_text(f"{page}{MARK}\n\n{told}", encoding="utf-8")
    if spent_ms > BUDGET_MS:
        sys.exit(f"limiter: more than {BUDGET_MS} ms")


if __name__ == "__main__":
    main()
