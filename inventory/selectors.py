"""Questions about stock: no writes, no locks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from inventory.models import Stock, StockMovement, Warehouse


@dataclass(frozen=True, slots=True)
class Drift:
    """One place where the books disagree."""

    check: str
    sku: str
    warehouse: str
    expected: int
    found: int
    detail: str


def available_units(variant_ids: Collection[int]) -> dict[int, int]:
    """Return the units that could be reserved now, by variant. One without stock is absent.

    A hint for shoppers, some seconds old at most: only `reserve_stock` decides.
    """
    raise NotImplementedError


def default_warehouse() -> Warehouse:
    """Return the active warehouse that the shop takes first.

    Raises UnknownWarehouse if there is none.
    """
    raise NotImplementedError


def drifted_stock(*, sku: str | None = None) -> list[Drift]:
    """Return where counters, reservations and ledger disagree: nowhere, in a sound shop."""
    raise NotImplementedError


def expired_references(now: datetime, *, limit: int = 500) -> list[str]:
    """Return references whose held stock was to be given back before `now`, oldest first."""
    raise NotImplementedError


def stock_levels() -> QuerySet[Stock]:
    """Return every stock with its variant and warehouse."""
    raise NotImplementedError


def movements() -> QuerySet[StockMovement]:
    """Return the ledger with the variant and the warehouse of each row."""
    raise NotImplementedError
