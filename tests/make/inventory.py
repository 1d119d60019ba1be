"""Warehouses, stock and holds for tests: valid by default, name only what matters."""

from datetime import datetime, timedelta
from itertools import count

from django.utils import timezone

from catalog.models import Variant
from inventory.models import Stock, Warehouse
from inventory.services import ReceiptLine, StockTerms, receive_stock, set_stock_terms
from tests.make import catalog as make_catalog

_numbers = count(1)


def warehouse(code: str = "main", *, country: str = "GB", priority: int = 10) -> Warehouse:
    """Return the warehouse of that code, made if it is not there."""
    return Warehouse.objects.get_or_create(
        code=code, defaults={"name": code.title(), "country": country, "priority": priority}
    )[0]


def stock(
    *,
    on_hand: int = 10,
    variant: Variant | None = None,
    warehouse: Warehouse | None = None,
    backorder_limit: int = 0,
    low_at: int = 5,
    now: datetime | None = None,
) -> Stock:
    """Return a stock that was received through the service, so that its ledger adds up."""
    now = now or timezone.now()
    variant = variant or make_catalog.variant()
    place = warehouse or _main()
    set_stock_terms(
        terms=[StockTerms(variant.pk, backorder_limit=backorder_limit, low_at=low_at)],
        warehouse=place.code,
        now=now,
    )
    if on_hand:
        receive_stock(
            lines=[ReceiptLine(variant.pk, on_hand)],
            warehouse=place.code,
            cause=f"test:opening:{next(_numbers)}",
            reason="Opening stock",
            now=now,
        )
    return Stock.objects.select_related("variant", "warehouse").get(
        variant=variant, warehouse=place
    )


def later(now: datetime, minutes: int = 15) -> datetime:
    """Return when a hold made now ends."""
    return now + timedelta(minutes=minutes)


def _main() -> Warehouse:
    return warehouse()
