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
# none was waited for. Holds past their end count as there: they can be taken over. A reference
# that holds something already is let through to be found.
_LOOK_AND_LOCK = """
SELECT s.id, s.variant_id, s.warehouse_id, w.country, w.priority, w.is_active,
       s.on_hand, s.reserved, s.backorder_limit, s.low_at
FROM inventory_stock s JOIN inventory_warehouse w ON w.id = s.warehouse_id
WHERE s.variant_id = ANY(%(variants)s::bigint[])
  AND (
    EXISTS (SELECT FROM inventory_reservation r WHERE r.reference = %(reference)s)
    OR NOT EXISTS (
        SELECT FROM unnest(%(variants)s::bigint[], %(quantities)s::bigint[]) AS q(variant_id, units)
        CROSS JOIN LATERAL (
            SELECT q.units - coalesce(sum(l.on_hand + l.backorder_limit - l.reserved), 0) AS units
            FROM inventory_stock l JOIN inventory_warehouse p ON p.id = l.warehouse_id
            WHERE l.variant_id = q.variant_id AND p.is_active
        ) missing
        WHERE missing.units > 0 AND missing.units > (
            SELECT coalesce(sum(r.quantity), 0)
            FROM inventory_reservation r
            JOIN inventory_stock l ON l.id = r.stock_id
            JOIN inventory_warehouse p ON p.id = l.warehouse_id
            WHERE l.variant_id = q.variant_id AND p.is_active
              AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
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
       coalesce(sum(s.on_hand + s.backorder_limit - s.reserved) FILTER (WHERE w.is_active), 0)
       + coalesce((
           SELECT sum(r.quantity)
           FROM inventory_reservation r
           JOIN inventory_stock l ON l.id = r.stock_id
           JOIN inventory_warehouse p ON p.id = l.warehouse_id
           WHERE l.variant_id = q.variant_id AND p.is_active
             AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
       ), 0),
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

# Units of holds past their end, oldest first and no more than are missing: all that is missing, or
# nothing. The stock is locked already. A hold that somebody has locked is being committed or
# released at this moment, by one who wants the stock next: it is passed over, never waited for.
_TAKE_OVER = """
WITH short AS (
    SELECT * FROM unnest(%(variants)s::bigint[], %(missing)s::bigint[]) AS q(variant_id, units)
), over AS MATERIALIZED (
    SELECT r.id, r.stock_id, r.reference, r.quantity, r.expires_at, s.variant_id
    FROM inventory_reservation r
    JOIN inventory_stock s ON s.id = r.stock_id
    JOIN inventory_warehouse w ON w.id = s.warehouse_id
    WHERE s.variant_id = ANY(%(variants)s::bigint[]) AND w.is_active
      AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
    ORDER BY r.id FOR UPDATE OF r SKIP LOCKED
), queued AS (
    SELECT o.*, sum(quantity) OVER (PARTITION BY variant_id ORDER BY expires_at, id) - quantity
           AS before
    FROM over o
), taken AS (
    SELECT u.* FROM queued u JOIN short q USING (variant_id) WHERE u.before < q.units
), ended AS (
    UPDATE inventory_reservation r SET state = 'RELEASED'
    FROM taken t
    WHERE r.id = t.id
      AND NOT EXISTS (SELECT FROM inventory_reservation WHERE reference = %(reference)s)
      AND NOT EXISTS (
          SELECT FROM short q
          WHERE q.units > coalesce(
              (SELECT sum(quantity) FROM taken m WHERE m.variant_id = q.variant_id), 0
          )
      )
    RETURNING r.id, r.stock_id, r.reference, r.quantity
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved - t.units
    FROM (SELECT stock_id, sum(quantity) AS units FROM ended GROUP BY stock_id) t
    WHERE s.id = t.stock_id
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT s.id, 'RELEASE', 0, -e.quantity, s.on_hand,
           s.reserved - sum(e.quantity) OVER (PARTITION BY s.id ORDER BY e.id),
           'Taken over after its end', e.reference, NULL, %(now)s::timestamptz
    FROM ended e JOIN inventory_stock s ON s.id = e.stock_id
    ORDER BY e.id
)
SELECT stock_id, sum(quantity) FROM ended GROUP BY stock_id
"""

# The holds of the reference are claimed first, so that of a commit and a release that cross one
# finds nothing left to do; then the stock is locked, in primary-key order like everywhere. One hold
# that was released, or taken over after its end, and none of them is committed.
_COMMIT = """
WITH mine AS MATERIALIZED (
    SELECT id, stock_id, quantity, state FROM inventory_reservation
    WHERE reference = %(reference)s ORDER BY id FOR UPDATE
), locked AS MATERIALIZED (
    SELECT s.id, s.on_hand FROM inventory_stock s
    WHERE s.id = ANY(ARRAY(SELECT stock_id FROM mine WHERE state = 'HELD'))
      AND NOT EXISTS (SELECT FROM mine WHERE state = 'RELEASED')
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


def refuse_short_lines(*, lines: Iterable[StockLine], now: datetime | None = None) -> None:
    """Raise OutOfStock if the stock that is there now cannot cover these lines.

    Units of holds that ended before `now` count as there. Reads without a lock, so that refusing
    costs next to nothing. Saying nothing promises nothing: only `reserve_stock` does.
    """
    if wanted := _summed(lines):
        _refuse_if_short(wanted, reference="", now=now)


def reserve_stock(
    *,
    lines: Iterable[StockLine],
    reference: str,
    expires_at: datetime,
    now: datetime,
    country: str | None = None,
) -> None:
    """Hold stock for `reference` until it is committed or released: all lines, or none.

    Units are taken from warehouses in `country` first, then from where most is available. Where
    they do not suffice, holds that ended before `now` are taken over, oldest first: as many as are
    needed, and they are released. Safe to repeat: a reference that already holds stock keeps what
    it holds, whatever the lines. Joins the caller's transaction and keeps the rows locked until it
    ends, so call it last. A refusal has written nothing, so the caller's transaction can go on.

    Raises ReservationOver, and OutOfStock that names every short line.
    """
    wanted = _summed(lines)
    if not wanted:
        return
    with _joined():
        levels = _look_and_lock(wanted, reference, now)
        freed: dict[int, int] = {}
        taken = _allocated(wanted, levels, country)
        if taken is None:
            if _refuse_if_short(wanted, reference=reference, now=now):
                return
            # What was missing a moment ago is here now, or can be taken over: decide under the
            # lock, where nothing changes any more.
            levels = locked_levels(wanted)
            taken = _allocated(wanted, levels, country)
        if taken is None:
            freed = _take_over(wanted, levels, reference=reference, now=now)
            taken = _allocated(wanted, _released(levels, freed), country)
        if taken is None:
            if _refuse_if_short(wanted, reference=reference, now=None):
                return
            # Another place for it was opened a moment ago.
            reserve_stock(
                lines=[StockLine(variant_id, units) for variant_id, units in wanted.items()],
                reference=reference,
                expires_at=expires_at,
                now=now,
                country=country,
            )
            return
        if _hold(taken, reference=reference, expires_at=expires_at, now=now):
            tell_of_change(
                levels,
                [
                    replace(level, reserved=level.reserved + taken.get(level.stock_id, 0))
                    for level in _released(levels, freed)
                ],
            )


def commit_stock(*, reference: str, now: datetime) -> None:
    """Let the held units of `reference` leave: they are sold. Safe to repeat.

    Nothing happens for a reference that never held anything. Units that were promised as a
    back-order stay owed until they come in. Joins the caller's transaction. Shoppers notice
    nothing: what leaves was promised before. A hold that is past its end and that nobody has taken
    over is as good as any.

    Raises ReservationOver when the reference was released, be it of one line: nothing has left.
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


def _take_over(
    wanted: Mapping[int, int], levels: Sequence[Level], *, reference: str, now: datetime
) -> dict[int, int]:
    """Release what is missing of holds past their end; return the units by stock, or nothing."""
    available = Counter[int]()
    for level in levels:
        available[level.variant_id] += level.available
    missing = {
        variant_id: units - available[variant_id]
        for variant_id, units in wanted.items()
        if units > available[variant_id]
    }
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_OVER,
            {
                "variants": list(missing),
                "missing": list(missing.values()),
                "reference": reference,
                "now": now,
            },
        )
        return {stock_id: int(units) for stock_id, units in cursor.fetchall()}


def _released(levels: Sequence[Level], freed: Mapping[int, int]) -> list[Level]:
    return [
        replace(level, reserved=level.reserved - freed.get(level.stock_id, 0)) for level in levels
    ]


def _look_and_lock(wanted: Mapping[int, int], reference: str, now: datetime) -> list[Level]:
    with connection.cursor() as cursor:
        cursor.execute(
            _LOOK_AND_LOCK,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "reference": reference,
                "now": now,
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


def _refuse_if_short(wanted: Mapping[int, int], *, reference: str, now: datetime | None) -> bool:
    """Raise OutOfStock if these lines cannot be covered; True if the reference holds already.

    With `now`, units of holds that ended before it count as there.

    Raises ReservationOver when the reference was released.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ASKED_AGAINST_THERE,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "reference": reference,
                "now": now,
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
