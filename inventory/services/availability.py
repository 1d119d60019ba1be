"""What shoppers are told about stock, kept in step with the counters."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from django.db import transaction

from catalog import services as catalog
from catalog.models import Product, Variant
from inventory import store
from inventory.models import Stock
from inventory.selectors import shown_levels
from inventory.services.subscriptions import announce_back_in_stock
from shop.outbox.services import publish

# A message names no more variants than this.
_MESSAGE_SIZE = 1000


def announce_availability(*, variant_ids: Collection[int]) -> None:
    """Have the catalogue told of these variants once the caller's transaction commits."""
    told = sorted(variant_ids)
    for start in range(0, len(told), _MESSAGE_SIZE):
        part = told[start : start + _MESSAGE_SIZE]
        publish(
            topic="inventory.availability_changed",
            key=f"variant:{part[0]}",
            payload={"variant_ids": part, "v": 1},
        )


@transaction.atomic
def announce_warehouse(*, warehouse_id: int) -> None:
    """Have the catalogue told of everything in a warehouse that began or ceased to sell."""
    variant_ids = list(
        Stock.objects.filter(warehouse_id=warehouse_id).values_list("variant_id", flat=True)
    )
    transaction.on_commit(partial(store.forget_units, variant_ids))
    announce_availability(variant_ids=variant_ids)


@transaction.atomic
def record_availability(*, variant_ids: Collection[int], now: datetime) -> None:
    """Write what shoppers are told of these variants to the catalogue, from fresh numbers.

    Whoever waits for one that is available is told, once.

    Safe to repeat and to run out of order: it writes what is true when it runs. Joins the caller's
    transaction.
    """
    # The products are locked before the numbers are read: of two that run at once, the one that
    # writes last has also read last. No inbox: doing it again does no harm.
    product_of = dict(Variant.objects.filter(pk__in=variant_ids).values_list("pk", "product_id"))
    list(Product.objects.filter(pk__in=set(product_of.values())).locked().values_list("pk"))
    shown = shown_levels(product_of.keys())
    catalog.record_availability(
        levels={
            variant_id: catalog.Availability(state=level.state, quantity=level.quantity)
            for variant_id, level in shown.items()
        },
        now=now,
    )
    announce_back_in_stock(
        variant_ids=[variant_id for variant_id, level in shown.items() if level.quantity], now=now
    )
