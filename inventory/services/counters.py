"""The two counters of a stock: locked in one order, changed in one statement with their ledger.

Only the services beside this module call it. Every row of a variant is locked together, so that
what shoppers are told of it, a sum over warehouses, is exact.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from django.db import connection, transaction

from inventory import store
from inventory.models import StockMovement
from inventory.selectors import Level, shown_to_shoppers
from inventory.services.availability import announce_availability
from inventory.services.low_stock import announce_low_stock

# The ground of every change: who locks several rows locks them in this order, and queues up.
_LOCK = """
SELECT s.id, s.variant_id, s.warehouse_id, w.country, w.priority, w.is_active,
       s.on_hand, s.reserved, s.backorder_limit, s.low_at
FROM inventory_stock s JOIN inventory_warehouse w ON w.id = s.warehouse_id
WHERE s.variant_id = ANY(%s::bigint[])
ORDER BY s.id FOR NO KEY UPDATE OF s
"""

_MAKE_MISSING = """
INSERT INTO inventory_stock (variant_id, warehouse_id, on_hand, reserved, backorder_limit, low_at)
SELECT v.id, p.warehouse_id, 0, 0, 0, 5
FROM unnest(%s::bigint[], %s::bigint[]) AS p(variant_id, warehouse_id)
JOIN catalog_variant v ON v.id = p.variant_id
WHERE NOT EXISTS (
    SELECT FROM inventory_stock s
    WHERE s.variant_id = p.variant_id AND s.warehouse_id = p.warehouse_id
)
ORDER BY v.id, p.warehouse_id
ON CONFLICT DO NOTHING
"""

_CHANGE_ON_HAND = """
WITH changed AS (
    UPDATE inventory_stock s SET on_hand = s.on_hand + d.delta
    FROM unnest(%(stocks)s::bigint[], %(deltas)s::int[]) AS d(stock_id, delta)
    WHERE s.id = d.stock_id
    RETURNING s.id, d.delta, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, %(kind)s, delta, 0, on_hand, reserved,
           %(reason)s, %(cause)s, %(actor)s::bigint, %(now)s::timestamptz
    FROM changed ORDER BY id
    RETURNING id, stock_id, delta_on_hand, on_hand_after, reserved_after
)
SELECT n.id, n.stock_id, n.delta_on_hand, n.on_hand_after, n.reserved_after,
       n.reserved_after > 0 AND EXISTS (
           SELECT FROM inventory_reservation r WHERE r.stock_id = n.stock_id AND r.state = 'OWED'
       )
FROM noted n ORDER BY n.id
"""

# Units that came in go first to those who have waited longest. A later promise does not overtake
# an earlier, larger one: `running` counts everything that is owed before it.
_FILL_OWED = """
WITH due AS (
    SELECT r.id, r.stock_id, r.reference, r.quantity,
           sum(r.quantity) OVER (PARTITION BY r.stock_id ORDER BY r.id) AS running
    FROM inventory_reservation r
    WHERE r.stock_id = ANY(%(stocks)s::bigint[]) AND r.state = 'OWED'
), ready AS (
    SELECT d.*, s.on_hand, s.reserved
    FROM due d JOIN inventory_stock s ON s.id = d.stock_id
    WHERE d.running <= s.on_hand
), filled AS (
    UPDATE inventory_reservation r SET state = 'COMMITTED' FROM ready WHERE r.id = ready.id
), changed AS (
    UPDATE inventory_stock s
    SET on_hand = s.on_hand - t.units, reserved = s.reserved - t.units
    FROM (SELECT stock_id, sum(quantity) AS units FROM ready GROUP BY stock_id) t
    WHERE s.id = t.stock_id
)
INSERT INTO inventory_stockmovement
    (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
     reason, cause, actor_id, happened_at)
SELECT stock_id, 'SALE', -quantity, -quantity, on_hand - running, reserved - running,
       CASE WHEN reference = %(settling)s THEN '' ELSE 'Back-order filled' END,
       reference, NULL, %(now)s::timestamptz
