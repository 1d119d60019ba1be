"""The tree of categories: shelves made, renamed and moved."""

import contextlib
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypedDict

from django.db import IntegrityError, transaction

from catalog.errors import (
    CategoryCycle,
    CategoryExists,
    CategoryNotEmpty,
    CategoryNotFound,
    InvalidProduct,
    SlugTaken,
)
from catalog.models import Category, FormerCategorySlug, Product
from catalog.services.listing import refresh_listing
from catalog.services.slugs import SLUG, free_slug, slug_from
from catalog.services.versions import require_version
from catalog.store import forget_category_moves, forget_tree
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


class CategoryChanges(TypedDict, total=False):
    """What of a category changes; what is left out stays. `parent_slug` None: to the root."""

    name: str
    slug: str
    parent_slug: str | None
    position: int
    description: str


@transaction.atomic
def create_category(
    *,
    name: str,
    parent_slug: str | None = None,
    slug: str = "",
    position: int | None = None,
    description: str = "",
) -> Category:
    """Make a category below its parent, behind its siblings unless `position` says otherwise.

    Raises InvalidProduct for an unknown parent or an impossible name or slug, CategoryExists for
    a sibling of this name, and SlugTaken.
    """
    parent = _parent(parent_slug)
    if position is None:
        position = Category.objects.filter(parent=parent).count() + 1
    category = Category(
        parent=parent,
        name=name.strip(),
        slug=slug or _free_slug(parent, name.strip()),
        position=position,
        description=description,
    )
    _save(category, is_new=True)
    transaction.on_commit(forget_tree)
    return category


@transaction.atomic
def change_category(
    *,
    category_id: int,
    changes: CategoryChanges,
    now: datetime,
    versions: Collection[int] | None = None,
) -> Category:
    """Change what `changes` names: also its place in the tree, with all that is below it.

    The listing of every product below follows in the same transaction; who asks by a slug that it
    had before is sent on. Raises CategoryNotFound,
    VersionMismatch, CategoryCycle, and what `create_category` raises.
    """
    category = _locked(category_id)
    require_version(category.version, versions)
    if "parent_slug" in changes:
        parent = _parent(changes["parent_slug"])
        _require_tree(category, parent)
        category.parent = parent
    former_slug = category.slug
    category.name = changes.get("name", category.name).strip()
    category.slug = changes.get("slug", category.slug)
    category.position = changes.get("position", category.position)
    category.description = changes.get("description", category.description)
    category.version += 1
    _save(category, is_new=False)
    category_was_edited(
        category_id=category.pk,
        now=now,
        former_slug=former_slug if former_slug != category.slug else "",
    )
    return category


@transaction.atomic
def move_category(
    *, category: Category, parent: Category | None, now: datetime, position: int | None = None
) -> None:
    """Hang the category, with all below it, under `parent`, or at the root.

    The listing of every product below follows in the same transaction. Raises CategoryCycle.
    """
    _lock_tree()
    _require_tree(category, parent)
    category.parent = parent
    if position is not None:
        category.position = position
    category.version += 1
    category.save(update_fields=["parent", "position", "version"])
    category_was_edited(category_id=category.pk, now=now)


@transaction.atomic
def category_was_edited(*, category_id: int, now: datetime, former_slug: str = "") -> None:
    """Bring the listing of all products on and below this category up to date.

    And note the slug that it had before the edit, if that is another one now.
    """
    if former_slug:
        _remember_slug(category_id=category_id, old=former_slug, now=now)
    below = Category.objects.descendants(category_id, include_self=True)
    products = Product.objects.filter(category__in=[category.pk for category in below]).values_list(
        "pk", flat=True
    )
    refresh_listing(product_ids=list(products), now=now)
    transaction.on_commit(forget_tree)


def _remember_slug(*, category_id: int, old: str, now: datetime) -> None:
    new = Category.objects.values_list("slug", flat=True).get(pk=category_id)
    if old == new:
        return
    FormerCategorySlug.objects.update_or_create(
        slug=old, defaults={"category_id": category_id, "retired_at": now}
    )
    FormerCategorySlug.objects.filter(slug=new, category=category_id).delete()
    transaction.on_commit(partial(forget_category_moves, [old, new]))


@transaction.atomic
def remove_category(*, category_id: int, versions: Collection[int] | None = None) -> None:
    """Take an empty category away.

    Raises CategoryNotFound, VersionMismatch, and CategoryNotEmpty while anything is on or below it.
    """
    category = _locked(category_id, is_going=True)
    require_version(category.version, versions)
    if category.children.exists() or category.products.exists():
        raise CategoryNotEmpty("Move what is on it and below it first.")
    former = list(category.former_slugs.values_list("slug", flat=True))
    category.delete()
    transaction.on_commit(forget_tree)
    transaction.on_commit(partial(forget_category_moves, former))


def _lock_tree() -> None:
    # Two moves that are fine each may make a ring together, so moves wait for one another.
    list(Category.objects.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def _locked(category_id: int, *, is_going: bool = False) -> Category:
    _lock_tree()
    rows = Category.objects.filter(pk=category_id)
    # Whoever is putting something on it is waited for, and then finds it gone.
    found: Category | None = (rows.select_for_update() if is_going else rows).first()
    if found is None:
        raise CategoryNotFound("There is no such category.")
    return found


def _parent(slug: str | None) -> Category | None:
    if slug is None:
        return None
    found: Category | None = Category.objects.filter(slug=slug).first()
    if found is None:
        problem = f"there is no category {slug}"
        raise InvalidProduct(f"{problem}.", problems=[problem])
    return found


def _require_tree(category: Category, parent: Category | None) -> None:
    if parent is not None and (
        parent.pk == category.pk
        or Category.objects.ancestors(parent, include_self=True).filter(pk=category.pk).exists()
    ):
        raise CategoryCycle("A category cannot be moved below itself.")


def _save(category: Category, *, is_new: bool) -> None:
    problems = []
    if not 0 < len(category.name) <= LONGEST_NAME or "\x00" in category.name:
        problems.append(f"a category's name has 1 to {LONGEST_NAME} characters")
    if not SLUG.fullmatch(category.slug) or len(category.slug) > LONGEST_SLUG:
        problems.append(f"a slug has 1 to {LONGEST_SLUG} letters, digits, hyphens and underscores")
    if "\x00" in category.description:
        problems.append("the description holds a NUL character")
    if problems:
        raise InvalidProduct("; ".join(problems) + ".", problems=problems)
    others = Category.objects.exclude(pk=category.pk)
    if others.filter(slug=category.slug).exists():
        raise SlugTaken("Another category has this slug.", slug=category.slug)
    if others.filter(parent=category.parent_id, name__iexact=category.name).exists():
        raise _exists()
    try:
        with transaction.atomic():
            category.save(force_insert=is_new)
    except IntegrityError:  # somebody made it at this moment
        raise _exists() from None


def _exists() -> CategoryExists:
    return CategoryExists("There is a category of this name in this place.")


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
    own = slug_from(name, fallback="category")
    wanted = [own, f"{parent.slug}-{own}"] if parent else [own]
    taken = set(Category.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    for slug in wanted:
        if len(slug) <= LONGEST_SLUG and slug not in taken:
            return slug
    return free_slug(wanted[-1], longest=LONGEST_SLUG, of=(Category,))
