"""Corrections: what was counted, lost or broken, and the terms on which stock is sold."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection, transaction

from catalog.models import Variant
from inventory.errors import StockBelowReserved, StockOutOfRange, UnknownSku, UnknownStock
from inventory.models import MOST_UNITS, Stock, StockMovement
from inventory.selectors import warehouse_of
from inventory.services.counters import (
    Place,
    already_moved,
    change_on_hand,
    locked_levels,
    locked_places,
    tell_of_change,
)
from inventory.services.stock import StockLine
from shop.errors import FieldError, Malformed

_SET_TERMS = """
UPDATE inventory_stock s SET backorder_limit = t.backorder_limit, low_at = t.low_at
FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS t(stock_id, backorder_limit, low_at)
WHERE s.id = t.stock_id
"""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction of what is on hand of one variant."""

    variant_id: int
    delta: int  # units, never 0


@dataclass(frozen=True, slots=True)
class StockTerms:
    """On which terms one variant is sold; None leaves a term as it is."""

    variant_id: int
    backorder_limit: int | None = None  # units
    low_at: int | None = None  # units


@transaction.atomic
def adjust_stock(
    *,
    sku: str,
    warehouse: str,
    delta: int,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
    cause: str | None = None,
) -> StockMovement:
    """Correct what is on hand by `delta` units and return the ledger row.

    Safe to repeat with a `cause`: the row that was first written is returned. Without one, each
    call counts. Joins the caller's transaction.

    Raises UnknownSku, UnknownWarehouse, Malformed, StockBelowReserved and StockOutOfRange; the
    stock then stays as it was.
    """
    if delta == 0 or abs(delta) > MOST_UNITS:
        raise Malformed(
            errors=[FieldError("/delta", "invalid", f"Not 0, and at most {MOST_UNITS} units.")]
        )
    variant_id = Variant.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if variant_id is None:
        raise UnknownSku("There is no variant of this SKU.", sku=sku)
    cause = cause or f"adjustment:{uuid.uuid4()}"
    made = adjust_many(
        lines=[Adjustment(variant_id, delta)],
        warehouse=warehouse,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )
    if made:
        return made[0]
    return StockMovement.objects.get(
        cause=cause,
        kind=StockMovement.Kind.ADJUSTMENT,
        stock__variant_id=variant_id,
        stock__warehouse__code=warehouse,
    )


