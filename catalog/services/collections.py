"""Collections made, changed and taken away."""

from collections.abc import Collection as Group
from collections.abc import Sequence
from functools import partial
from typing import TypedDict

from django.db import IntegrityError, transaction

from catalog.errors import CollectionNotFound, InvalidProduct, SlugTaken
from catalog.models import Category, Collection, CollectionEntry, Product
from catalog.services.products import sanitised
from catalog.services.slugs import SLUG, free_slug, slug_from
from catalog.services.versions import require_version
from catalog.store import forget_collections
from shop.outbox.services import publish

LONGEST_SLUG = 150


class CollectionChanges(TypedDict, total=False):
    """What of a collection changes; what is left out stays. `product_ids` are for one by hand."""

    title: str
    slug: str
    description_html: str
    kind: str
    position: int
    is_published: bool
    category_slug: str | None
    rule_tags: Sequence[str]
    rule_vendors: Sequence[str]
    rule_on_sale: bool
    rule_newer_than_days: int | None
    product_ids: Sequence[int]


@transaction.atomic
def create_collection(*, changes: CollectionChanges) -> Collection:
    """Make a collection; without a slug, by its title. Raises InvalidProduct, and SlugTaken."""
    collection = Collection(title=changes.get("title", "").strip(), version=0)
    if "slug" not in changes:
        base = slug_from(collection.title, fallback="collection")
        collection.slug = free_slug(base, longest=LONGEST_SLUG, of=(Collection,))
    return _write(collection, changes)


@transaction.atomic
def change_collection(
    *, slug: str, changes: CollectionChanges, versions: Group[int] | None = None
) -> Collection:
    """Change what `changes` names.

    Raises CollectionNotFound, VersionMismatch, InvalidProduct, and SlugTaken.
    """
    return _write(_locked(slug, versions), changes)


@transaction.atomic
def remove_collection(*, slug: str, versions: Group[int] | None = None) -> None:
    """Delete a collection; its products stay. Raises CollectionNotFound, and VersionMismatch."""
    collection = _locked(slug, versions)
    forget_collections_on_commit([collection.slug])
    collection.delete()


@transaction.atomic
def forget_collections_on_commit(slugs: Sequence[str]) -> None:
    """Drop what caches hold of these collections once the transaction commits.

    And once more by a message, for the case that this process dies in between. For staff screens
    too, which write by themselves.
    """
    transaction.on_commit(partial(forget_collections, list(slugs)))
    publish(
        topic="catalog.collection_changed",
        key=f"collection:{slugs[0]}"[:100],  # a slug may be longer
        payload={"v": 1, "slugs": list(slugs)},
    )


def _locked(slug: str, versions: Group[int] | None) -> Collection:
    collection = Collection.objects.filter(slug=slug).select_for_update(of=("self",)).first()
    if collection is None:
        raise CollectionNotFound("There is no such collection.")
    require_version(collection.version, versions)
    return collection


def _write(collection: Collection, changes: CollectionChanges) -> Collection:
    old_slug = collection.slug
    product_ids = changes.get("product_ids")
    for name, value in changes.items():
        if name not in {"category_slug", "product_ids", "description_html"}:
            setattr(collection, name, value)
    collection.title = collection.title.strip()
    if "description_html" in changes:
        collection.description_html = sanitised(changes["description_html"])
    problems = []
    if "category_slug" in changes:
        slug = changes["category_slug"]
        collection.rule_category = Category.objects.filter(slug=slug).first() if slug else None
        if slug and collection.rule_category is None:
            problems.append(f"there is no category {slug}")
    if not SLUG.fullmatch(collection.slug) or len(collection.slug) > LONGEST_SLUG:
        problems.append(f"a slug has 1 to {LONGEST_SLUG} letters, digits, hyphens and underscores")
    if not collection.title:
        problems.append("a collection needs a title")
    if product_ids is not None:
        problems += _entry_problems(collection, product_ids)
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
    collection.version += 1
    try:
        with transaction.atomic():
            collection.save()
    except IntegrityError:
        raise SlugTaken("Another collection has this slug.", slug=collection.slug) from None
    if product_ids is not None:
        collection.entries.all().delete()
        CollectionEntry.objects.bulk_create(
            CollectionEntry(collection=collection, product_id=pk, position=place)
            for place, pk in enumerate(product_ids, start=1)
        )
    forget_collections_on_commit([collection.slug, old_slug])
    return collection


def _entry_problems(collection: Collection, product_ids: Sequence[int]) -> list[str]:
    known = set(Product.objects.filter(pk__in=product_ids).values_list("pk", flat=True))
    problems = [f"there is no product {pk}" for pk in product_ids if pk not in known]
    if len(set(product_ids)) < len(product_ids):
        problems.append("a collection has each product once")
    if product_ids and collection.kind != Collection.Kind.HAND:
        problems.append("the products of a collection by rule are found by its rule")
    return problems
