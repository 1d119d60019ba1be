"""One product as its page shows it."""

import re
from datetime import datetime
from typing import Any

from django.db.models import Q

from catalog.models import Category, Product, Variant
from catalog.selectors.prices import lowest_prices, next_edge, offer_at, prices_of
from catalog.selectors.ratings import rating_document
from catalog.store import Page, cached_move, cached_product, sealed
from shop.http.json import dumps
from shop.money import Money

_ID = re.compile(r"[0-9]{1,19}")
_LARGEST_ID = 2**63 - 1
_STATES = ("in_stock", "low_stock", "backorder", "out_of_stock")  # the best one first


def product_rendered(ref: str, *, currency: str, now: datetime) -> Page | None:
    """Return a product's page by id or slug, rendered, through the caches.

    None: unknown, not shown at `now`, or without a price in the currency. No SQL while cached,
    which is also true of what does not exist.
    """
    if len(ref) > 255:
        return None

    def load() -> bytes | None:
        found = product_document(ref, currency=currency, now=now)
        return None if found is None else sealed(dumps(found[0]), good_until=found[1])

    return cached_product(ref, currency=currency, now=now, load=load)


def slug_of_moved(ref: str, *, now: datetime) -> str | None:
    """Return the slug of the product that had `ref` for a slug before, through the cache.

    None where there is no such product for shoppers to see. No SQL while remembered, either way.
    """
    if len(ref) > 255:
        return None

    def load() -> bytes | None:
        shown = Product.objects.visible(now=now).filter(former_slugs=ref)
        slug = shown.values_list("slug", flat=True).first()
        return None if slug is None else slug.encode()

    found = cached_move(ref, load)
    return None if found is None else found.decode()


def product_by_ref(ref: str, *, now: datetime) -> Product | None:
    """Return the product of this id or slug that shoppers may see, in one query.

    Where one product's slug is another one's id, the id wins.
    """
    fits = Q(slug=ref)
    is_id = _ID.fullmatch(ref) is not None and int(ref) <= _LARGEST_ID
    if is_id:
        fits |= Q(pk=int(ref))
    found = list(Product.objects.visible(now=now).filter(fits).select_related("category")[:2])
    by_id = [product for product in found if is_id and product.pk == int(ref)]
    return next(iter(by_id or found), None)


def product_document(
    ref: str, *, currency: str, now: datetime
) -> tuple[dict[str, Any], datetime | None] | None:
    """Return what a product's page shows, and until when its prices hold.

    None as in `product_rendered`. Eight queries, whatever the number of variants and pictures.
    """
    product = product_by_ref(ref, now=now)
    if product is None:
        return None
    variants = list(product.variants.filter(is_active=True).order_by("position", "id"))
    variant_ids = [variant.pk for variant in variants]
    prices = prices_of(variant_ids)
    in_currency = [price for (_, code), own in prices.items() if code == currency for price in own]
    offers = {
        variant.pk: offer
        for variant in variants
        if (offer := offer_at(prices.get((variant.pk, currency), []), now))
    }
    if not offers:
        return None
    variants = [variant for variant in variants if variant.pk in offers]
    options = list(product.options.order_by("position", "id"))
    names = [option.name for option in options]
    images = list(product.images.order_by("position", "id"))
    address_of = {image.pk: image.address for image in images}
    lowest = lowest_prices(variant_ids, currency=currency, now=now)
    cheapest = min(
        variants,
        key=lambda variant: (
            offers[variant.pk].amount_minor,
            -(offers[variant.pk].compare_at_minor or 0),
        ),
    )
    amounts = [offer.amount_minor for offer in offers.values()]
    document = {
        "id": product.pk,
        "slug": product.slug,
        "title": product.title,
        "vendor": product.vendor,
        "product_type": product.product_type,
        "category": product.category
        and {"slug": product.category.slug, "name": product.category.name},
        "breadcrumbs": _breadcrumbs(product.category),
        "price": {
            "min": Money(min(amounts), currency).as_json(),
            "max": Money(max(amounts), currency).as_json(),
        },
        "compare_at_price": _money(offers[cheapest.pk].compare_at_minor, currency),
        "image": images[0].address if images else None,
        "availability": {
            "state": min((variant.availability_state for variant in variants), key=_STATES.index),
            "quantity": min(10, sum(variant.availability_quantity for variant in variants)),
        },
        "tags": product.tags,
        "description_html": product.description_html,
        "options": [
            {
                "name": option.name,
                "values": _values_in_use(option.values, place, variants),
            }
            for place, option in enumerate(options)
        ],
        "variants": [
            {
                "id": variant.pk,
                "sku": variant.sku,
                "title": variant.title or product.title,
                "options": dict(zip(names, variant.option_values, strict=False)),
                "price": Money(offers[variant.pk].amount_minor, currency).as_json(),
                "compare_at_price": _money(offers[variant.pk].compare_at_minor, currency),
                "lowest_price_30d": _money(
                    min(
                        lowest.get(variant.pk, offers[variant.pk].amount_minor),
                        offers[variant.pk].amount_minor,
                    ),
                    currency,
                ),
                "barcode": variant.barcode or None,
                "weight_grams": variant.weight_grams,
                "requires_shipping": variant.requires_shipping,
                "image": address_of.get(variant.image_id) if variant.image_id else None,
                "availability": {
                    "state": variant.availability_state,
                    "quantity": variant.availability_quantity,
                },
            }
            for variant in variants
        ],
        "images": [
            {
                "url": image.address,
                "alt": image.alt,
                "position": image.position,
                "width": image.width,
                "height": image.height,
                "focal_point": {"x": image.focal_x, "y": image.focal_y},
                "renditions": image.shown_renditions(),
            }
            for image in images
        ],
        "attributes": product.attributes,
        "seo": {
            "title": product.seo_title or product.title,
            "description": product.seo_description,
        },
        "rating": rating_document(count=product.rating_count, total=product.rating_total),
        "published_at": product.published_at,
        "updated_at": product.updated_at,
    }
    return document, next_edge(in_currency, now)


def _values_in_use(values: list[str], place: int, variants: list[Variant]) -> list[str]:
    offered = {
        variant.option_values[place] for variant in variants if place < len(variant.option_values)
    }
    return [value for value in values if value in offered]


def _breadcrumbs(category: Category | None) -> list[dict[str, str]]:
    if category is None:
        return []
    steps = Category.objects.ancestors(category, include_self=True)
    return [{"slug": step.slug, "name": step.name} for step in steps]


def _money(amount_minor: int | None, currency: str) -> dict[str, str] | None:
    return None if amount_minor is None else Money(amount_minor, currency).as_json()
