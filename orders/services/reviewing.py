"""Buyers say what they think of what they bought."""

from datetime import datetime

from accounts.models import User
from catalog.errors import ProductNotFound
from catalog.models import Review
from catalog.selectors import product_by_ref
from catalog.services import ReviewDraft, add_review
from orders.errors import NotABuyer
from orders.selectors import has_bought


def post_review(*, customer: User, product_ref: str, draft: ReviewDraft, now: datetime) -> Review:
    """Write down what a buyer says of the product of this id or slug, to be approved by staff.

    Raises ProductNotFound, NotABuyer, and ReviewExists for a second one.
    """
    product = product_by_ref(product_ref, now=now)
    if product is None:
        raise ProductNotFound("There is no such product.")
    if not has_bought(customer=customer, product_id=product.pk):
        raise NotABuyer("Only who bought the product can review it.")
    return add_review(
        product_id=product.pk,
        author=f"customer:{customer.pk}",
        author_name=_shown_name(customer.full_name),
        draft=draft,
        is_verified=True,
        now=now,
    )


def _shown_name(full_name: str) -> str:
    # As little as tells one buyer from another: the first name, and a letter of the last.
    first, *others = full_name.split() or [""]
    return f"{first} {others[-1][0]}."[:80] if others else first[:80]
