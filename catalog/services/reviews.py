"""Reviews written, moderated and forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Count, Sum

from catalog.errors import ProductNotFound, ReviewExists, ReviewNotFound
from catalog.models import Product, Review
from catalog.services.listing import forget_on_commit

SOMEBODY = "A customer"


@dataclass(frozen=True, slots=True)
class ReviewDraft:
    """What somebody says of a product: 1 to 5 stars, and words for them."""

    rating: int
    title: str = ""
    body: str = ""


@transaction.atomic
def add_review(
    *,
    product_id: int,
    author: str,
    author_name: str,
    draft: ReviewDraft,
    is_verified: bool,
    now: datetime,
) -> Review:
    """Write down a review, which staff look at before shoppers do.

    Whether the author bought the product is known to the caller. Joins the caller's transaction.
    Raises ReviewExists for a second one by the same author.
    """
    review = Review(
        product_id=product_id,
        author=author,
        author_name=author_name or SOMEBODY,
        rating=draft.rating,
        title=draft.title.strip(),
        body=draft.body.strip(),
        is_verified=is_verified,
        created_at=now,
    )
    if not Product.objects.filter(pk=product_id).exists():
        raise ProductNotFound("There is no such product.")
    try:
        with transaction.atomic():
            review.save(force_insert=True)
    except IntegrityError:
        raise ReviewExists("You have reviewed this product.") from None
    return review


@transaction.atomic
def moderate_reviews(*, review_ids: Sequence[int], status: str, now: datetime) -> int:
    """Show these reviews to shoppers (APPROVED), or do not; the ratings follow.

    Joins the caller's transaction. Safe to repeat. Returns how many changed; unknown ones are
    passed over. The same number of statements for any number of reviews.
    """
    product_ids = _lock_products(review_ids)
    changed = (
        Review.objects.filter(pk__in=review_ids)
        .exclude(status=status)
        .update(status=status, moderated_at=now)
    )
    if changed:
        _rate(product_ids)
    return changed


@transaction.atomic
def remove_review(*, review_id: int) -> None:
    """Delete a review; the rating follows. Raises ReviewNotFound."""
    product_ids = _lock_products([review_id])
    gone, _ = Review.objects.filter(pk=review_id).delete()
    if not gone:
        raise ReviewNotFound("There is no such review.")
    _rate(product_ids)


@transaction.atomic
def forget_author(*, author: str) -> int:
    """Take the author's name and words from their reviews; their stars stay in the rating.

    For erasure: words may say who wrote them, and copies of them are dropped too. Safe to repeat.
    Returns how many reviews there were.
    """
    reviews = Review.objects.filter(author=author)
    product_ids = set(reviews.values_list("product_id", flat=True))
    count = sum(
        Review.objects.filter(pk=pk).update(
            author=f"erased:{pk}", author_name=SOMEBODY, title="", body=""
        )
        for pk in reviews.order_by("pk").values_list("pk", flat=True)
    )
    forget_on_commit(product_ids=sorted(product_ids))
    return count


def _lock_products(review_ids: Sequence[int]) -> list[int]:
    # Two moderators of one product count one after the other, or one would bury the other's sum.
    products = Product.objects.filter(
        pk__in=Review.objects.filter(pk__in=review_ids).values("product")
    )
    return list(products.locked().values_list("pk", flat=True))


def _rate(product_ids: Sequence[int]) -> None:
    counted = {
        row["product"]: row
        for row in Review.objects.filter(product__in=product_ids, status=Review.Status.APPROVED)
        .values("product")
        .annotate(count=Count("id"), total=Sum("rating"))
        .order_by("product")
    }
    products = list(Product.objects.filter(pk__in=product_ids).only("rating_count", "rating_total"))
    for product in products:
        row = counted.get(product.pk, {"count": 0, "total": 0})
        product.rating_count, product.rating_total = row["count"], row["total"]
    Product.objects.bulk_update(products, ["rating_count", "rating_total"], batch_size=500)
    forget_on_commit(product_ids=product_ids)
