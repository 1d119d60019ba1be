"""`make bench`: each path against its own limit, in pairs, in one interleaved run.

Absolute figures belong to one machine on one day; the ratio of a pair is what carries over. A and
B are measured in turn, several rounds, and the median of the rounds' ratios is printed.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from tests.e2e.client import ADDRESS, Shopper
from tests.load.http_load import Load, request_bytes, run_load
from tests.servers import UNTHROTTLED
from tests.shop_process import RunningShop, running_shop

MUG = "stoneware-mug"
OUT = Console(width=110)


@dataclass
class Pair:
    """One measured pair: `name` against its limit, in requests (or orders) a second."""

    name: str
    limit: str
    goal: str
    measured: list[float]
    limits: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(
            a / b for a, b in zip(self.measured, self.limits, strict=True) if b
        )


def _interleave(
    name: str,
    limit_name: str,
    goal: str,
    one: Callable[[], float],
    limit: Callable[[], float],
    rounds: int,
) -> Pair:
    pair = Pair(name, limit_name, goal, [], [])
    one(), limit()  # warm both
    for _ in range(rounds):
        pair.measured.append(one())
        pair.limits.append(limit())
    OUT.print(f"{name}: [bold]{pair.ratio:.2f}[/bold] of {limit_name}")
    return pair


def _must_be(load: Load, *statuses: int) -> float:
    unexpected = {s: n for s, n in load.statuses.items() if s not in statuses}
    if unexpected:
        raise SystemExit(f"bench: unexpected answers {unexpected}")
    return load.per_second


def reads(shop: RunningShop, rounds: int, seconds: float) -> list[Pair]:
    """Measure catalogue reads against `/livez`: a constant view under the same middlewares."""
    port = urlsplit(shop.url).port or 80
    host = f"127.0.0.1:{port}"
    shopper = Shopper(shop.url)
    products = shopper.get("/products?page_size=100").json()["results"]
    some = [f"/api/v1/products/{row['id']}" for row in products]
    etag = shopper.get(f"/products/{MUG}").headers["ETag"]
    shopper.register()
    bearer = str(shopper.session.headers["Authorization"])
    guest = Shopper(shop.url)
    for row in products[:10]:
        variant = guest.get(f"/products/{row['id']}").json()["variants"][0]
        guest.add(variant["id"])
    cart = {"X_Cart_Token": str(guest.session.headers["X-Cart-Token"])}

    def load(*requests: bytes, status: int = 200) -> Callable[[], float]:
        return lambda: _must_be(run_load(port, requests, connections=32, seconds=seconds), status)

    constant = load(request_bytes("GET", "/livez", host))
    limit = "a constant view"
    return [
        _interleave(name, limit, goal, load(*requests, status=status), constant, rounds)
        for name, goal, status, requests in [
            ("product, cached", "0.50", 200, [request_bytes("GET", path, host) for path in some]),
            (
                "product, cached, signed in",
                "0.50",
                200,
                [request_bytes("GET", path, host, Authorization=bearer) for path in some],
            ),
            (
                "product, 304",
                "0.50",
                304,
                [request_bytes("GET", f"/api/v1/products/{MUG}", host, If_None_Match=etag)],
            ),
            ("list of 24", "", 200, [request_bytes("GET", "/api/v1/products?page_size=24", host)]),
            ("cart of 10", "0.30", 200, [request_bytes("GET", "/api/v1/cart", host, b"", **cart)]),
        ]
    ]


def checkouts(shop: RunningShop, rounds: int, orders: int) -> Pair:
    """Measure checkouts over HTTP, three lines each, against pgbench with like statements."""
    port = urlsplit(shop.url).port or 80
    host = f"127.0.0.1:{port}"
    shopper = Shopper(shop.url)
    rows = shopper.get("/products?page_size=100&in_stock=true").json()["results"]
    variants = [
        variant["id"]
        for row in rows
        for variant in shopper.get(f"/products/{row['id']}").json()["variants"]
        if variant["availability"]["quantity"] >= 10
    ]
    clerk = Shopper(shop.url)
    clerk.sign_in(shop.staff_email, shop.staff_password)
    variants = variants[:60]
    for sku in {
        row["sku"]
        for row in clerk.get("/inventory/stock?page_size=100").json()["results"]
        if row["variant_id"] in variants
    }:
        clerk.post(
            "/inventory/adjustments",
            {"sku": sku, "warehouse": "main", "delta": 100_000, "reason": "bench"},
        )

    def fill(number: int) -> bytes:
        buyer = Shopper(shop.url)
        for step in range(3):
            answer = buyer.add(variants[(number * 3 + step) % len(variants)])
            if answer.status_code != 200:
                raise SystemExit(f"bench: {answer.text}")
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
            X_Cart_Token=str(buyer.session.headers["X-Cart-Token"]),
            Idempotency_Key=uuid.uuid4().hex,
        )

    batches = [[fill(i) for i in range(orders)] for _ in range(rounds + 1)]

    def check_out() -> float:
        return _must_be(run_load(port, batches.pop(), connections=8), 201)

    with _PgBench(shop) as pgbench:
        return _interleave(
            "checkout of 3 lines, 8 clients",
            "pgbench, like statements",
            "0.30",
            check_out,
            pgbench.run,
            rounds,
        )


class _PgBench:
    """The statements of one checkout on tables of their own, run by PostgreSQL's own bench."""

    TABLES = """
        CREATE SCHEMA IF NOT EXISTS bench;
        CREATE TABLE bench.stock (id bigint PRIMARY KEY, on_hand int NOT NULL,
            reserved int NOT NULL DEFAULT 0 CHECK (reserved <= on_hand)) WITH (fillfactor = 60);
        INSERT INTO bench.stock SELECT i, 1000000000, 0 FROM generate_series(1, 60) i;
        CREATE TABLE bench.idem (id bigserial PRIMARY KEY, key text UNIQUE, state text,
            body text, expires_at timestamptz);
        CREATE TABLE bench.orders (id bigserial PRIMARY KEY, number text UNIQUE, status text,
            address jsonb, total bigint, placed_at timestamptz);
        CREATE INDEX ON bench.orders (placed_at);
        CREATE TABLE bench.line (id bigserial PRIMARY KEY,
            order_id bigint REFERENCES bench.orders, sku text, title text, price bigint,
            quantity int);
        CREATE INDEX ON bench.line (order_id);
        CREATE TABLE bench.payment (id uuid PRIMARY KEY, order_id bigint REFERENCES bench.orders,
            status text, amount bigint);
        CREATE INDEX ON bench.payment (order_id);
        CREATE TABLE bench.charge (id uuid PRIMARY KEY, amount bigint);
        CREATE TABLE bench.event (id bigserial PRIMARY KEY,
            order_id bigint REFERENCES bench.orders, kind text, at timestamptz);
        CREATE INDEX ON bench.event (order_id);
        CREATE TABLE bench.reservation (id bigserial PRIMARY KEY, reference text,
            stock_id bigint REFERENCES bench.stock, quantity int, state text,
            UNIQUE (reference, stock_id));
        CREATE TABLE bench.ledger (id bigserial PRIMARY KEY,
            stock_id bigint REFERENCES bench.stock, cause text, delta int, after int,
            UNIQUE (cause, delta, stock_id));
        CREATE TABLE bench.outbox (id bigserial PRIMARY KEY, topic text, payload jsonb);
    """
    SCRIPT = r"""
        \set s1 random(1, 58)
        \set n random(1, 9000000000000000)
        BEGIN;
        INSERT INTO bench.idem (key, state, expires_at)
            VALUES (:n::text, 'STARTED', now()) ON CONFLICT DO NOTHING RETURNING id;
        SELECT id, on_hand FROM bench.stock WHERE id IN (:s1, :s1 + 1, :s1 + 2);
        INSERT INTO bench.orders (number, status, address, total, placed_at)
            VALUES (:n::text, 'PENDING', '{"name": "Ada Lovelace", "line1": "12 Square"}', 5000,
            now()) RETURNING id \gset
        INSERT INTO bench.line (order_id, sku, title, price, quantity) VALUES
            (:id, 'A', 'Stoneware mug', 1999, 1), (:id, 'B', 'Stoneware mug', 1999, 1),
            (:id, 'C', 'Stoneware mug', 1999, 1);
        INSERT INTO bench.payment VALUES (md5(:n::text)::uuid, :id, 'NEW', 5000);
        INSERT INTO bench.event (order_id, kind, at) VALUES (:id, 'PLACED', now());
        SELECT id FROM bench.stock WHERE id IN (:s1, :s1 + 1, :s1 + 2) ORDER BY id
            FOR NO KEY UPDATE;
        WITH moved AS (UPDATE bench.stock SET reserved = reserved + 1
            WHERE id IN (:s1, :s1 + 1, :s1 + 2) RETURNING id, reserved),
        held AS (INSERT INTO bench.reservation (reference, stock_id, quantity, state)
            SELECT :n::text, id, 1, 'HELD' FROM moved)
        INSERT INTO bench.ledger (stock_id, cause, delta, after)
            SELECT id, :n::text, 1, reserved FROM moved;
        COMMIT;
        INSERT INTO bench.charge VALUES (md5(:n::text)::uuid, 5000);
        BEGIN;
        SELECT * FROM bench.orders WHERE id = :id FOR NO KEY UPDATE;
        SELECT * FROM bench.payment WHERE order_id = :id FOR NO KEY UPDATE;
        UPDATE bench.payment SET status = 'CAPTURED' WHERE order_id = :id;
        UPDATE bench.orders SET status = 'CONFIRMED' WHERE id = :id;
        INSERT INTO bench.event (order_id, kind, at) VALUES (:id, 'PAID', now());
        INSERT INTO bench.outbox (topic, payload) VALUES ('order.confirmed', '{"v": 1}');
        SELECT id FROM bench.stock WHERE id IN (:s1, :s1 + 1, :s1 + 2) ORDER BY id
            FOR NO KEY UPDATE;
        WITH moved AS (UPDATE bench.stock SET reserved = reserved - 1, on_hand = on_hand - 1
            WHERE id IN (:s1, :s1 + 1, :s1 + 2) RETURNING id, on_hand),
        held AS (UPDATE bench.reservation SET state = 'COMMITTED' WHERE reference = :n::text)
        INSERT INTO bench.ledger (stock_id, cause, delta, after)
            SELECT id, :n::text, -1, on_hand FROM moved;
        UPDATE bench.idem SET state = 'DONE', body = repeat('x', 3000) WHERE key = :n::text;
        COMMIT;
    """

    ARGUMENTS = ("-n", "-M", "simple", "-c", "8", "-j", "2", "-T", "3")  # 8 clients, 3 s

    def __init__(self, shop: RunningShop) -> None:
        self.url = shop.database_url
        self.program = shop.postgres_program("pgbench")
        self.psql = shop.postgres_program("psql")

    def __enter__(self) -> "_PgBench":
        self._sql("DROP SCHEMA IF EXISTS bench CASCADE;" + self.TABLES)
        self.script = Path(tempfile.mkstemp(suffix=".sql")[1])
        # A pgbench script is one statement a line.
        flat = re.sub(r"\n\s*(?=\\)", "\n", self.SCRIPT.strip())
        self.script.write_text(_one_statement_a_line(flat))
        return self

    def __exit__(self, *_: object) -> None:
        self.script.unlink()
        self._sql("DROP SCHEMA IF EXISTS bench CASCADE")

    def _sql(self, sql: str) -> None:
        subprocess.run([self.psql, "-q", "-X", self.url, "-c", sql], check=True)

    def run(self) -> float:
        ran = subprocess.run(
            [
                self.program,
                *["-n", "-M", "simple", "-c", "8", "-j", "2", "-T", "3", "-f"],
                str(self.script),
                self.url,
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        found = re.search(r"tps = ([\d.]+)", ran.stdout)
        return float(found[1]) if found else 0.0


def _one_statement_a_line(script: str) -> str:
    lines, statement = [], ""
    for line in (line.strip() for line in script.splitlines()):
        if line.startswith("\\"):
            lines.append(line)
            continue
        statement = f"{statement} {line}".strip()
        if statement.endswith((";", "\\gset")):
            lines.append(statement)
            statement = ""
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--orders", type=int, default=200, help="checkouts a round")
    parser.add_argument("--write", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    # The limiter counts as always, and refuses nobody: all load comes from one address.
    env = {"LOG_LEVEL": "WARNING", "SHOP_RATE_LIMIT": UNTHROTTLED}
    with (
        tempfile.TemporaryDirectory() as home,
        running_shop(Path(home) / "shop", env=env) as shop,
    ):
        pairs = reads(shop, options.rounds, options.seconds)
        pairs.append(checkouts(shop, options.rounds, options.orders))
    table = Table("path", "against", "ratio (median)", "goal", "a second", "limit a second")
    for pair in pairs:
        table.add_row(
            pair.name,
            pair.limit,
            f"{pair.ratio:.2f}",
            pair.goal,
            f"{statistics.median(pair.measured):,.0f}",
            f"{statistics.median(pair.limits):,.0f}",
        )
    OUT.print(table)
    if options.write:
        options.write.write_text(_markdown(pairs, options.rounds), encoding="utf-8")


def _markdown(pairs: list[Pair], rounds: int) -> str:
    rows = "\n".join(
        f"| {p.name} | {p.limit} | **{p.ratio:.2f}** | {p.goal} "
        f"| {statistics.median(p.measured):,.0f} | {statistics.median(p.limits):,.0f} |"
        for p in pairs
    )
    return f"""# Benchmarks

Written by `make bench`. Each path is measured in turn with its own limit, {rounds} rounds; the
ratio is the median of the rounds' ratios. Ratios carry over to other machines, figures do not.

{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {sys.version.split()[0]};
gunicorn gthread 2 × 4, the load generator, PostgreSQL and Valkey on the same machine.

| path | against | ratio | goal | a second | limit a second |
| --- | --- | --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    main()