FROM ready ORDER BY id
"""

_ALREADY = """
SELECT m.stock_id FROM inventory_stockmovement m
WHERE m.cause = %s AND m.kind = %s AND m.stock_id = ANY(%s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One variant in one warehouse."""

    variant_id: int
    warehouse_id: int


def locked_levels(variant_ids: Collection[int]) -> list[Level]:
    """Lock every stock of these variants until the transaction ends, and return them.

    In primary-key order: callers that want the same rows queue up, and never deadlock.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(variant_ids)])
        return [Level(*row) for row in cursor.fetchall()]


def locked_places(places: Collection[Place]) -> dict[Place, Level]:
    """Like `locked_levels` by place, with rows made for the places that have none.

    A place of a variant that does not exist is absent.
    """
    # Made before anything is locked, in one order: two who make the same rows wait for each
    # other in that order and hold nothing else that the other wants.
    with connection.cursor() as cursor:
        cursor.execute(
            _MAKE_MISSING, [[p.variant_id for p in places], [p.warehouse_id for p in places]]
        )
    return {
        Place(level.variant_id, level.warehouse_id): level
        for level in locked_levels({place.variant_id for place in places})
    }


def already_moved(*, kind: str, cause: str, stock_ids: Collection[int]) -> set[int]:
    """Return which of these stocks have a ledger row of this kind and cause.

    Asked under their lock: a twin of the caller has either finished or not begun.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ALREADY, [cause, kind, list(stock_ids)])
        return {stock_id for (stock_id,) in cursor.fetchall()}


def change_on_hand(
    *,
    levels: Iterable[Level],
    deltas: Mapping[int, int],
    kind: StockMovement.Kind,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> list[StockMovement]:
    """Change what is on hand, by stock id, and return the ledger rows that say so.

    `levels` are all locked rows of the variants. Owed units are filled from what came in, and the
    catalogue hears of what shoppers can see. Two statements, three when something was owed.
    """
    if not deltas:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _CHANGE_ON_HAND,
            {
                "stocks": list(deltas),
                "deltas": list(deltas.values()),
                "kind": kind.value,
                "cause": cause,
                "reason": reason,
                "actor": actor_id,
                "now": now,
            },
        )
        rows = cursor.fetchall()
    if owing := [row[1] for row in rows if row[5] and row[2] > 0]:
        fill_owed(stock_ids=owing, now=now)
    before = list(levels)
    after = [
        replace(level, on_hand=level.on_hand + deltas.get(level.stock_id, 0)) for level in before
    ]
    tell_of_change(before, after)
    return [
        StockMovement(
            id=movement_id,
            stock_id=stock_id,
            kind=kind,
            delta_on_hand=delta,
            delta_reserved=0,
            on_hand_after=on_hand_after,
            reserved_after=reserved_after,
            reason=reason,
            cause=cause,
            actor_id=actor_id,
            happened_at=now,
        )
        for movement_id, stock_id, delta, on_hand_after, reserved_after, _ in rows
    ]


def fill_owed(*, stock_ids: Sequence[int], now: datetime, settling: str = "") -> None:
    """Have units on hand leave for those to whom they are owed. The caller holds the locks.

    What leaves for the reference that is `settling` never waited, and is a sale like any.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FILL_OWED, {"stocks": list(stock_ids), "now": now, "settling": settling})


def tell_of_change(before: Sequence[Level], after: Sequence[Level]) -> None:
    """Drop the hints of these variants on commit; announce what shoppers and staff would notice."""
    variant_ids = {level.variant_id for level in before}
    if not variant_ids:
        return
    transaction.on_commit(partial(store.forget_units, variant_ids))
    old, new = _by_variant(before), _by_variant(after)
    changed = [
        variant_id
        for variant_id in sorted(variant_ids)
        if shown_to_shoppers(old[variant_id]) != shown_to_shoppers(new[variant_id])
    ]
    if changed:
        announce_availability(variant_ids=changed)
    announce_low_stock(before=before, after=after)


def _by_variant(levels: Sequence[Level]) -> dict[int, list[Level]]:
    found: dict[int, list[Level]] = defaultdict(list)
    for level in levels:
        found[level.variant_id].append(level)
    return found
