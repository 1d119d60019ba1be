"""Whether the copies in the cache are what the catalogue says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings

from catalog.models import Product
from catalog.selectors.products import product_document
from catalog.store import kept_products
from shop.http.json import dumps


@dataclass(frozen=True, slots=True)
class StaleCopy:
    """A cached product that is not what the catalogue says of it."""

    product_id: int
    ref: str  # the id or slug that it is kept under
    currency: str


def stale_products(*, sample: int, now: datetime) -> list[StaleCopy]:
    """Return which of `sample` cached products, chosen at random, are not as in the database.

    One that is found is looked at again after all others, as an edit drops its copies only after it
    has committed. The cache being away is no fault: there is nothing to be stale.
    """
    known = list(
        Product.objects.visible(now=now).order_by("?").values_list("pk", "slug")[: 2 * sample]
    )
    product_of = {ref: pk for pk, slug in known for ref in (slug, str(pk))}
    copies = [
        (StaleCopy(product_of[ref], ref, currency), content)
        for currency in settings.SHOP_CURRENCIES
        for ref, content in kept_products(product_of, currency=currency, now=now).items()
    ]
    found = [copy for copy, content in copies[:sample] if _differs(copy, content, now)]
    return [copy for copy in found if _differs_still(copy, now)]


def _differs_still(copy: StaleCopy, now: datetime) -> bool:
    kept = kept_products([copy.ref], currency=copy.currency, now=now)
    return copy.ref in kept and _differs(copy, kept[copy.ref], now)


def _differs(copy: StaleCopy, kept: bytes | None, now: datetime) -> bool:
    told = product_document(copy.ref, currency=copy.currency, now=now)
    if told is None or kept is None:
        return (told is None) != (kept is None)
    return bool(_comparable(dumps(told[0])) != _comparable(kept))


def _comparable(content: bytes) -> Any:
    document = orjson.loads(content)
    for variant in document.get("variants", ()):
        # The lowest price of the last 30 days moves by the clock, and the copy need not.
        variant.pop("lowest_price_30d", None)
    return document
