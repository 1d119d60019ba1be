"""How much there is: for shoppers, for staff, and for the services that decide."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Min, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from accounts.models import User
from catalog.models import AvailabilityState
from inventory import store
from inventory.errors import UnknownStock, UnknownTransfer, UnknownWarehouse
from inventory.models import (
    PUBLIC_CAP,
    Reservation,
    Stock,
    StockCount,
    StockMovement,
    StockTransfer,
    StockTransferLine,
    Warehouse,
)


@dataclass(frozen=True, slots=True)
class Level:
    """One stock as it was read: where it lies, and its counters in units."""

    stock_id: int
    variant_id: int
    warehouse_id: int
    country: str
    priority: int
    is_active: bool  # whether its warehouse sells
    on_hand: int
    reserved: int
    backorder_limit: int
    low_at: int

    @property
    def on_shelf(self) -> int:
        """Units that are here and promised to nobody."""
        return max(self.on_hand - self.reserved, 0) if self.is_active else 0

    @property
    def available(self) -> int:
        """Units that could be promised now, back-orders included."""
        return self.on_hand + self.backorder_limit - self.reserved if self.is_active else 0


@dataclass(frozen=True, slots=True)
class Shown:
    """What shoppers read of a variant's stock."""

    state: str  # a catalog.models.AvailabilityState
    quantity: int  # units that can be had, capped


def shown_to_shoppers(levels: Iterable[Level]) -> Shown:
    """Return what shoppers read of one variant, from its stock in every warehouse."""
    levels = list(levels)
    on_shelf = sum(level.on_shelf for level in levels)
    available = sum(level.available for level in levels)
    low_at = max((level.low_at for level in levels if level.is_active), default=0)
    if available <= 0:
        state = AvailabilityState.OUT_OF_STOCK
    elif on_shelf <= 0:
        state = AvailabilityState.BACKORDER
    elif on_shelf <= low_at:
        state = AvailabilityState.LOW_STOCK
    else:
        state = AvailabilityState.IN_STOCK
    return Shown(state.value, max(min(available, PUBLIC_CAP), 0))


def levels_of(variant_ids: Collection[int]) -> list[Level]:
    """Return the stock of these variants in every warehouse, in one query."""
    return [
        Level(*row)
        for row in Stock.objects.filter(variant_id__in=variant_ids).values_list(
            "id",
            "variant_id",
            "warehouse_id",
            "warehouse__country",
            "warehouse__priority",
            "warehouse__is_active",
            "on_hand",
            "reserved",
            "backorder_limit",
            "low_at",
        )
    ]


def shown_levels(variant_ids: Collection[int]) -> dict[int, Shown]:
    """Return what shoppers should read now, by variant; without stock, that there is none."""
    levels: dict[int, list[Level]] = {variant_id: [] for variant_id in variant_ids}
    for level in levels_of(variant_ids):
        levels[level.variant_id].append(level)
    return {variant_id: shown_to_shoppers(found) for variant_id, found in levels.items()}


def available_units(variant_ids: Collection[int]) -> dict[int, int]:
    """Return the units that could be reserved now, by variant. One without stock is absent.

    A hint for shoppers, some seconds old at most: only `reserve_stock` decides.
    """
    asked = set(variant_ids)
    units = store.remembered_units(asked)
    if units is None:  # nor would it remember anything
        return available_units_now(asked)
    if missing := asked - units.keys():
        fresh = available_units_now(missing)
        store.remember_units(fresh)
        units |= fresh
    return units


def available_units_now(variant_ids: Collection[int]) -> dict[int, int]:
    """Like `available_units`, from the database."""
    return dict(
        Stock.objects.filter(variant_id__in=variant_ids, warehouse__is_active=True)
        .values_list("variant_id")
        .annotate(units=Sum(F("on_hand") + F("backorder_limit") - F("reserved")))
    )


def default_warehouse() -> Warehouse:
    """Return the active warehouse that the shop takes first.

    Raises UnknownWarehouse if there is none.
    """
    found = Warehouse.objects.filter(is_active=True).order_by("priority", "id").first()
    if found is None:
        raise UnknownWarehouse("No warehouse is active.")
    return found


def warehouse_of(code: str) -> Warehouse:
    """Return the warehouse of that code. Raises UnknownWarehouse."""
    found = Warehouse.objects.filter(code=code).first()
    if found is None:
        raise UnknownWarehouse("There is no warehouse of this code.", warehouse=code)
    return found


