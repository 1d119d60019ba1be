"""The limits of a checkout: what PostgreSQL's own bench does in a second, without any Python.

Once the very statements of a checkout, on the shop's own tables; and once as many round trips and
commits, the same rows and the same locks, on tables of like shape that have no checks, no triggers
and few indexes.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shop.embedded.home import PROJECT
from tests.load.bench.shops import environment_of
from tests.shop_process import RunningShop

CLIENTS = 8
WARM_SECONDS, SECONDS = 3, 3

QUIETLY = "SET client_min_messages = warning;"
TABLES = """
    DROP SCHEMA IF EXISTS bench CASCADE;
    CREATE SCHEMA bench;
    CREATE TABLE bench.stock (id bigint PRIMARY KEY, on_hand int NOT NULL,
        reserved int NOT NULL DEFAULT 0 CHECK (reserved <= on_hand)) WITH (fillfactor = 60);
    INSERT INTO bench.stock SELECT i, 1000000000, 0 FROM generate_series(1, 60) i;
    CREATE TABLE bench.card (id bigint PRIMARY KEY, sku text, title text, price bigint);
    INSERT INTO bench.card SELECT i, 'SKU-' || i, 'Stoneware mug', 1999
        FROM generate_series(1, 60) i;
    CREATE TABLE bench.rules (version uuid);
    INSERT INTO bench.rules VALUES (gen_random_uuid());
    CREATE TABLE bench.idem (id bigserial PRIMARY KEY, key text UNIQUE, state text,
        body text, expires_at timestamptz);
    CREATE INDEX ON bench.idem (expires_at);
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
    SELECT * FROM bench.card WHERE id IN (:s1, :s1 + 1, :s1 + 2);
    SELECT version FROM bench.rules;
    WITH placed AS (INSERT INTO bench.orders (number, status, address, total, placed_at)
            VALUES (:n::text, 'PENDING', '{"name": "Ada Lovelace", "line1": "12 Square"}', 5000,
            now()) RETURNING id),
        lines AS (INSERT INTO bench.line (order_id, sku, title, price, quantity) VALUES
            ((SELECT id FROM placed), 'A', 'Stoneware mug', 1999, 1),
            ((SELECT id FROM placed), 'B', 'Stoneware mug', 1999, 1),
            ((SELECT id FROM placed), 'C', 'Stoneware mug', 1999, 1)),
        payment AS (INSERT INTO bench.payment
            VALUES (md5(:n::text)::uuid, (SELECT id FROM placed), 'REQUESTED', 5000)),
        event AS (INSERT INTO bench.event (order_id, kind, at)
            VALUES ((SELECT id FROM placed), 'PLACED', now()))
        SELECT id FROM placed \gset
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
    WITH changed AS (UPDATE bench.orders SET status = 'CONFIRMED'
        WHERE id = :id AND status = 'PENDING' RETURNING id),
    paid AS (UPDATE bench.payment SET status = 'CAPTURED' WHERE id = md5(:n::text)::uuid),
    answered AS (UPDATE bench.idem SET state = 'DONE', body = repeat('x', 3000)
        WHERE key = :n::text),
    event AS (INSERT INTO bench.event (order_id, kind, at) SELECT id, 'PAID', now() FROM changed)
    INSERT INTO bench.outbox (topic, payload) SELECT 'order.confirmed', '{"v": 1}' FROM changed;
    WITH moved AS (UPDATE bench.stock SET reserved = reserved - 1, on_hand = on_hand - 1
        WHERE id IN (:s1, :s1 + 1, :s1 + 2) RETURNING id, on_hand),
    held AS (UPDATE bench.reservation SET state = 'COMMITTED' WHERE reference = :n::text)
    INSERT INTO bench.ledger (stock_id, cause, delta, after)
        SELECT id, :n::text, -1, on_hand FROM moved;
    COMMIT;
"""


class PgBench:
    """Runs scripts with as many clients as the checkout is measured with."""

    def __init__(self, shop: RunningShop) -> None:
        self._url = shop.database_url
        self._program = shop.postgres_program("pgbench")
        self._psql = shop.postgres_program("psql")

    def run(self, scripts: Sequence[Path]) -> float:
        """Return the orders a second, each client running one of the scripts after the other.

        The first seconds are not counted: in them each client has every statement prepared.
        """
        how = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-P", "1"]
        how += ["-T", str(WARM_SECONDS + SECONDS)]
        ran = subprocess.run(
            [self._program, *how, *(f"--file={script}" for script in scripts), self._url],
            check=True,
            capture_output=True,
            text=True,
        )
        by_second = [float(found) for found in re.findall(r"s, ([\d.]+) tps", ran.stderr)]
        counted = by_second[WARM_SECONDS:]
        return sum(counted) / len(counted)

    def sql(self, sql: str) -> None:
        """Run this, told about nothing but errors."""
        subprocess.run([self._psql, "-q", "-X", self._url, "-c", QUIETLY + sql], check=True)


class BareTables:
    """What a checkout does, on tables of its own."""

    def __init__(self, shop: RunningShop) -> None:
        self._bench = PgBench(shop)

    def __enter__(self) -> "BareTables":
        self._bench.sql(TABLES)
        self._folder = tempfile.TemporaryDirectory()
        self._script = Path(self._folder.name) / "checkout.sql"
        self._script.write_text(_one_statement_a_line(SCRIPT), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        self._bench.sql("DROP SCHEMA IF EXISTS bench CASCADE")

    def run(self) -> float:
        """Return the orders a second."""
        return self._bench.run([self._script])


class SameStatements:
    """What a checkout sends, on the tables of the shop."""

    def __init__(self, shop: RunningShop, baskets: Sequence[Sequence[int]]) -> None:
        self._shop = shop
        self._bench = PgBench(shop)
        self._baskets = [",".join(map(str, basket)) for basket in baskets]

    def __enter__(self) -> "SameStatements":
        self._folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def run(self) -> float:
        """Return the orders a second.

        The statements are told anew each time: a hold that they ask for has an end.
        """
        told = subprocess.run(
            [sys.executable, "-m", "tests.load.bench.statements", *self._baskets],
            cwd=PROJECT,
            env=environment_of(self._shop),
            check=True,
            stdout=subprocess.PIPE,
        )
        scripts = []
        for number, script in enumerate(json.loads(told.stdout)):
            scripts.append(Path(self._folder.name) / f"checkout-{number}.sql")
            scripts[-1].write_text(script, encoding="utf-8")
        return self._bench.run(scripts)


def _one_statement_a_line(script: str) -> str:
    # A script of pgbench is one statement, or one of its own commands, a line.
    lines, statement = [], ""
    for line in (line.strip() for line in script.strip().splitlines()):
        if line.startswith("\\"):
            lines.append(line)
            continue
        statement = f"{statement} {line}".strip()
        if statement.endswith((";", "\\gset")):
            lines.append(statement)
            statement = ""
    return "\n".join(lines) + "\n"
