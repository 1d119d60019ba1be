"""Variants as a cart or an order line shows and prices them."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import orjson
from django.db import connection
from django.utils import timezone

from catalog.models import image_address
from catalog.selectors.prices import next_edge, offer_at
from catalog.store import cards_of, sealed


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
    """Return the cards of these variants, through the caches: one trip at most, no SQL when warm.

    Absent: unknown, not for sale, or without a price in the currency. As fresh as the cache:
    a change is seen once it is committed, or up to 0.8 s later in a process that has a copy of its
    own; a scheduled price from its first moment. Not to be changed: others get the same ones.
    """
    now = timezone.now()

    def load(missing: Collection[int]) -> Mapping[int, bytes]:
        return {
            card.variant_id: sealed(orjson.dumps(asdict(card)), good_until=good_until)
            for card, good_until in _cards_now(missing, currency=currency, now=now)
        }

    wanted = {pk for pk in variant_ids if 0 < pk < 2**63}
    return cards_of(wanted, currency=currency, now=now, load=load, read=_read)


def _read(content: bytes) -> VariantCard:
    return VariantCard(**orjson.loads(content))


def variants_for_sale(
    variant_ids: Collection[int], *, currency: str, now: datetime
) -> dict[int, VariantCard]:
    """Return the same as `variant_cards` from the database, as it is now: for checkout.

    One query, whatever the number.
    """
    cards = _cards_now(variant_ids, currency=currency, now=now)
    return {card.variant_id: card for card, _ in cards}


def _cards_now(
    variant_ids: Collection[int], *, currency: str, now: datetime
) -> list[tuple[VariantCard, datetime | None]]:
    with connection.cursor() as cursor:
        cursor.execute(_CARDS, {"variants": list(variant_ids), "currency": currency, "now": now})
        rows = cursor.fetchall()
    cards = []
    # A row for each price of a variant.
    for _, own in groupby(rows, key=itemgetter(0)):
        priced = list(own)
        prices = [_Price(*row[-4:]) for row in priced]
        offer = offer_at(prices, now)
        if offer is None:
            continue
        shown = _Shown(*priced[0][:-4])
        card = VariantCard(
            variant_id=shown.variant_id,
            product_id=shown.product_id,
            product_slug=shown.product_slug,
            sku=shown.sku,
            title=shown.title,
            variant_title=shown.variant_title,
            options=dict(zip(shown.option_names, shown.option_values, strict=False)),
            image=image_address(shown.image_url or "", shown.image_file or ""),
            unit_price_minor=offer.amount_minor,
            compare_at_minor=offer.compare_at_minor,
            currency=currency,
            tax_class=shown.tax_class,
            weight_grams=shown.weight_grams,
            requires_shipping=shown.requires_shipping,
            availability_state=shown.availability_state,
            availability_quantity=shown.availability_quantity,
        )
        cards.append((card, next_edge(prices, now)))
    return cards


class _Price(NamedTuple):
    amount_minor: int
    compare_at_minor: int | None
    starts_at: datetime | None
    ends_at: datetime | None


class _Shown(NamedTuple):
    variant_id: int
    product_id: int
    product_slug: str
    sku: str
    title: str
    variant_title: str
    option_names: list[str]
    option_values: list[str]
    image_url: str | None
    image_file: str | None
    tax_class: str
    weight_grams: int
    requires_shipping: bool
    availability_state: str
    availability_quantity: int


# By hand, as each checkout asks it: Django takes longer to put such a query together than
# PostgreSQL to answer it. The picture is the variant's own, or else its product's first.
_CARDS = """
SELECT v.id, p.id, p.slug, v.sku, p.title, v.title,
       ARRAY(SELECT o.name FROM catalog_productoption o
             WHERE o.product_id = p.id ORDER BY o.position),
       v.option_values, i.url, i.file,
       v.tax_class, v.weight_grams, v.requires_shipping,
       v.availability_state, v.availability_quantity,
       c.amount_minor, c.compare_at_minor, c.starts_at, c.ends_at
FROM catalog_variant v
JOIN catalog_product p ON p.id = v.product_id
JOIN catalog_price c ON c.variant_id = v.id AND c.currency = %(currency)s
LEFT JOIN catalog_productimage i ON i.id = coalesce(v.image_id, (
    SELECT f.id FROM catalog_productimage f
    WHERE f.product_id = p.id ORDER BY f.position, f.id LIMIT 1
))
WHERE v.id = ANY(%(variants)s::bigint[]) AND v.is_active
  AND p.status = 'ACTIVE' AND p.published_at <= %(now)s::timestamptz
ORDER BY v.id, c.id
"""
