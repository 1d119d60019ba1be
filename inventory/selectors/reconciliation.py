"""Where the books disagree: nowhere, in a sound shop.

A check is a name and one statement over whole tables; whoever adds one gives it both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

# A hold may outlive its end for as long as the sweeper and a payment in flight need.
OVERDUE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Drift:
    """One place where the books disagree."""

    check: str
    sku: str
    warehouse: str
    subject: str  # which counter, row or reservation of that stock
    expected: int
    found: int
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that every stock keeps.

    `sql` returns sku, warehouse, subject, expected, found and detail of each breach; the first
    three say which one it is, whenever it is looked for. It may use the parameters `sku` (null:
    all) and `overdue` (holds that were to end before it are overdue).
    """

    name: str
    promise: str
    sql: str


CHECKS: tuple[Check, ...] = (
    Check(
        "on_hand_is_ledger_sum",
        "What is on hand is the sum of its ledger.",
        """
        SELECT v.sku, w.code, 'on hand', coalesce(m.units, 0), s.on_hand, 'sum of the ledger'
        FROM inventory_stock s
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        LEFT JOIN (
            SELECT stock_id, sum(delta_on_hand) AS units
            FROM inventory_stockmovement GROUP BY stock_id
        ) m ON m.stock_id = s.id
        WHERE s.on_hand <> coalesce(m.units, 0)
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "reserved_is_ledger_sum",
        "What is reserved is the sum of its ledger.",
        """
        SELECT v.sku, w.code, 'reserved', coalesce(m.units, 0), s.reserved, 'sum of the ledger'
        FROM inventory_stock s
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        LEFT JOIN (
            SELECT stock_id, sum(delta_reserved) AS units
            FROM inventory_stockmovement GROUP BY stock_id
        ) m ON m.stock_id = s.id
        WHERE s.reserved <> coalesce(m.units, 0)
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "reserved_is_open_reservations",
        "What is reserved is what reservations hold or are owed.",
        """
        SELECT v.sku, w.code, 'reserved', coalesce(r.units, 0), s.reserved,
               'sum of open reservations'
        FROM inventory_stock s
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        LEFT JOIN (
            SELECT stock_id, sum(quantity) AS units
            FROM inventory_reservation WHERE state IN ('HELD', 'OWED') GROUP BY stock_id
        ) r ON r.stock_id = s.id
        WHERE s.reserved <> coalesce(r.units, 0)
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "counters_in_range",
        "Nothing is below zero, and no more is promised than there is or may be owed.",
        """
        SELECT v.sku, w.code, 'reserved', s.on_hand + s.backorder_limit, s.reserved,
               format('on hand %%s, back-order limit %%s', s.on_hand, s.backorder_limit)
        FROM inventory_stock s
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        WHERE (s.on_hand < 0 OR s.reserved < 0 OR s.reserved > s.on_hand + s.backorder_limit)
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "ledger_chain_unbroken",
        "Each ledger row's balance is that of the row before it, and its own change.",
        """
        SELECT v.sku, w.code, format('movement %%s, %%s', m.id, m.counter), m.expected, m.found,
               format('%%s after movement %%s', m.counter, m.id)
        FROM (
            SELECT c.id, c.stock_id, p.counter, p.expected, p.found
            FROM (
                SELECT id, stock_id, on_hand_after, reserved_after,
                       coalesce(lag(on_hand_after) OVER chain, 0) + delta_on_hand AS on_hand,
                       coalesce(lag(reserved_after) OVER chain, 0) + delta_reserved AS reserved
                FROM inventory_stockmovement
                WINDOW chain AS (PARTITION BY stock_id ORDER BY id)
            ) c
            CROSS JOIN LATERAL (
                VALUES ('on hand', c.on_hand, c.on_hand_after),
                       ('reserved', c.reserved, c.reserved_after)
            ) AS p(counter, expected, found)
            WHERE (c.on_hand, c.reserved) IS DISTINCT FROM (c.on_hand_after, c.reserved_after)
              AND p.expected <> p.found
        ) m
        JOIN inventory_stock s ON s.id = m.stock_id
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        WHERE (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        ORDER BY m.id
        """,
    ),
    Check(
        "ledger_ends_at_the_counters",
        "The balance of the last ledger row is what the counters say.",
        """
        SELECT v.sku, w.code, p.counter, p.expected, p.found,
               format('%%s after movement %%s', p.counter, m.id)
        FROM (
            SELECT DISTINCT ON (stock_id) stock_id, id, on_hand_after, reserved_after
            FROM inventory_stockmovement ORDER BY stock_id, id DESC
        ) m
        JOIN inventory_stock s ON s.id = m.stock_id
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        CROSS JOIN LATERAL (
            VALUES ('on hand', m.on_hand_after, s.on_hand),
                   ('reserved', m.reserved_after, s.reserved)
        ) AS p(counter, expected, found)
        WHERE p.expected <> p.found AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "reservations_are_in_the_ledger",
        "Each reservation has the ledger rows that its state calls for, and no row lacks one.",
        """
        SELECT v.sku, w.code, coalesce(r.reference, m.cause), coalesce(r.open, 0),
               coalesce(m.balance, 0),
               format('%%s is %%s', coalesce(r.reference, m.cause), coalesce(r.state, 'unknown'))
        FROM (
            SELECT reference, stock_id, state,
                   CASE WHEN state IN ('HELD', 'OWED') THEN quantity ELSE 0 END AS open
            FROM inventory_reservation
        ) r
        FULL JOIN (
            SELECT cause, stock_id, sum(delta_reserved) AS balance
            FROM inventory_stockmovement
            WHERE kind IN ('RESERVATION', 'RELEASE', 'SALE') GROUP BY cause, stock_id
        ) m ON m.cause = r.reference AND m.stock_id = r.stock_id
        JOIN inventory_stock s ON s.id = coalesce(r.stock_id, m.stock_id)
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        WHERE (coalesce(m.balance, 0) <> coalesce(r.open, 0)
               OR r.reference IS NULL OR m.cause IS NULL)
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "no_hold_overdue",
        "A hold past its end is given back, or committed, before long.",
        """
        SELECT v.sku, w.code, r.reference, 0, r.quantity,
               format('%%s was to end at %%s', r.reference, r.expires_at AT TIME ZONE 'UTC')
        FROM inventory_reservation r
        JOIN inventory_stock s ON s.id = r.stock_id
        JOIN catalog_variant v ON v.id = s.variant_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        WHERE r.state = 'HELD' AND r.expires_at < %(overdue)s::timestamptz
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
    Check(
        "flash_sale_taken_is_reservations",
        "What a flash sale has given is what its reservations hold, sold or are owed.",
        """
        SELECT v.sku, 'every warehouse', format('flash sale %%s', f.slug), coalesce(r.units, 0),
               f.taken, 'sum of its reservations'
        FROM inventory_flashsale f
        JOIN catalog_variant v ON v.id = f.variant_id
        LEFT JOIN (
            SELECT sale_id, sum(quantity) AS units FROM inventory_reservation
            WHERE sale_id IS NOT NULL AND state <> 'RELEASED' GROUP BY sale_id
        ) r ON r.sale_id = f.id
        WHERE f.taken <> coalesce(r.units, 0)
          AND (%(sku)s::text IS NULL OR v.sku = %(sku)s::text)
        """,
    ),
)


def drifted_stock(*, sku: str | None = None, now: datetime | None = None) -> list[Drift]:
    """Return where counters, reservations and ledger disagree: nowhere, in a sound shop.

    All checks see the same moment, so that a busy shop raises no false alarm; inside a caller's
    transaction they see what that sees. Without `now` the ends of holds are not looked at.
    """
    parameters = {
        "sku": sku,
        "overdue": now - timedelta(seconds=OVERDUE_SECONDS) if now is not None else None,
    }
    with _one_snapshot(), connection.cursor() as cursor:
        found: list[Drift] = []
        for check in CHECKS:
            cursor.execute(check.sql, parameters)
            found.extend(Drift(check.name, *row) for row in cursor.fetchall())
    return found


@contextmanager
def _one_snapshot() -> Iterator[None]:
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
