"""Stock that comes in: receipts, and units that come back."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from catalog.models import Variant
from inventory.errors import ReferenceReused, StockOutOfRange, UnknownSku
from inventory.models import MOST_UNITS, QUARANTINE, Reservation, StockMovement, Warehouse
from inventory.selectors import default_warehouse, warehouse_of
from inventory.services.counters import Place, already_moved, change_on_hand, locked_places
from inventory.services.stock import StockLine


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """Units of one variant that came in."""

    variant_id: int
    quantity: int  # units, at least 1


@dataclass(frozen=True, slots=True)
class SkuLine:
    """Units of one SKU that came in."""

    sku: str
    quantity: int  # units, at least 1


@transaction.atomic
def receive_stock(
    *,
    lines: Iterable[ReceiptLine],
    warehouse: str,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> list[StockMovement]:
    """Put received units on hand in the warehouse of that code; return the new ledger rows.

    Safe to repeat: a stock that has a receipt with this `cause` already does not change again.
    Rows that are missing are made. Joins the caller's transaction.

    Raises UnknownWarehouse, UnknownSku, StockOutOfRange.
    """
    place = warehouse_of(warehouse)
    units = Counter[Place]()
    for line in lines:
        units[Place(line.variant_id, place.pk)] += _counted(line.quantity)
    return _put_on_hand(
        units,
        kind=StockMovement.Kind.RECEIPT,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


@transaction.atomic
def receive_skus(
    *,
    lines: Iterable[SkuLine],
    warehouse: str,
    reference: str | None,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> list[StockMovement]:
    """Receive goods by SKU, as a delivery note has them; return the ledger rows of the receipt.

    With a `reference` (the number of the note) safe to repeat: the rows that were first written
    are returned. Without one, each call counts. Joins the caller's transaction.

    Raises UnknownWarehouse, UnknownSku, StockOutOfRange, ReferenceReused.
    """
    lines = list(lines)
    variant_of = variants_of_skus(line.sku for line in lines)
    cause = f"receipt:{reference or uuid.uuid4()}"
    receive_stock(
        lines=[ReceiptLine(variant_of[line.sku], line.quantity) for line in lines],
        warehouse=warehouse,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )
    return _rows_of_note(lines, variant_of, kind=StockMovement.Kind.RECEIPT, cause=cause)


@transaction.atomic
def return_stock(
    *,
    lines: Iterable[StockLine],
    cause: str,
    reason: str,
    now: datetime,
    warehouse: str | None = None,
    references: Sequence[str] = (),
    actor_id: int | None = None,
) -> list[StockMovement]:
    """Put units that were sold back on hand, cancelled or returned; return the new ledger rows.

    They go to `warehouse`; without one, to where `references` took them from; what neither says, to
    the warehouse that the shop takes first. Safe to repeat per `cause`. Joins the caller's
    transaction.

    Raises UnknownWarehouse, UnknownSku, StockOutOfRange.
    """
    place = warehouse_of(warehouse) if warehouse is not None else default_warehouse()
    wanted = Counter[int]()
    for line in lines:
        wanted[line.variant_id] += _counted(line.quantity)
    units = Counter[Place]()
    if warehouse is None and references:
        units = _taken_from(references, wanted)
        for taken, quantity in units.items():
            wanted[taken.variant_id] -= quantity
    for variant_id, quantity in wanted.items():
        if quantity:
            units[Place(variant_id, place.pk)] += quantity
    return _put_on_hand(
        units,
        kind=StockMovement.Kind.RETURN,
        cause=cause,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


@transaction.atomic
def take_back(
    *,
    lines: Iterable[SkuLine],
    warehouse: str | None,
    to_quarantine: bool,
    reference: str | None,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> list[StockMovement]:
    """Put units that customers sent back on hand, for sale or in quarantine; return the ledger
    rows of it.

    Quarantine is a warehouse of its own that is not active, so nothing of it is ever promised or
    shown; what turns out to be good leaves it by a transfer, what does not by an adjustment. With
    a `reference` safe to repeat: the rows that were first written are returned. Joins the caller's
    transaction.

    Raises UnknownWarehouse, UnknownSku, StockOutOfRange, ReferenceReused.
    """
    lines = list(lines)
    variant_of = variants_of_skus(line.sku for line in lines)
    if to_quarantine:
        place = Warehouse.objects.get_or_create(
            code=QUARANTINE,
            defaults={
                "name": "Quarantine",
                "country": settings.SHOP_COUNTRY,
                "priority": 30_000,
                "is_active": False,
            },
        )[0]
    else:
        place = warehouse_of(warehouse) if warehouse is not None else default_warehouse()
    cause = f"sent-back:{reference or uuid.uuid4()}"
    return_stock(
        lines=[StockLine(variant_of[line.sku], line.quantity) for line in lines],
        cause=cause,
        reason=reason,
        now=now,
        warehouse=place.code,
        actor_id=actor_id,
    )
    return _rows_of_note(lines, variant_of, kind=StockMovement.Kind.RETURN, cause=cause)


def _rows_of_note(
    lines: Sequence[SkuLine], variant_of: Mapping[str, int], *, kind: str, cause: str
) -> list[StockMovement]:
    """Return the ledger rows of a note, which say what it says: else it is another note.

    A variant that the note did not have before was counted just now, and that is undone by the
    exception, in whoever's transaction this is. Raises ReferenceReused.
    """
    rows = list(
        StockMovement.objects.filter(
            cause=cause, kind=kind, stock__variant_id__in=variant_of.values()
        )
        .select_related("stock")
        .order_by("id")
    )
    noted = Counter[int]()
    for line in lines:
        noted[variant_of[line.sku]] += line.quantity
    counted = Counter[int]()
    for row in rows:
        counted[row.stock.variant_id] += row.delta_on_hand
    if counted != noted:
        raise ReferenceReused(
            "A note of this reference was counted with other quantities, or elsewhere.",
            skus=sorted(sku for sku, pk in variant_of.items() if counted[pk] != noted[pk]),
        )
    return rows


def variants_of_skus(skus: Iterable[str]) -> dict[str, int]:
    """Return the variants' ids by SKU. Raises UnknownSku that names all that do not exist."""
    asked = set(skus)
    variant_of = dict(Variant.objects.filter(sku__in=asked).values_list("sku", "pk"))
    if unknown := asked - variant_of.keys():
        raise UnknownSku("Some of these SKUs do not exist.", skus=sorted(unknown))
    return variant_of


