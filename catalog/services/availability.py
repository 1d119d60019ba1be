"""What shoppers are told about stock. Inventory decides it and calls here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog.models import Product, Variant
from catalog.services.listing import refresh_listing
from shop.db.copying import update_rows

CAP = 10  # units; the public is not told of more
BATCH = 5000  # variants in one round of statements


@dataclass(frozen=True, slots=True)
class Availability:
    """A state of `catalog.models.AvailabilityState` and the units to be had."""

    state: str
    quantity: int


@transaction.atomic
def record_availability(*, levels: Mapping[int, Availability], now: datetime) -> None:
    """Write down what shoppers may expect of these variants, by variant id.

    Joins the caller's transaction. Only what differs is written, and seen after the commit;
    unknown variants are passed over. Quantities are capped at 10. As many statements for 5,000 as
    for one.
    """
    ids = sorted(levels)
    for start in range(0, len(ids), BATCH):
        _record({pk: levels[pk] for pk in ids[start : start + BATCH]}, now=now)


def _record(levels: Mapping[int, Availability], *, now: datetime) -> None:
    # Products first, as every other change of the catalogue does: two that meet then queue up.
    product_ids = sorted(
        set(Variant.objects.filter(pk__in=levels).values_list("product_id", flat=True))
    )
    list(Product.objects.filter(pk__in=product_ids).locked().values_list("pk"))
    changed = []
    for variant in Variant.objects.filter(pk__in=levels).order_by("pk"):
        level = levels[variant.pk]
        quantity = max(0, min(CAP, level.quantity))
        state = str(level.state)
        if (variant.availability_state, variant.availability_quantity) != (state, quantity):
            variant.availability_state = state
            variant.availability_quantity = quantity
            changed.append(variant)
    if not changed:
        return
    update_rows(changed, ["availability_state", "availability_quantity"])
    refresh_listing(product_ids={variant.product_id for variant in changed}, now=now)