def expired_references(now: datetime, *, limit: int = 500) -> list[str]:
    """Return references whose held stock was to be given back before `now`, oldest first."""
    return list(
        Reservation.objects.filter(state=Reservation.State.HELD, expires_at__lt=now)
        .values_list("reference", flat=True)
        .annotate(ended_at=Min("expires_at"))
        .order_by("ended_at")[:limit]
    )


def owed_units(*, references: Collection[str]) -> Counter[int]:
    """Return the units of each variant that were sold to these references and have not left."""
    units = Counter[int]()
    for variant_id, quantity in Reservation.objects.filter(
        reference__in=references, state=Reservation.State.OWED
    ).values_list("stock__variant_id", "quantity"):
        units[variant_id] += quantity
    return units


def stock_levels() -> QuerySet[Stock]:
    """Return every stock with its variant, its warehouse and its `available` units on hand.

    `available` is what is on hand and promised to nobody; less than 0 when more is promised, as
    back-orders.
    """
    return Stock.objects.select_related("variant", "warehouse").annotate(
        available=F("on_hand") - F("reserved")
    )


def stock_rows(
    *, sku: str | None = None, warehouse: str | None = None, below: int | None = None
) -> QuerySet[Stock]:
    """Return stock for staff: of one SKU or warehouse, or with few units `available`.

    Each also has `sku` and `code`, its warehouse's.
    """
    found = Stock.objects.all()
    if sku is not None:
        found = found.filter(variant__sku=sku)
    if warehouse is not None:
        found = found.filter(warehouse__code=warehouse)
    if below is not None:
        found = found.filter(on_hand__lt=F("reserved") + below)
    return found.annotate(
        sku=F("variant__sku"),
        code=F("warehouse__code"),
        available=F("on_hand") - F("reserved"),
    )


def stock_row(stock_id: int) -> Stock:
    """Return one stock as `stock_rows` tells it. Raises UnknownStock."""
    found = stock_rows().filter(pk=stock_id).first()
    if found is None:
        raise UnknownStock("There is no such stock.")
    return found


def movements(
    *,
    sku: str | None = None,
    warehouse: str | None = None,
    kind: str | None = None,
    cause: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[StockMovement]:
    """Return the ledger with the variant and the warehouse of each row.

    `actor` is how the account that did it is known outside; null when it was the shop itself.
    """
    found = StockMovement.objects.select_related("stock__variant", "stock__warehouse").annotate(
        actor=Subquery(User.objects.filter(pk=OuterRef("actor_id")).values("public_id")[:1])
    )
    if sku is not None:
        found = found.filter(stock__variant__sku=sku)
    if warehouse is not None:
        found = found.filter(stock__warehouse__code=warehouse)
    if kind is not None:
        found = found.filter(kind=kind)
    if cause is not None:
        found = found.filter(cause=cause)
    if after is not None:
        found = found.filter(happened_at__gte=after)
    if before is not None:
        found = found.filter(happened_at__lt=before)
    return found


def counts(
    *,
    sku: str | None = None,
    warehouse: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[StockCount]:
    """Return what was counted, with the variant and the warehouse of each."""
    found = StockCount.objects.select_related("stock__variant", "stock__warehouse")
    if sku is not None:
        found = found.filter(stock__variant__sku=sku)
    if warehouse is not None:
        found = found.filter(stock__warehouse__code=warehouse)
    if after is not None:
        found = found.filter(counted_at__gte=after)
    if before is not None:
        found = found.filter(counted_at__lt=before)
    return found


def warehouses(*, is_active: bool | None = None) -> QuerySet[Warehouse]:
    """Return the warehouses, of all kinds or only those that sell, or do not."""
    found = Warehouse.objects.all()
    return found if is_active is None else found.filter(is_active=is_active)


def transfers(
    *, state: str | None = None, warehouse: str | None = None, transfer_id: int | None = None
) -> QuerySet[StockTransfer]:
    """Return transfers with their lines: in this state, or from or to this warehouse."""
    found = StockTransfer.objects.select_related("source", "destination").prefetch_related(
        Prefetch(
            "lines", queryset=StockTransferLine.objects.select_related("variant").order_by("id")
        )
    )
    if state is not None:
        found = found.filter(state=state)
    if warehouse is not None:
        found = found.filter(Q(source__code=warehouse) | Q(destination__code=warehouse))
    if transfer_id is not None:
        found = found.filter(pk=transfer_id)
    return found


def transfer_of(transfer_id: int) -> StockTransfer:
    """Return one transfer with its lines. Raises UnknownTransfer."""
    found = transfers(transfer_id=transfer_id).first()
    if found is None:
        raise UnknownTransfer("There is no such transfer.")
    return found