def _counted(quantity: int) -> int:
    if quantity < 1:
        raise ValueError(f"not a quantity: {quantity}")
    return quantity


def _taken_from(references: Sequence[str], wanted: Mapping[int, int]) -> Counter[Place]:
    units = Counter[Place]()
    missing = dict(wanted)
    sold = (
        Reservation.objects.filter(reference__in=references, stock__variant_id__in=wanted)
        .exclude(state=Reservation.State.RELEASED)
        .order_by("stock_id")
        .values_list("stock__variant_id", "stock__warehouse_id", "quantity")
    )
    for variant_id, warehouse_id, quantity in sold:
        part = min(missing[variant_id], quantity)
        if part:
            units[Place(variant_id, warehouse_id)] += part
            missing[variant_id] -= part
    return units


def _put_on_hand(
    units: Mapping[Place, int],
    *,
    kind: StockMovement.Kind,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> list[StockMovement]:
    if not units:
        return []
    levels = locked_places(units.keys())
    if unknown := {place.variant_id for place in units if place not in levels}:
        raise UnknownSku("Some of these variants do not exist.", variant_ids=sorted(unknown))
    done = already_moved(
        kind=kind.value, cause=cause, stock_ids=[levels[place].stock_id for place in units]
    )
    deltas = {
        levels[place].stock_id: quantity
        for place, quantity in units.items()
        if levels[place].stock_id not in done
    }
    too_many = [
        {"variant_id": level.variant_id, "on_hand": level.on_hand, "delta": deltas[level.stock_id]}
        for level in levels.values()
        if level.on_hand + deltas.get(level.stock_id, 0) > MOST_UNITS
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
