"""Warehouses, stock and holds for tests: valid by default, name only what matters."""

from datetime import datetime, timedelta
from itertools import count

from django.utils import timezone

from catalog.models import Product, Variant
from inventory.models import Stock, Warehouse
from inventory.services import ReceiptLine, StockTerms, receive_stock, set_stock_terms

_numbers = count(1)


def make_warehouse(code: str = "main", *, country: str = "GB", priority: int = 10) -> Warehouse:
    """Return the warehouse of that code, made if it is not there."""
    return Warehouse.objects.get_or_create(
        code=code, defaults={"name": code.title(), "country": country, "priority": priority}
    )[0]


def bare_variant(sku: str | None = None) -> Variant:
    """Return a variant that has a SKU and nothing else: no price, no listing."""
    number = next(_numbers)
    now = timezone.now()
    product = Product.objects.create(
        slug=f"bare-{number}", title=f"Bare {number}", created_at=now, updated_at=now
    )
    return Variant.objects.create(product=product, sku=sku or f"BARE-{number}")


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
    variant = variant or bare_variant()
    place = warehouse or make_warehouse()
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


def many_stocks(size: int, *, on_hand: int) -> list[Stock]:
    """Return as many stocks, each of a variant of its own, made in bulk."""
    product = bare_variant().product
    variants = Variant.objects.bulk_create(
        Variant(product=product, sku=f"MANY-{next(_numbers)}") for _ in range(size)
    )
    receive_stock(
        lines=[ReceiptLine(variant.pk, on_hand) for variant in variants],
        warehouse=make_warehouse().code,
        cause=f"test:opening:{next(_numbers)}",
        reason="Opening stock",
        now=timezone.now(),
    )
    return list(
        Stock.objects.filter(variant__in=variants)
        .select_related("variant", "warehouse")
        .order_by("pk")
    )


def later(now: datetime, minutes: int = 15) -> datetime:
    """Return when a hold made now ends."""
    return now + timedelta(minutes=minutes)
