"""Places that keep stock: opened, changed, closed."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from inventory.errors import (
    QuarantineNotForSale,
    UnknownWarehouse,
    WarehouseExists,
    WarehouseInUse,
)
from inventory.models import QUARANTINE, Warehouse
from inventory.services.availability import announce_warehouse


@dataclass(frozen=True, slots=True)
class WarehouseChanges:
    """What becomes of a warehouse; None leaves a thing as it is."""

    name: str | None = None
    country: str | None = None  # ISO 3166-1 alpha-2
    priority: int | None = None  # smaller is taken first
    is_active: bool | None = None  # whether its stock can be sold


def open_warehouse(
    *, code: str, name: str, country: str, priority: int, is_active: bool
) -> Warehouse:
    """Open a warehouse, with nothing in it. Joins the caller's transaction.

    Raises WarehouseExists, and QuarantineNotForSale.
    """
    if code == QUARANTINE and is_active:
        raise QuarantineNotForSale
    try:
        with transaction.atomic():
            return Warehouse.objects.create(
                code=code, name=name, country=country, priority=priority, is_active=is_active
            )
    except IntegrityError:
        if not Warehouse.objects.filter(code=code).exists():
            raise
        raise WarehouseExists("Choose another code.", warehouse=code) from None


@transaction.atomic
def change_warehouse(
    *, code: str, changes: WarehouseChanges, require: Callable[[Warehouse], None]
) -> Warehouse:
    """Change what staff may change of a warehouse, and tell the catalogue if it began to sell.

    `require` is asked under the lock, and raises if the caller saw another version. Joins the
    caller's transaction. Raises UnknownWarehouse, and QuarantineNotForSale.
    """
    warehouse = _locked(code)
    require(warehouse)
    changed = {
        field: value
        for field in ("name", "country", "priority", "is_active")
        if (value := getattr(changes, field)) is not None and value != getattr(warehouse, field)
    }
    if code == QUARANTINE and changed.get("is_active"):
        raise QuarantineNotForSale
    if not changed:
        return warehouse
    for field, value in changed.items():
        setattr(warehouse, field, value)
    warehouse.save(update_fields=list(changed))
    if "is_active" in changed:
        announce_warehouse(warehouse_id=warehouse.pk)
    return warehouse


@transaction.atomic
def close_warehouse(*, code: str, require: Callable[[Warehouse], None]) -> None:
    """Delete a warehouse that never kept anything; one that did is set inactive instead.

    Joins the caller's transaction. Raises UnknownWarehouse, WarehouseInUse, and what `require`
    raises under the lock.
    """
    warehouse = _locked(code)
    require(warehouse)
    try:
        warehouse.delete()
    except ProtectedError:
        raise WarehouseInUse(
            "Its stock and its ledger stay: set it inactive.", warehouse=code
        ) from None


def _locked(code: str) -> Warehouse:
    warehouse = Warehouse.objects.select_for_update(no_key=True).filter(code=code).first()
    if warehouse is None:
        raise UnknownWarehouse("There is no such warehouse.", warehouse=code)
    return warehouse
