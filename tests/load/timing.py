"""`make timing`: does the time of an answer tell whether an address is known?

Log-in with a wrong password, registration and reset, for known and unknown addresses in random
turns, each from a network of its own so that no limit is in the way. Passes where the medians are
within a millisecond, or where the Mann-Whitney rank test cannot tell the two apart.
"""

import argparse
import itertools
import math
import platform
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from tests.servers import UNTHROTTLED
from tests.shop_process import running_shop

PASSWORD = "correct horse battery"
KNOWN = 200  # accounts that take turns: fewer tries at each than any limit
CLOSE_SECONDS = 0.001
TELLING_P = 0.01
OUT = Console(width=110)


def rank_test(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided p-value of Mann and Whitney's U, by the normal approximation.

    Near 1: nothing tells the samples apart; near 0: one of them tends to be larger.
    """
    ranked = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    rank_sum, tied, position = 0.0, 0, 0
    for _, group in itertools.groupby(ranked, key=lambda pair: pair[0]):
        members = list(group)
        middle = position + (len(members) + 1) / 2
        rank_sum += middle * sum(1 for _, sample in members if sample == 0)
        tied += len(members) ** 3 - len(members)
        position += len(members)
    n, m = len(a), len(b)
    total = n + m
    u = rank_sum - n * (n + 1) / 2
    variance = n * m / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    return math.erfc(abs(u - n * m / 2) / math.sqrt(2 * variance))


class Asker:
    """Asks over one connection, as ever another client, and times the answer."""

    def __init__(self, url: str) -> None:
        self._session = requests.Session()
        self._api = f"{url}/api/v1"
        self._networks = (
            f"2001:db8:{high:x}:{low:x}::1" for high in range(1, 65536) for low in range(1, 65536)
        )

    def ask(self, path: str, body: dict[str, str], status: int) -> float:
        headers = {"X-Forwarded-For": next(self._networks)}
        began = time.perf_counter()
        answer = self._session.post(f"{self._api}{path}", json=body, headers=headers, timeout=30)
        took = time.perf_counter() - began
        if answer.status_code != status:
            raise SystemExit(f"timing: {path} answered {answer.status_code}: {answer.text}")
        return took


def fresh() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def flows(asker: Asker) -> Iterator[tuple[str, Callable[[str], float]]]:
    yield (
        "log-in",
        lambda email: asker.ask("/auth/token", {"email": email, "password": "wrong" * 4}, 401),
    )
    yield (
        "registration",
        lambda email: asker.ask("/auth/register", {"email": email, "password": PASSWORD}, 202),
    )
    yield "reset", lambda email: asker.ask("/auth/password/reset", {"email": email}, 202)


def measure(ask: Callable[[str], float], known: Sequence[str], each: int) -> list[list[float]]:
    """Return the seconds of `each` answers for known addresses, and of as many for unknown ones."""
    addresses = itertools.cycle(known)
    turns = [0, 1] * each
    random.shuffle(turns)
    taken: list[list[float]] = [[], []]
    for turn in [0, 1] * 20:  # warm
        ask(next(addresses) if turn == 0 else fresh())
    for turn in turns:
        taken[turn].append(ask(next(addresses) if turn == 0 else fresh()))
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=1000, help="answers of each kind")
    each = parser.parse_args().each
    table = Table("", "known, median", "unknown, median", "apart", "rank test", "")
    failed = False
    with (
        tempfile.TemporaryDirectory(prefix="shop-timing-") as home,
        running_shop(
            Path(home),
            demo=False,
            env={"SHOP_RATE_LIMIT": UNTHROTTLED, "SHOP_TRUSTED_PROXIES": "127.0.0.1"},
        ) as shop,
    ):
        asker = Asker(shop.url)
        known = [fresh() for _ in range(KNOWN)]
        for email in known:
            asker.ask("/auth/register", {"email": email, "password": PASSWORD}, 202)
        for name, ask in flows(asker):
            taken = measure(ask, known, each)
            medians = [statistics.median(one) for one in taken]
            apart, p = abs(medians[0] - medians[1]), rank_test(*taken)
            is_even = apart < CLOSE_SECONDS or p > TELLING_P
            failed |= not is_even
            OUT.print(f"{name}: {apart * 1000:.2f} ms apart, p = {p:.3f}")  # it takes minutes
            table.add_row(
                name,
                f"{medians[0] * 1000:.2f} ms",
                f"{medians[1] * 1000:.2f} ms",
                f"{apart * 1000:.2f} ms",
                f"p = {p:.3f}",
                "tells nothing" if is_even else "[bold]tells[/bold]",
            )
    OUT.print(table)
    OUT.print(
        f"{each:,} answers of each kind, in random turns; Python {platform.python_version()}."
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
