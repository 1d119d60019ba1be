"""Promises: stock that is held for a reference, and then leaves or comes free again."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection, transaction

from inventory.errors import OutOfStock, ReservationOver
from inventory.selectors import Level
from inventory.services.counters import locked_levels, tell_of_change

# Looks before it locks: when the stock that is there cannot cover the lines, no row comes back and
# none was waited for. A reference that holds something already is let through to be found.
_LOOK_AND_LOCK = """
SELECT s.id, s.variant_id, s.warehouse_id, w.country, w.priority, w.is_active,
       s.on_hand, s.reserved, s.backorder_limit, s.low_at
FROM inventory_stock s JOIN inventory_warehouse w ON w.id = s.warehouse_id
WHERE s.variant_id = ANY(%(variants)s::bigint[])
  AND (
    EXISTS (SELECT FROM inventory_reservation r WHERE r.reference = %(reference)s)
    OR NOT EXISTS (
        SELECT FROM unnest(%(variants)s::bigint[], %(quantities)s::bigint[]) AS q(variant_id, units)
        WHERE q.units > (
            SELECT coalesce(sum(l.on_hand + l.backorder_limit - l.reserved), 0)
            FROM inventory_stock l JOIN inventory_warehouse p ON p.id = l.warehouse_id
            WHERE l.variant_id = q.variant_id AND p.is_active
        )
    )
  )
