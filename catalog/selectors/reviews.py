"""What was said of products."""

from typing import Any

from django.db.models import QuerySet

from catalog.models import Review


def shown_reviews(product_id: int) -> QuerySet[Review, Any]:
    """Return what shoppers see of a product's reviews, as rows to be paged."""
    return Review.objects.filter(product=product_id, status=Review.Status.APPROVED).values(
        "id", "rating", "title", "body", "author_name", "is_verified", "created_at"
    )


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


def rating_document(*, count: int, total: int) -> dict[str, Any]:
    """Return a product's rating as clients see it, to two digits."""
    return {"average": round(total / count, 2) if count else None, "count": count}
