"""Variants as a cart or an order line shows and prices them."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from catalog.models import Product, ProductImage, ProductOption, Variant, image_address
from catalog.selectors.prices import next_edge, offer_at, prices_of
from catalog.store import cached_cards, sealed


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

    Absent: unknown, not for sale, or without a price in the currency. As fresh as the cache:
    a change is seen once it is committed, a scheduled price from its first moment.
    """
    now = timezone.now()

    def load(missing: Collection[int]) -> Mapping[int, bytes]:
        return {
            card.variant_id: sealed(orjson.dumps(asdict(card)), good_until=good_until)
            for card, good_until in _cards_now(missing, currency=currency, now=now)
        }

    wanted = {pk for pk in variant_ids if 0 < pk < 2**63}
    found = cached_cards(wanted, currency=currency, now=now, load=load)
    return {pk: VariantCard(**orjson.loads(content)) for pk, content in found.items()}


def variants_for_sale(
    variant_ids: Collection[int], *, currency: str, now: datetime
) -> dict[int, VariantCard]:
    """Return the same as `variant_cards` from the database, as it is now: for checkout.

    Two queries, whatever the number.
    """
    cards = _cards_now(variant_ids, currency=currency, now=now)
    return {card.variant_id: card for card, _ in cards}


def _cards_now(
    variant_ids: Collection[int], *, currency: str, now: datetime
) -> list[tuple[VariantCard, datetime | None]]:
    rows = _rows(variant_ids, now=now)
    prices = prices_of([row["id"] for row in rows]) if rows else {}
    cards = []
    for row in rows:
        own = prices.get((row["id"], currency), [])
        offer = offer_at(own, now)
        if offer is None:
            continue
        if row["image_id"] is not None:
            image = image_address(row["image__url"], row["image__file"])
        else:
            image = image_address(row["first_url"] or "", row["first_file"] or "")
        card = VariantCard(
            variant_id=row["id"],
            product_id=row["product_id"],
            product_slug=row["product__slug"],
            sku=row["sku"],
            title=row["product__title"],
            variant_title=row["title"],
            options=dict(zip(row["option_names"], row["option_values"], strict=False)),
            image=image,
            unit_price_minor=offer.amount_minor,
            compare_at_minor=offer.compare_at_minor,
            currency=currency,
            tax_class=row["tax_class"],
            weight_grams=row["weight_grams"],
            requires_shipping=row["requires_shipping"],
            availability_state=row["availability_state"],
            availability_quantity=row["availability_quantity"],
        )
        cards.append((card, next_edge(own, now)))
    return cards


def _rows(variant_ids: Collection[int], *, now: datetime) -> list[dict[str, Any]]:
    first_image = ProductImage.objects.filter(product=OuterRef("product")).order_by(
        "position", "id"
    )
    rows = (
        Variant.objects.filter(
            pk__in=variant_ids,
            is_active=True,
            product__status=Product.Status.ACTIVE,
            product__published_at__lte=now,
        )
        .annotate(
            option_names=ArraySubquery(
                ProductOption.objects.filter(product=OuterRef("product"))
                .order_by("position")
                .values("name")
            ),
            first_url=Subquery(first_image.values("url")[:1]),
            first_file=Subquery(first_image.values("file")[:1]),
        )
        .values(
            "id",
            "product_id",
            "product__slug",
            "product__title",
            "sku",
            "title",
            "option_names",
            "option_values",
            "image_id",
            "image__url",
            "image__file",
            "first_url",
            "first_file",
            "tax_class",
            "weight_grams",
            "requires_shipping",
            "availability_state",
            "availability_quantity",
        )
        .order_by("id")
    )
    return list(rows)
