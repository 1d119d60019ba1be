"""`make bench`: each path against its own limit, in pairs, in one interleaved run.

Absolute figures belong to one machine on one day; the ratio of a pair is what carries over. All
pairs are measured in turn, round after round, so that whatever the machine does meanwhile comes
to all of them; what is told are medians of the rounds.
"""

import argparse
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from django import get_version
from rich.console import Console
from rich.table import Table

from tests.load.bench.paths import Bench, Pair
from tests.load.bench.shops import machine
from tests.servers import UNTHROTTLED
from tests.shop_process import running_shop

OUT = Console(width=130)
COLUMNS = ("path", "against", "ratio", "goal", "a second", "limit", "CPU ms", "queries", "trips")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of load by each read in a round")
    parser.add_argument("--orders", type=int, default=120, help="checkouts of each kind in a round")
    parser.add_argument("--only", default="", help="paths with this in their names")
    parser.add_argument("--note", default="", help="what a reader should know of this run")
    parser.add_argument("--write", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    began = time.monotonic()
    # A limit that counts like any other, and that one client does not come to.
    env = {"LOG_LEVEL": "WARNING", "SHOP_RATE_LIMIT": UNTHROTTLED}
    with (
        tempfile.TemporaryDirectory() as home,
        running_shop(Path(home) / "shop", env=env) as shop,
        Bench(shop, seconds=options.seconds, orders=options.orders) as bench,
    ):
        bench.rest(600)  # the demo's pictures are being made
        pairs = [pair for pair in bench.pairs() if options.only in pair.name]
        for pair in pairs:
            bench.warm(pair)
        for round_ in range(options.rounds):
            for pair in pairs:
                bench.measure(pair)
            OUT.print(f"round {round_ + 1} of {options.rounds}, {time.monotonic() - began:.0f} s")
    table = Table(*COLUMNS)
    for pair in pairs:
        table.add_row(*_cells(pair))
    OUT.print(table)
    if options.write:
        how = f"--rounds {options.rounds} --seconds {options.seconds:g} --orders {options.orders}"
        text = _page(pairs, how, options.note, minutes=(time.monotonic() - began) / 60)
        options.write.write_text(text, encoding="utf-8")


def _cells(pair: Pair) -> tuple[str, ...]:
    spread = sorted(a / b for a, b in zip(pair.measured, pair.limits, strict=True) if b)
    return (
        pair.name,
        pair.limit,
        f"{pair.ratio:.2f} ({spread[0]:.2f} to {spread[-1]:.2f})",
        pair.goal,
        f"{statistics.median(pair.measured):,.0f}",
        f"{statistics.median(pair.limits):,.0f}",
        f"{statistics.median(pair.cpu_ms):.2f}" if pair.cpu_ms else "",
        "" if pair.queries is None else str(pair.queries),
        "" if pair.trips is None else str(pair.trips),
    )


def _page(pairs: list[Pair], how: str, note: str, *, minutes: float) -> str:
    here = machine()
    versions = ", ".join(
        [
            f"Python {platform.python_version()}",
            f"Django {get_version()}",
            *(
                f"{name} {version(name)}"
                for name in ("djangorestframework", "gunicorn", "psycopg", "redis")
            ),
        ]
    )
    rows = "\n".join(f"| {' | '.join(_cells(pair))} |" for pair in pairs)
    return f"""# Benchmarks

Written by `python -m tests.load.bench {how} --write docs/operations/benchmarks.md`
(`make bench`), in {minutes:.0f} minutes. {note}

All paths are measured in turn, round after round, each beside its own limit; told are medians,
with the lowest and highest ratio. Ratios carry over to other machines, figures do not. Before each
measurement the shop's background (mails, documents, pictures) has come to rest: it would share the
cores, and no limit has the like.

{here["cores"]} cores, {here["memory"]}, {platform.system()} {platform.machine()}; {versions};
gunicorn gthread 2 × 4. Load generator, PostgreSQL and Valkey are on the same machine.

| {" | ".join(COLUMNS)} |
|{" --- |" * len(COLUMNS)}
{rows}

- *constant*: a Django view of fixed bytes without any middleware, served by the same gunicorn
  settings. What the shop's own middlewares cost is the row of `/livez`; what one trip to Valkey
  leaves of any view, the row of the bare view with the limiter's trip.
- *pgbench, same statements*: what a checkout sends to PostgreSQL, word for word, on the shop's own
  tables, by 8 clients that need no Python (`tests/load/bench/statements.py`). *Bare tables*: as
  many round trips and commits, on tables of like shape without checks, triggers and most of the
  indexes (`tests/load/bench/pgbench.py`); it goes with how fast the disk is.
- *CPU ms*: of web, PostgreSQL and Valkey together for each call.
- *queries*, *trips*: of one warm call, as `Server-Timing` tells them: statements to PostgreSQL
  (with savepoints) and trips to Valkey.
"""


if __name__ == "__main__":
    main()
