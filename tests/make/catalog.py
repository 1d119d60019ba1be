"""Categories, products and variants for tests: valid by default, name only what matters."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from PIL import Image

from catalog.models import Category, Product, Variant
from catalog.services import (
    Availability,
    ProductDraft,
    VariantDraft,
    ensure_category,
    record_availability,
    set_popularity,
    upsert_product,
)

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

_numbers = count(1)


def category(*path: str) -> Category:
    """Return the category at the end of these names."""
    return ensure_category(path=path or ("Things",))


def variant_draft(
    *values: str,
    sku: str | None = None,
    price: int | None = 1999,
    compare_at: int | None = None,
    **more: Any,
) -> VariantDraft:
    """Return a variant that costs `price` pence; None: nothing that a shopper could pay."""
    prices: Mapping[str, tuple[int, int | None]] = (
        {} if price is None else {"GBP": (price, compare_at)}
    )
    return VariantDraft(
        sku=f"SKU-{next(_numbers)}" if sku is None else sku,
        option_values=values,
        **{"prices": prices, **more},
    )


def product_draft(
    *,
    slug: str | None = None,
    price: int = 1999,
    compare_at: int | None = None,
    variants: Sequence[VariantDraft] | None = None,
    published_at: datetime | None = datetime(2026, 1, 1, tzinfo=UTC),
    **more: Any,
) -> ProductDraft:
    """Return a draft of a product with one variant, or with those given."""
    number = next(_numbers)
    if variants is None:
        variants = [variant_draft(price=price, compare_at=compare_at)]
    return ProductDraft(
        slug=slug or f"product-{number}",
        variants=variants,
        published_at=published_at,
        **{"title": f"Product {number}", **more},
    )


def product(
    *, in_stock: int | None = None, popularity: int = 0, now: datetime = NOW, **draft: Any
) -> Product:
    """Return a product that was made through the service, on sale unless told otherwise."""
    result = upsert_product(draft=product_draft(**draft), now=now)
    if in_stock is not None:
        state = "in_stock" if in_stock else "out_of_stock"
        record_availability(
            levels={pk: Availability(state, in_stock) for pk in result.variant_ids.values()},
            now=now,
        )
    if popularity:
        set_popularity(units={result.product.pk: popularity}, now=now)
    return Product.objects.get(pk=result.product.pk)


def variant(*, now: datetime = NOW, **draft: Any) -> Variant:
    """Return the first variant of a new product."""
    made = product(now=now, **draft).variants.first()
    assert made is not None
    return made


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 6), colour: str = "red") -> bytes:
    """Return the bytes of a picture."""
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, kind)
    return content.getvalue()
