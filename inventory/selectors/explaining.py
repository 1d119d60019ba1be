"""Where the counters of a SKU and its ledger part: for people who have to find out why."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Ledger rows that are told before and after each one at which the books part.
_AROUND = 3

_COUNTERS = """
SELECT s.id, w.code, s.on_hand, s.reserved,
       coalesce((SELECT sum(quantity) FROM inventory_reservation r
                 WHERE r.stock_id = s.id AND r.state IN ('HELD', 'OWED')), 0)
FROM inventory_stock s
JOIN inventory_warehouse w ON w.id = s.warehouse_id
JOIN catalog_variant v ON v.id = s.variant_id
WHERE v.sku = %s
ORDER BY s.id
"""

_LEDGER = """
WITH chain AS (
    SELECT m.*, row_number() OVER told AS place, count(*) OVER (PARTITION BY m.stock_id) AS length,
           sum(delta_on_hand) OVER told AS sum_on_hand,
           sum(delta_reserved) OVER told AS sum_reserved,
           coalesce(lag(on_hand_after) OVER told, 0) + delta_on_hand AS expected_on_hand,
           coalesce(lag(reserved_after) OVER told, 0) + delta_reserved AS expected_reserved
    FROM inventory_stockmovement m
    WHERE m.stock_id = ANY(%(stocks)s::bigint[])
    WINDOW told AS (PARTITION BY m.stock_id ORDER BY m.id)
), breaks AS (
    SELECT stock_id, place FROM chain
    WHERE (expected_on_hand, expected_reserved) <> (on_hand_after, reserved_after)
)
SELECT c.stock_id, c.id, c.happened_at, c.kind, c.cause, c.delta_on_hand, c.delta_reserved,
       c.on_hand_after, c.reserved_after, c.expected_on_hand, c.expected_reserved,
       c.sum_on_hand, c.sum_reserved
FROM chain c
WHERE c.place > c.length - %(around)s
   OR EXISTS (
       SELECT FROM breaks b
       WHERE b.stock_id = c.stock_id
         AND b.place BETWEEN c.place - %(around)s AND c.place + %(around)s
   )
ORDER BY c.stock_id, c.id
"""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger, and what its balance should be by the row before it."""

    movement_id: int
    happened_at: datetime
    kind: str
    cause: str
    delta_on_hand: int
    delta_reserved: int
    on_hand_after: int
    reserved_after: int
    expected_on_hand: int
    expected_reserved: int
    sum_on_hand: int  # of all changes up to this one
    sum_reserved: int

    @property
    def parts(self) -> bool:
        """Whether the books part here: a row before it is lost, or one of the two was edited."""
        return (self.expected_on_hand, self.expected_reserved) != (
            self.on_hand_after,
            self.reserved_after,
        )


@dataclass(frozen=True, slots=True)
class StockStory:
    """One stock's counters, beside what reservations and ledger say they should be.

    `entries` are the rows around each one where the ledger parts, and its last ones.
    """

    stock_id: int
    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    open_reservations: int  # units
    entries: tuple[LedgerEntry, ...]

    @property
    def ledger_on_hand(self) -> int:
        return self.entries[-1].sum_on_hand if self.entries else 0

    @property
    def ledger_reserved(self) -> int:
        return self.entries[-1].sum_reserved if self.entries else 0

    @property
    def ledger_parts_at(self) -> int | None:
        """The first ledger row that does not follow from the one before it."""
        return next((entry.movement_id for entry in self.entries if entry.parts), None)

    @property
    def counters_part_after(self) -> int | None:
        """The last ledger row, if the counters are not what it left; 0 if there is no row."""
        last = (
            (self.entries[-1].on_hand_after, self.entries[-1].reserved_after)
            if self.entries
            else (0, 0)
        )
        if last == (self.on_hand, self.reserved):
            return None
        return self.entries[-1].movement_id if self.entries else 0

    @property
    def is_sound(self) -> bool:
        return (
            self.ledger_parts_at is None
            and self.counters_part_after is None
            and self.open_reservations == self.reserved
        )


def stories_of_stock(*, sku: str) -> list[StockStory]:
    """Return the story of each stock of a SKU, in two queries however long the ledger is."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTERS, [sku])
        counters = cursor.fetchall()
        cursor.execute(_LEDGER, {"stocks": [row[0] for row in counters], "around": _AROUND})
        entries: dict[int, list[LedgerEntry]] = defaultdict(list)
        for stock_id, *row in cursor.fetchall():
            entries[stock_id].append(LedgerEntry(*row))
    return [
        StockStory(
            stock_id=stock_id,
            sku=sku,
            warehouse=warehouse,
            on_hand=on_hand,
            reserved=reserved,
            open_reservations=int(promised),
            entries=tuple(entries[stock_id]),
        )
        for stock_id, warehouse, on_hand, reserved, promised in counters
    ]
