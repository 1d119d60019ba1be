"""What was said of products."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from catalog.models import Review
from catalog.selectors.products import product_by_ref
from catalog.store import cached_reviews


def shown_reviews(product_id: int) -> QuerySet[Review, Any]:
    """Return what shoppers see of a product's reviews, as rows to be paged."""
    return Review.objects.filter(product=product_id, status=Review.Status.APPROVED).values(
        "id", "rating", "title", "body", "author_name", "is_verified", "created_at"
    )


def reviews_rendered(
    ref: str, *, address: str, now: datetime, render: Callable[[int], bytes]
) -> bytes | None:
    """Return the page at `address` of a product's reviews, through the cache; `render` makes it.

    None where shoppers see no such product. No SQL while cached.
    """

    def load() -> bytes | None:
        product = product_by_ref(ref, now=now)
        return None if product is None else render(product.pk)

    return cached_reviews(ref, address=address, load=load) if len(ref) <= 255 else None


def moderated_reviews(
    *, status: str | None = None, product_id: int | None = None
) -> QuerySet[Review, Any]:
    """Return reviews of every status as rows to be paged: what staff see."""
    found = Review.objects.all()
    if status is not None:
        found = found.filter(status=status)
    if product_id is not None:
        found = found.filter(product=product_id)
    return found.values(
        "id",
        "rating",
        "title",
        "body",
        "author_name",
        "is_verified",
        "created_at",
        "product_id",
        "product__title",
        "status",
        "moderated_at",
    )
