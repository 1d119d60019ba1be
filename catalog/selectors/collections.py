"""Collections, and which products are in one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.db.models import Q, QuerySet

from catalog.models import Collection, CollectionEntry
from catalog.store import cached_collection, cached_collections
from shop.http.json import dumps


def shown_collections() -> QuerySet[Collection, Any]:
    """Return the collections that shoppers see, as rows to be paged by position."""
    return Collection.objects.filter(is_published=True).values(
        "id", "slug", "title", "description_html", "position"
    )


def collections_rendered(*, address: str, render: Callable[[], bytes]) -> bytes:
    """Return the page at `address` of the list, through the cache; `render` makes it."""
    return cached_collections(address=address, load=render)


def collection_rendered(slug: str) -> bytes | None:
    """Return a collection as shoppers see it, through the cache; None if they see none."""
    return cached_collection(slug, lambda: _rendered(slug)) if len(slug) <= 255 else None


def _rendered(slug: str) -> bytes | None:
    collection = collection_by_slug(slug)
    if collection is None:
        return None
    return dumps(
        {
            "id": collection.pk,
            "slug": collection.slug,
            "title": collection.title,
            "description_html": collection.description_html,
            "products_url": f"/api/v1/products?collection={quote(collection.slug)}",
        }
    )


def collection_by_slug(slug: str, *, everybody: bool = True) -> Collection | None:
    """Return the collection of this slug; with `everybody`, only one that shoppers see."""
    found = Collection.objects.filter(slug=slug).select_related("rule_category")
    return (found.filter(is_published=True) if everybody else found).first()


def in_collection(slug: str, *, now: datetime) -> Q:
    """Return the condition on `ProductListing` for the products of a collection. One query.

    Nothing fits one that shoppers do not see.
    """
    collection = collection_by_slug(slug)
    if collection is None:
        return Q(pk__in=[])
    if collection.kind == Collection.Kind.HAND:
        entries = CollectionEntry.objects.filter(collection=collection)
        return Q(product__in=entries.values("product"))
    fits = Q()
    if collection.rule_category is not None:
        fits &= Q(category_path__contains=[collection.rule_category.slug])
    if collection.rule_tags:
        fits &= Q(tags__contains=collection.rule_tags)
    if collection.rule_vendors:
        fits &= Q(vendor__in=collection.rule_vendors)
    if collection.rule_on_sale:
        fits &= Q(compare_at_minor__isnull=False)
    if collection.rule_newer_than_days is not None:
        fits &= Q(published_at__gt=now - timedelta(days=collection.rule_newer_than_days))
    return fits


def edited_collection_document(collection: Collection) -> dict[str, Any]:
    """Return all of a collection that staff edit. One query."""
    entries = collection.entries.order_by("position", "id").values_list("product_id", flat=True)
    return {
        "id": collection.pk,
        "slug": collection.slug,
        "title": collection.title,
        "description_html": collection.description_html,
        "kind": collection.kind.lower(),
        "position": collection.position,
        "is_published": collection.is_published,
        "rule": {
            "category": collection.rule_category and collection.rule_category.slug,
            "tags": collection.rule_tags,
            "vendors": collection.rule_vendors,
            "on_sale": collection.rule_on_sale,
            "newer_than_days": collection.rule_newer_than_days,
        },
        "product_ids": list(entries),
        "version": collection.version,
    }
