"""The paths that are measured, each with its limit, its goal, and what one call of it costs."""

import json
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import psutil

from tests.e2e.client import ADDRESS, Shopper
from tests.load.bench.pgbench import CLIENTS, BareTables, SameStatements
from tests.load.bench.shops import counts_of, served
from tests.load.http_load import Load, request_bytes, run_load
from tests.servers import UNTHROTTLED
from tests.shop_process import RunningShop

MUG = "stoneware-mug"
PLENTY = 1_000_000
_BACKGROUND = {"celery", "relay_outbox", "up"}  # in their command lines
_LOOK_SECONDS = 0.5
_AT_REST = 0.1  # of a core


@dataclass
class Pair:
    """One measured pair: `name` against its limit, in calls a second."""

    name: str
    limit: str
    goal: str
    one: Callable[[], float]
    other: Callable[[], float]
    counts: Callable[[], tuple[int, int]] | None = None
    measured: list[float] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    queries: int | None = None
    trips: int | None = None
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return statistics.median(
            a / b for a, b in zip(self.measured, self.limits, strict=True) if b
        )


class Bench:
    """A running shop, and what is needed to measure its paths."""

    def __init__(self, shop: RunningShop, *, seconds: float, orders: int) -> None:
        self.shop = shop
        self._seconds = seconds
        self._orders = orders
        self._open = ExitStack()
        self._host = f"127.0.0.1:{shop.port}"
        self._shopper = Shopper(shop.url)
        self._cpu_ms = 0.0  # of each call of the last load

    def __enter__(self) -> "Bench":
        self._bare = self._open.enter_context(
            served(self.shop, "tests.load.bench.bare:application", "/constant")
        )
        self._bare_trip = self._open.enter_context(
            served(self.shop, "tests.load.bench.bare_trip:application", "/constant")
        )
        timed = self._open.enter_context(
            served(
                self.shop,
                "shop.wsgi",
                "/livez",
                SHOP_SERVER_TIMING="1",
                SHOP_RATE_LIMIT=UNTHROTTLED,
            )
        )
        self._timed = f"http://127.0.0.1:{timed}"
        *self._variants, self._sold_out_variant = self._stocked_variants(61)
        baskets = [self._variants[at : at + 3] for at in range(0, 60, 3)]
        self._same = self._open.enter_context(SameStatements(self.shop, baskets))
        self._bare_tables = self._open.enter_context(BareTables(self.shop))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def pairs(self) -> Iterator[Pair]:
        """Yield each pair, made ready but not measured."""
        yield from self._reads()
        yield from self._cart()
        yield from self._checkouts()

    def warm(self, pair: Pair) -> None:
        """Have the pair's caches filled and its statements prepared, and see what a call costs."""
        pair.one(), pair.other()
        if pair.counts is not None:
            # Each process of the server has memories of its own to fill.
            pair.queries, pair.trips = min(pair.counts() for _ in range(8))

    def measure(self, pair: Pair) -> None:
        """Measure the pair once more: it, then its limit. Each begins on a machine at rest."""
        self.rest()
        self._cpu_ms = 0.0
        pair.measured.append(pair.one())
        if self._cpu_ms:  # of the shop's own processes alone
            pair.cpu_ms.append(self._cpu_ms)
        self.rest()
        pair.limits.append(pair.other())

    def rest(self, seconds: float = 60) -> None:
        """Wait until the shop's background has done what it was left: pictures, mails, documents.

        For so many seconds at most. It shares the cores, and no limit has the like.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = self._background_seconds()
            time.sleep(_LOOK_SECONDS)
            if self._background_seconds() - before < _LOOK_SECONDS * _AT_REST:
                return

    # Reads ---------------------------------------------------------------------------------------

    def _reads(self) -> Iterator[Pair]:
        rows = self._shopper.get("/products?page_size=100").json()["results"]
        paths = [f"/api/v1/products/{row['id']}" for row in rows]
        etag = self._shopper.get(f"/products/{MUG}").headers["ETag"]
        customer = self._customer_with_orders(20, lines=5)
        bearer = {"Authorization": str(customer.session.headers["Authorization"])}
        yield self._read("the shop's constant view (/livez)", "", ["/livez"])
        yield Pair("a bare view with the limiter's trip", "constant", "",
                   self._bare_view(self._bare_trip), self._constant())  # fmt: skip
        yield self._read("product, cached", "0.50", paths)
        yield self._read("product, cached, signed in", "0.50", paths, bearer)
        yield self._read("product, 304", "0.50", paths[:1] and [f"/api/v1/products/{MUG}"],
                         {"If_None_Match": etag}, status=304)  # fmt: skip
        yield self._read("list of 24", "", ["/api/v1/products?page_size=24"])
        yield self._read("order history, 20 × 5 lines", "", ["/api/v1/orders?page_size=20"], bearer)

    def _read(
        self,
        name: str,
        goal: str,
        paths: Sequence[str],
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
    ) -> Pair:
        headers = headers or {}
        sent = [request_bytes("GET", path, self._host, b"", **headers) for path in paths]

        def counts() -> tuple[int, int]:
            shopper = Shopper(self._timed)
            return counts_of(shopper.get(f"{self._timed}{paths[0]}", **headers))

        return Pair(name, "constant", goal, self._load(sent, status), self._constant(), counts)

    def _constant(self) -> Callable[[], float]:
        return self._bare_view(self._bare)

    def _bare_view(self, port: int) -> Callable[[], float]:
        sent = [request_bytes("GET", "/constant", self._host)]
        return lambda: _must_be(run_load(port, sent, connections=32, seconds=self._seconds), 200)

    def _load(self, sent: Sequence[bytes], *statuses: int) -> Callable[[], float]:
        return lambda: _must_be(self._run(sent, connections=32, seconds=self._seconds), *statuses)

    def _run(self, sent: Sequence[bytes], *, connections: int, seconds: float = 0) -> Load:
        before = self._cpu_seconds()
        got = run_load(self.shop.port, sent, connections=connections, seconds=seconds)
        self._cpu_ms = (self._cpu_seconds() - before) / sum(got.statuses.values()) * 1000
        return got

    # Carts ---------------------------------------------------------------------------------------

    def _cart(self) -> Iterator[Pair]:
        ten = self._guest_with(self._variants[:10])
        yield self._read("cart of 10", "0.30", ["/api/v1/cart"], {"X_Cart_Token": ten})
        guests = [self._guest_with(self._variants[:1]) for _ in range(32)]
        # Set and not added: a line takes 999 units, and the script is the same.
        lines = cycle(self._variants[:10])
        sent = [
            request_bytes(
                "POST",
                "/api/v1/cart/items",
                self._host,
                json.dumps({"variant_id": next(lines), "quantity": 1}).encode(),
                X_Cart_Token=token,
            )
            for token in guests
            for _ in range(10)
        ]

        def counts() -> tuple[int, int]:
            shopper = Shopper(self._timed)
            shopper.session.headers["X-Cart-Token"] = guests[0]
            return counts_of(shopper.add(self._variants[0]))

        # 409: a line that is full, which a long run comes to.
        yield Pair("cart add", "constant", "0.30", self._load(sent, 200, 201, 409, 422),
                   self._constant(), counts)  # fmt: skip

    def _guest_with(self, variants: Sequence[int]) -> str:
        guest = Shopper(self.shop.url)
        for variant_id in variants:
            answer = guest.add(variant_id)
            if answer.status_code != 200:
                raise SystemExit(f"bench: {answer.text}")
        return str(guest.session.headers["X-Cart-Token"])

    # Checkouts -----------------------------------------------------------------------------------

    def _checkouts(self) -> Iterator[Pair]:
        spread = self._variants

        def three_of(number: int) -> list[int]:
            return [spread[(number * 3 + step) % 60] for step in range(3)]

        def counts() -> tuple[int, int]:
            shopper = Shopper(self._timed)
            for variant_id in spread[:3]:
                shopper.add(variant_id)
            return counts_of(shopper.checkout())

        for limit, goal, other in (
            ("pgbench, same statements", "0.30", self._same.run),
            ("pgbench, bare tables", "", self._bare_tables.run),
        ):
            yield Pair(
                f"checkout of 3 lines, {CLIENTS} clients",
                limit,
                goal,
                lambda: self._sold(three_of, CLIENTS),
                other,
                counts,
            )
        yield Pair(
            "one hot SKU, 16 clients",
            "60 SKUs, 16 clients",
            "0.60",
            lambda: self._sold(lambda _: spread[:1], 16),
            lambda: self._sold(lambda number: [spread[number % 60]], 16),
        )
        gone = self._sold_out_variant
        tokens = [self._guest_with([gone]) for _ in range(16)]
        self._set_stock([gone], 0)
        sent = [_checkout(self._host, token) for token in tokens for _ in range(4)]
        yield Pair("sold out", "constant", "0.40", self._load(sent, 409), self._constant())

    def _sold(self, variants_of: Callable[[int], Sequence[int]], clients: int) -> float:
        """Fill carts, and return how many of them a second are checked out.

        A quarter more are checked out before and not counted, as the first seconds of its limit.
        """

        def filled(number: int) -> bytes:
            return _checkout(self._host, self._guest_with(variants_of(number)))

        with ThreadPoolExecutor(4) as pool:
            warming = self._orders // 4
            batch = list(pool.map(filled, range(warming + self._orders)))
        warm, batch = batch[:warming], batch[warming:]
        _must_be(run_load(self.shop.port, warm, connections=clients, seconds=0), 201)
        return _must_be(self._run(batch, connections=clients), 201)

    def _customer_with_orders(self, count: int, *, lines: int) -> Shopper:
        customer = Shopper(self.shop.url)
        customer.register()
        for number in range(count):
            for step in range(lines):
                customer.add(self._variants[(number + step) % 60])
            answer = customer.checkout()
            if answer.status_code != 201:
                raise SystemExit(f"bench: {answer.text}")
        return customer

    # The shop ------------------------------------------------------------------------------------

    def _stocked_variants(self, count: int) -> list[int]:
        rows = self._shopper.get("/products?page_size=100&in_stock=true").json()["results"]
        found: list[int] = []
        for row in rows:
            product = self._shopper.get(f"/products/{row['id']}").json()
            found += [v["id"] for v in product["variants"] if v["availability"]["quantity"]]
            if len(found) >= count:
                break
        self._set_stock(found[:count], PLENTY)
        return found[:count]

    def _set_stock(self, variants: Sequence[int], units: int) -> None:
        clerk = Shopper(self.shop.url)
        clerk.sign_in(self.shop.staff_email, self.shop.staff_password)
        wanted, page = set(variants), "/inventory/stock?page_size=100"
        changes: list[dict[str, Any]] = []
        while page:
            answer = clerk.get(page).json()
            changes += [
                {"sku": row["sku"], "warehouse": row["warehouse"], "on_hand": units}
                for row in answer["results"]
                if row["variant_id"] in wanted
            ]
            page = answer["next"]
        answer = clerk.post("/inventory/stock/bulk", {"rows": changes})
        if answer.status_code != 200:
            raise SystemExit(f"bench: {answer.text}")

    def _cpu_seconds(self) -> float:
        """Return what web, PostgreSQL and Valkey have used so far; not what nobody waits for."""
        return self._used(background=False)

    def _background_seconds(self) -> float:
        return self._used(background=True)

    def _used(self, *, background: bool) -> float:
        used = 0.0
        for process in self.shop.family():
            try:
                if bool(_BACKGROUND & set(process.cmdline())) is not background:
                    continue
                times = process.cpu_times()
            except psutil.Error:
                continue
            used += times.user + times.system
        return used


def _checkout(host: str, cart: str) -> bytes:
    body = {
        "email": "bench@example.com",
        "shipping_address": ADDRESS,
        "shipping_method": "standard",
        "payment": {"provider": "sandbox", "token": "tok_ok"},
    }
    return request_bytes(
        "POST",
        "/api/v1/checkout",
        host,
        json.dumps(body).encode(),
        X_Cart_Token=cart,
        Idempotency_Key=uuid.uuid4().hex,
    )


def _must_be(load: Load, *statuses: int) -> float:
    unexpected = {s: n for s, n in load.statuses.items() if s not in statuses}
    if unexpected:
        raise SystemExit(f"bench: unexpected answers {unexpected}")
    return load.per_second
