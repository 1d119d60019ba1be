"""Variants as a cart or an order line shows and prices them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class VariantCard:
    """All that a cart line or an order line needs to know of a variant, in one currency."""

    variant_id: int
    product_id: int
    product_slug: str
    sku: str
    title: str
    variant_title: str
    options: dict[str, str]
    image: str | None
    unit_price_minor: int
    compare_at_minor: int | None
    currency: str
    tax_class: str
    weight_grams: int
    requires_shipping: bool
    availability_state: str
    availability_quantity: int


def variant_cards(variant_ids: Collection[int], *, currency: str) -> dict[int, VariantCard]:
    """Return the cards of these variants, through the cache: one trip, no SQL when it is warm.

    Absent: unknown, not for sale, or without a price in the currency.
    """
    raise NotImplementedError


def variants_for_sale(
    variant_ids: Collection[int], *, currency: str, now: datetime
) -> dict[int, VariantCard]:
    """Return the same as `variant_cards`, from the primary database as it is now."""
    raise NotImplementedError