@transaction.atomic
def adjust_many(
    *,
    lines: Iterable[Adjustment],
    warehouse: str,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> list[StockMovement]:
    """Correct many stocks of one warehouse, all or none; return the new ledger rows.

    The same number of statements for any number of lines. Lines of one variant are summed. Safe
    to repeat per `cause`. Joins the caller's transaction.

    Raises UnknownSku, UnknownWarehouse, StockBelowReserved and StockOutOfRange, each naming every
    line that is wrong; nothing has changed then.
    """
    return _corrected(
        lines,
        warehouse=warehouse,
        kind=StockMovement.Kind.ADJUSTMENT,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


@transaction.atomic
def write_off(
    *,
    lines: Iterable[StockLine],
    warehouse: str,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> list[StockMovement]:
    """Take lost or broken units off hand, all or none. Otherwise like `adjust_many`."""
    return _corrected(
        (Adjustment(line.variant_id, -line.quantity) for line in lines),
        warehouse=warehouse,
        kind=StockMovement.Kind.WRITE_OFF,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


@transaction.atomic
def set_stock_terms(*, terms: Iterable[StockTerms], warehouse: str, now: datetime) -> int:
    """Set back-order limits and low marks in bulk; return how many stocks changed.

    Rows that are missing are made, with nothing on hand. Joins the caller's transaction.

    Raises UnknownWarehouse, UnknownSku, and StockBelowReserved for a limit under what is promised.
    """
    place = warehouse_of(warehouse)
    wanted = {Place(line.variant_id, place.pk): line for line in terms}
    levels = locked_places(wanted.keys())
    if unknown := {spot.variant_id for spot in wanted if spot not in levels}:
        raise UnknownSku("Some of these variants do not exist.", variant_ids=sorted(unknown))
    after = dict(levels)
    for spot, line in wanted.items():
        level = levels[spot]
        after[spot] = replace(
            level,
            backorder_limit=_given(line.backorder_limit, level.backorder_limit),
            low_at=_given(line.low_at, level.low_at),
        )
    short = [
        {
            "variant_id": level.variant_id,
            "reserved": level.reserved,
            "on_hand": level.on_hand,
            "backorder_limit": level.backorder_limit,
        }
        for level in after.values()
        if level.reserved > level.on_hand + level.backorder_limit
    ]
    if short:
        raise StockBelowReserved(lines=short)
    changed = [level for spot, level in after.items() if level != levels[spot]]
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(
                _SET_TERMS,
                [
                    [level.stock_id for level in changed],
                    [level.backorder_limit for level in changed],
                    [level.low_at for level in changed],
                ],
            )
        tell_of_change(list(levels.values()), list(after.values()))
    return len(changed)


@transaction.atomic
def change_stock_terms(
    *,
    stock_id: int,
    backorder_limit: int | None,
    low_at: int | None,
    require: Callable[[Stock], None],
    now: datetime,
) -> None:
    """Set the terms of one stock; None leaves one as it is.

    `require` is asked under the lock, and raises if the caller saw other terms. Joins the caller's
    transaction. Raises UnknownStock, and StockBelowReserved for a limit under what is promised.
    """
    known = Stock.objects.select_related("warehouse").filter(pk=stock_id).first()
    if known is None:
        raise UnknownStock("There is no such stock.")
    # All stock of the variant, in its order, before this one is looked at.
    locked_levels([known.variant_id])
    require(Stock.objects.get(pk=stock_id))
    set_stock_terms(
        terms=[StockTerms(known.variant_id, backorder_limit, low_at)],
        warehouse=known.warehouse.code,
        now=now,
    )


def _given(value: int | None, present: int) -> int:
    if value is None:
        return present
    if not 0 <= value <= MOST_UNITS:
        raise ValueError(f"not a number of units: {value}")
    return value


def _corrected(
    lines: Iterable[Adjustment],
    *,
    warehouse: str,
    kind: StockMovement.Kind,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> list[StockMovement]:
    place = warehouse_of(warehouse)
    wanted = Counter[Place]()
    for line in lines:
        wanted[Place(line.variant_id, place.pk)] += line.delta
    if not wanted:
        return []
    levels = locked_places(wanted.keys())
    if unknown := {spot.variant_id for spot in wanted if spot not in levels}:
        raise UnknownSku("Some of these variants do not exist.", variant_ids=sorted(unknown))
    # Asked before the rules: what was done once is no longer measured by today's stock.
    done = already_moved(
        kind=kind.value, cause=cause, stock_ids=[levels[spot].stock_id for spot in wanted]
    )
    deltas = {
        levels[spot].stock_id: delta
        for spot, delta in wanted.items()
        if delta and levels[spot].stock_id not in done
    }
    touched = [level for level in levels.values() if level.stock_id in deltas]
    short = [
        {
            "variant_id": level.variant_id,
            "on_hand": level.on_hand,
            "reserved": level.reserved,
            "delta": deltas[level.stock_id],
        }
        for level in touched
        if level.on_hand + deltas[level.stock_id] < max(0, level.reserved - level.backorder_limit)
    ]
    if short:
        raise StockBelowReserved(lines=short)
    too_many = [
        {"variant_id": level.variant_id, "on_hand": level.on_hand, "delta": deltas[level.stock_id]}
        for level in touched
        if level.on_hand + deltas[level.stock_id] > MOST_UNITS
    ]
    if too_many:
        raise StockOutOfRange(lines=too_many)
    return change_on_hand(
        levels=levels.values(),
        deltas=dict(sorted(deltas.items())),
        kind=kind,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )
