"""The tree of categories: shelves made, renamed and moved."""

import contextlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from catalog.errors import CategoryCycle, InvalidProduct
from catalog.models import Category, Product
from catalog.services.listing import refresh_listing
from catalog.store import forget_tree
from shop.errors import Busy

LONGEST_NAME = 120
LONGEST_SLUG = 150
ATTEMPTS = 5


@transaction.atomic
def ensure_category(*, path: Sequence[str]) -> Category:
    """Return the category that these names lead to from the root, made where missing.

    Names are compared without regard to case. Safe to repeat, also by two at once. Raises
    InvalidProduct for an empty path or a name that is empty or too long.
    """
    names = [name.strip() for name in path]
    if not names or not all(0 < len(name) <= LONGEST_NAME and "\x00" not in name for name in names):
        raise InvalidProduct(
            f"A category needs names of 1 to {LONGEST_NAME} characters.", problems=["category"]
        )
    category: Category | None = None
    for name in names:
        category = _child(category, name)
    assert category is not None
    return category


@transaction.atomic
def move_category(
    *, category: Category, parent: Category | None, now: datetime, position: int | None = None
) -> None:
    """Hang the category, with all below it, under `parent`, or at the root.

    The listing of every product below follows in the same transaction. Raises CategoryCycle.
    """
    # Two moves that are fine each may make a ring together, so moves wait for one another.
    list(Category.objects.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    if parent is not None and (
        parent.pk == category.pk
        or Category.objects.ancestors(parent, include_self=True).filter(pk=category.pk).exists()
    ):
        raise CategoryCycle("A category cannot be moved below itself.")
    category.parent = parent
    if position is not None:
        category.position = position
    category.save(update_fields=["parent", "position"])
    category_was_edited(category_id=category.pk, now=now)


@transaction.atomic
def category_was_edited(*, category_id: int, now: datetime) -> None:
    """Bring the listing of all products on and below this category up to date."""
    below = Category.objects.descendants(category_id, include_self=True)
    products = Product.objects.filter(category__in=[category.pk for category in below]).values_list(
        "pk", flat=True
    )
    refresh_listing(product_ids=list(products), now=now)
    transaction.on_commit(forget_tree)


@transaction.atomic
def remove_category(*, category: Category) -> None:
    """Take an empty category away. Raises ProtectedError while anything is on or below it."""
    category.delete()
    transaction.on_commit(forget_tree)


def _child(parent: Category | None, name: str) -> Category:
    for _ in range(ATTEMPTS):
        found: Category | None = Category.objects.filter(parent=parent, name__iexact=name).first()
        if found is not None:
            return found
        position = Category.objects.filter(parent=parent).count() + 1
        made = Category(parent=parent, name=name, position=position, slug=_free_slug(parent, name))
        # Somebody may make it, or take its slug, at this moment: then we look again.
        with contextlib.suppress(IntegrityError), transaction.atomic():
            made.save(force_insert=True)
            transaction.on_commit(forget_tree)
            return made
    raise Busy("Others are changing the categories.", retry_after=1)


def _free_slug(parent: Category | None, name: str) -> str:
    plain = unicodedata.normalize("NFKC", name)
    own = slugify(plain) or slugify(plain, allow_unicode=True) or "category"
    wanted = [own, f"{parent.slug}-{own}"] if parent else [own]
    base = wanted[-1][: LONGEST_SLUG - 6]
    taken = set(
        Category.objects.filter(slug__regex=f"^{re.escape(base)}(-[0-9]+)?$").values_list(
            "slug", flat=True
        )
    ) | set(Category.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    for slug in wanted:
        if len(slug) <= LONGEST_SLUG and slug not in taken:
            return slug
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