ORDER BY s.id FOR NO KEY UPDATE OF s
"""

# Everything that a hold changes, at once. `earlier` is read under the lock, in a statement of its
# own: a twin of this call has either finished, and is seen here, or not begun.
_HOLD = """
WITH earlier AS MATERIALIZED (
    SELECT state FROM inventory_reservation WHERE reference = %(reference)s
), wanted AS (
    SELECT q.stock_id, q.units
    FROM unnest(%(stocks)s::bigint[], %(quantities)s::int[]) AS q(stock_id, units)
    WHERE NOT EXISTS (SELECT FROM earlier)
), held AS (
    INSERT INTO inventory_reservation
        (reference, stock_id, quantity, state, expires_at, created_at)
    SELECT %(reference)s, stock_id, units, 'HELD',
           %(expires_at)s::timestamptz, %(now)s::timestamptz
    FROM wanted
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved + q.units
    FROM wanted q WHERE s.id = q.stock_id
    RETURNING s.id, q.units, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'RESERVATION', 0, units, on_hand, reserved,
           '', %(reference)s, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT count(*), coalesce(bool_or(state = 'RELEASED'), false) FROM earlier
"""

_ASKED_AGAINST_THERE = """
SELECT q.variant_id, coalesce(v.sku, ''), q.units,
       coalesce(sum(s.on_hand + s.backorder_limit - s.reserved) FILTER (WHERE w.is_active), 0),
       EXISTS (SELECT FROM inventory_reservation r WHERE r.reference = %(reference)s),
       EXISTS (
           SELECT FROM inventory_reservation r
           WHERE r.reference = %(reference)s AND r.state = 'RELEASED'
       )
FROM unnest(%(variants)s::bigint[], %(quantities)s::bigint[]) AS q(variant_id, units)
LEFT JOIN catalog_variant v ON v.id = q.variant_id
LEFT JOIN inventory_stock s ON s.variant_id = q.variant_id
LEFT JOIN inventory_warehouse w ON w.id = s.warehouse_id
GROUP BY q.variant_id, v.sku, q.units
ORDER BY q.variant_id
"""

# The holds of the reference are claimed first, so that of a commit and a release that cross one
# finds nothing left to do; then the stock is locked, in primary-key order like everywhere.
_COMMIT = """
WITH mine AS MATERIALIZED (
    SELECT id, stock_id, quantity, state FROM inventory_reservation
    WHERE reference = %(reference)s ORDER BY id FOR UPDATE
), locked AS MATERIALIZED (
    SELECT s.id, s.on_hand FROM inventory_stock s
    WHERE s.id = ANY(ARRAY(SELECT stock_id FROM mine WHERE state = 'HELD'))
    ORDER BY s.id FOR NO KEY UPDATE
), settled AS (
    UPDATE inventory_reservation r
    SET state = CASE WHEN l.on_hand >= r.quantity THEN 'COMMITTED' ELSE 'OWED' END
    FROM mine m JOIN locked l ON l.id = m.stock_id
    WHERE r.id = m.id AND m.state = 'HELD'
    RETURNING r.stock_id, r.quantity, r.state
), changed AS (
    UPDATE inventory_stock s
    SET on_hand = s.on_hand - q.quantity, reserved = s.reserved - q.quantity
    FROM settled q WHERE s.id = q.stock_id AND q.state = 'COMMITTED'
    RETURNING s.id, q.quantity, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'SALE', -quantity, -quantity, on_hand, reserved,
           '', %(reference)s, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT coalesce(bool_or(state = 'RELEASED'), false) FROM mine
"""

_RELEASE = """
WITH mine AS MATERIALIZED (
    SELECT id, stock_id, quantity FROM inventory_reservation
    WHERE reference = %(reference)s AND state = 'HELD' ORDER BY id FOR UPDATE
), locked AS MATERIALIZED (
    SELECT s.* FROM inventory_stock s
    WHERE s.variant_id = ANY(ARRAY(
        SELECT t.variant_id FROM inventory_stock t JOIN mine m ON m.stock_id = t.id
    ))
    ORDER BY s.id FOR NO KEY UPDATE
), ended AS (
    UPDATE inventory_reservation r SET state = 'RELEASED'
    FROM mine m JOIN locked l ON l.id = m.stock_id
    WHERE r.id = m.id
    RETURNING r.stock_id, r.quantity
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved - q.quantity
    FROM ended q WHERE s.id = q.stock_id
    RETURNING s.id, q.quantity, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'RELEASE', 0, -quantity, on_hand, reserved,
           %(reason)s, %(reference)s, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT s.id, s.variant_id, s.warehouse_id, w.country, w.priority, w.is_active,
       s.on_hand, s.reserved, s.backorder_limit, s.low_at, coalesce(c.quantity, 0)
FROM locked s
JOIN inventory_warehouse w ON w.id = s.warehouse_id
LEFT JOIN changed c ON c.id = s.id
"""


@dataclass(frozen=True, slots=True)
class StockLine:
    """Units of one variant."""

    variant_id: int
    quantity: int  # units, at least 1


def refuse_short_lines(*, lines: Iterable[StockLine]) -> None:
    """Raise OutOfStock if the stock that is there now cannot cover these lines.

    Reads without a lock, so that refusing costs next to nothing. Saying nothing promises nothing:
    only `reserve_stock` does.
    """
    if wanted := _summed(lines):
        _refuse_if_short(wanted, reference="")


def reserve_stock(
    *,
    lines: Iterable[StockLine],
    reference: str,
    expires_at: datetime,
    now: datetime,
    country: str | None = None,
) -> None:
    """Hold stock for `reference` until it is committed or released: all lines, or none.

    Units are taken from warehouses in `country` first, then from where most is available. Safe to
    repeat: a reference that already holds stock keeps what it holds, whatever the lines. Joins the
    caller's transaction and keeps the rows locked until it ends, so call it last. A refusal has
    written nothing, so the caller's transaction can go on.

    Raises ReservationOver, and OutOfStock that names every short line.
    """
    wanted = _summed(lines)
    if not wanted:
        return
    with _joined():
        levels = _look_and_lock(wanted, reference)
        while (taken := _allocated(wanted, levels, country)) is None:
            if _refuse_if_short(wanted, reference):
                return
            # What was missing a moment ago is here now: decide under the lock.
            levels = locked_levels(wanted)
        if _hold(taken, reference=reference, expires_at=expires_at, now=now):
            tell_of_change(
                levels,
                [
                    replace(level, reserved=level.reserved + taken.get(level.stock_id, 0))
                    for level in levels
                ],
            )


def commit_stock(*, reference: str, now: datetime) -> None:
    """Let the held units of `reference` leave: they are sold. Safe to repeat.

    Nothing happens for a reference that never held anything. Units that were promised as a
    back-order stay owed until they come in. Joins the caller's transaction. Shoppers notice
    nothing: what leaves was promised before.

    Raises ReservationOver when the reference was released.
    """
    with _joined(), connection.cursor() as cursor:
        cursor.execute(_COMMIT, {"reference": reference, "now": now})
        (is_released,) = cursor.fetchone()
    if is_released:
        raise ReservationOver("Reserve again under a new reference.", reference=reference)


def release_stock(*, reference: str, now: datetime, reason: str = "") -> None:
    """End the promise to `reference`: its held units can be had by others. Safe to repeat.

    What was committed stays so. Joins the caller's transaction.
    """
    with _joined():
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE, {"reference": reference, "now": now, "reason": reason})
            rows = cursor.fetchall()
        before = [Level(*row[:10]) for row in rows]
        tell_of_change(
            before,
            [
                replace(level, reserved=level.reserved - row[10])
                for level, row in zip(before, rows, strict=True)
            ],
        )


def _joined() -> AbstractContextManager[object]:
    # Each of these writes is one statement, whole or not at all, so inside a caller's transaction
    # a savepoint would only be two more round trips.
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


def _summed(lines: Iterable[StockLine]) -> dict[int, int]:
    wanted = Counter[int]()
    for line in lines:
        if line.quantity < 1:
            raise ValueError(f"not a quantity: {line.quantity}")
        wanted[line.variant_id] += line.quantity
    return dict(sorted(wanted.items()))


def _look_and_lock(wanted: Mapping[int, int], reference: str) -> list[Level]:
    with connection.cursor() as cursor:
        cursor.execute(
            _LOOK_AND_LOCK,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "reference": reference,
            },
        )
        return [Level(*row) for row in cursor.fetchall()]


def _allocated(
    wanted: Mapping[int, int], levels: Sequence[Level], country: str | None
) -> dict[int, int] | None:
    """Return the units to take from each stock, by stock id, or None if they do not suffice."""
    places: dict[int, list[Level]] = defaultdict(list)
    for level in levels:
        if level.is_active:
            places[level.variant_id].append(level)
    taken: dict[int, int] = {}
    for variant_id, units in wanted.items():
        nearest_first = sorted(
            places[variant_id],
            key=lambda level: (
                level.country != country,
                -level.on_shelf,
                level.priority,
                level.stock_id,
            ),
        )
        missing = units
        # What is here goes before what has yet to come, wherever it lies.
        for level in nearest_first:
            part = min(missing, level.on_shelf)
            if part:
                taken[level.stock_id] = part
                missing -= part
        for level in nearest_first:
            here = taken.get(level.stock_id, 0)
            part = min(missing, level.available - here)
            if part:
                taken[level.stock_id] = here + part
                missing -= part
        if missing:
            return None
    return taken


def _hold(taken: Mapping[int, int], *, reference: str, expires_at: datetime, now: datetime) -> bool:
    """Write the hold; False if the reference held something before and nothing was written."""
    with connection.cursor() as cursor:
        cursor.execute(
            _HOLD,
            {
                "reference": reference,
                "stocks": list(taken),
                "quantities": list(taken.values()),
                "expires_at": expires_at,
                "now": now,
            },
        )
        earlier, is_released = cursor.fetchone()
    if is_released:
        raise ReservationOver("Reserve again under a new reference.", reference=reference)
    return not earlier


def _refuse_if_short(wanted: Mapping[int, int], reference: str) -> bool:
    """Raise OutOfStock if these lines cannot be covered; True if the reference holds already.

    Raises ReservationOver when the reference was released.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ASKED_AGAINST_THERE,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "reference": reference,
            },
        )
        rows = cursor.fetchall()
    if rows[0][5]:
        raise ReservationOver("Reserve again under a new reference.", reference=reference)
    if rows[0][4]:
        return True
    short = [
        {
            "variant_id": variant_id,
            "sku": sku,
            "requested": requested,
            "available": int(available),
        }
        for variant_id, sku, requested, available, *_ in rows
        if available < requested
    ]
    if short:
        raise OutOfStock("Some lines ask for more than there is.", lines=short)
    return False
