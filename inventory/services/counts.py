"""What lies there, told by people who looked: one place at a time, or a whole list."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog.models import Variant
from inventory.errors import StockBelowReserved, StockOutOfRange, UnknownSku, UnknownWarehouse
from inventory.models import MOST_UNITS, StockCount, StockMovement, Warehouse
from inventory.selectors import Level, levels_of, warehouse_of
from inventory.services.counters import Place, change_on_hand, locked_places
from inventory.services.receipts import variants_of_skus


@dataclass(frozen=True, slots=True)
class StockRow:
    """What should be on hand of one SKU in one warehouse."""

    sku: str
    warehouse: str
    on_hand: int  # units


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row: "updated", "unchanged", or "failed" for the reason in `code`."""

    sku: str
    warehouse: str
    outcome: str
    before: int | None  # units; None if the place does not exist
    on_hand: int | None
    code: str = ""
    detail: str = ""


@transaction.atomic
def count_stock(
    *,
    sku: str,
    warehouse: str,
    counted: int,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> StockCount:
    """Note what was counted, and correct what is on hand by the difference.

    The difference is taken under the lock, so sales that happen meanwhile are not lost; what has
    left the shelf and not the counter is for whoever counts to know. Joins the caller's
    transaction.

    Raises UnknownSku, UnknownWarehouse and StockBelowReserved; nothing has changed then.
    """
    place = Place(variants_of_skus([sku])[sku], warehouse_of(warehouse).pk)
    levels = locked_places([place])
    level = levels[place]
    if _is_promised(level, counted):
        raise StockBelowReserved(lines=[_promise(level, counted)])
    delta = counted - level.on_hand
    made = change_on_hand(
        levels=levels.values(),
        deltas={level.stock_id: delta} if delta else {},
        kind=StockMovement.Kind.COUNT,
        cause=f"count:{uuid.uuid4()}",
        reason=reason,
        now=now,
        actor_id=actor_id,
    )
    return StockCount.objects.create(
        stock_id=level.stock_id,
        expected=level.on_hand,
        counted=counted,
        reason=reason,
        movement=made[0] if made else None,
        actor_id=actor_id,
        counted_at=now,
    )


@transaction.atomic
def set_stock(
    *,
    rows: Iterable[StockRow],
    reason: str,
    now: datetime,
    actor_id: int | None = None,
    dry_run: bool = False,
) -> list[RowResult]:
    """Set what is on hand of many, and return what became of each row, in their order.

    A row that cannot be is told so and stops no other one. The same number of statements for any
    number of rows. With `dry_run` nothing is written or locked. Joins the caller's transaction.
    """
    rows = list(rows)
    variant_of = dict(
        Variant.objects.filter(sku__in={row.sku for row in rows}).values_list("sku", "pk")
    )
    warehouse_ids = dict(
        Warehouse.objects.filter(code__in={row.warehouse for row in rows}).values_list("code", "pk")
    )
    places = [
        Place(variant_of[row.sku], warehouse_ids[row.warehouse])
        if row.sku in variant_of and row.warehouse in warehouse_ids
        else None
        for row in rows
    ]
    known = {place for place in places if place is not None}
    if dry_run:
        levels = {
            Place(level.variant_id, level.warehouse_id): level
            for level in levels_of({place.variant_id for place in known})
        }
    else:
        levels = locked_places(known)
    results: list[RowResult] = []
    deltas: dict[int, int] = {}
    seen: set[Place] = set()
    for row, place in zip(rows, places, strict=True):
        level = levels.get(place) if place is not None else None
        before = level.on_hand if level is not None else 0
        if place is None:
            refused = UnknownSku if row.sku not in variant_of else UnknownWarehouse
            results.append(_failed(row, None, refused.code, refused.title))
        elif place in seen:
            results.append(_failed(row, before, "repeated", "An earlier row says this already"))
        elif row.on_hand > MOST_UNITS:
            results.append(_failed(row, before, StockOutOfRange.code, StockOutOfRange.title))
        elif level is not None and _is_promised(level, row.on_hand):
            results.append(_failed(row, before, StockBelowReserved.code, StockBelowReserved.title))
        else:
            if level is not None and row.on_hand != before:
                deltas[level.stock_id] = row.on_hand - before
            outcome = "unchanged" if row.on_hand == before else "updated"
            results.append(RowResult(row.sku, row.warehouse, outcome, before, row.on_hand))
        if place is not None:
            seen.add(place)
    if not dry_run:
        change_on_hand(
            levels=levels.values(),
            deltas=dict(sorted(deltas.items())),
            kind=StockMovement.Kind.ADJUSTMENT,
            cause=f"bulk:{uuid.uuid4()}",
            reason=reason,
            now=now,
            actor_id=actor_id,
        )
    return results


def _is_promised(level: Level, on_hand: int) -> bool:
    return on_hand < max(0, level.reserved - level.backorder_limit)


def _promise(level: Level, on_hand: int) -> dict[str, int]:
    return {
        "variant_id": level.variant_id,
        "on_hand": level.on_hand,
        "reserved": level.reserved,
        "delta": on_hand - level.on_hand,
    }


def _failed(row: StockRow, before: int | None, code: str, detail: str) -> RowResult:
    return RowResult(row.sku, row.warehouse, "failed", before, before, code, detail)
