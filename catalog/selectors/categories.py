"""The tree of categories, with what stands on each shelf."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db.models import Count, QuerySet

from catalog.errors import CategoryNotFound
from catalog.models import Category, ProductListing
from catalog.store import cached_category_move, cached_tree
from shop.http.json import dumps

LONGEST_SLUG = 150


@dataclass(slots=True)
class CategoryNode:
    """A category in its place, with the number of products on it and below it."""

    category: Category
    product_count: int
    children: list["CategoryNode"] = field(default_factory=list)


def category_tree(*, now: datetime) -> list[CategoryNode]:
    """Return the roots, in order, each with what hangs below it. Two queries.

    Counts are of products that can be bought now in the shop's own currency, descendants
    included.
    """
    categories = list(Category.objects.order_by("position", "name", "id"))
    counts: Counter[str] = Counter()
    for slug, count in _counts_by_shelf(now=now):
        counts[slug] += count
    nodes = {category.pk: CategoryNode(category, counts[category.slug]) for category in categories}
    roots: list[CategoryNode] = []
    for category in categories:
        node = nodes[category.pk]
        parent = nodes.get(category.parent_id) if category.parent_id else None
        (parent.children if parent else roots).append(node)
    for root in roots:
        _add_up(root)
    return roots


def _counts_by_shelf(*, now: datetime) -> QuerySet[ProductListing, tuple[str, int]]:
    """Return numbers of products by the slug of their own category, to be added up."""
    # An index alone knows who stands where; when each appears would be asked of every row. So all
    # are counted, and then the few that do not appear yet are taken away.
    listed = ProductListing.objects.filter(currency=settings.SHOP_CURRENCY).order_by()
    later = listed.filter(published_at__gt=now)
    return (
        listed.values("category_slug")
        .annotate(count=Count("*"))
        .values_list("category_slug", "count")
        .union(
            later.values("category_slug")
            .annotate(count=-Count("*"))
            .values_list("category_slug", "count"),
            all=True,
        )
    )


def _add_up(node: CategoryNode) -> None:
    for child in node.children:
        _add_up(child)
        node.product_count += child.product_count


def category_tree_rendered(*, now: datetime) -> bytes:
    """Return the body of the tree as clients see it, through the cache."""

    def load() -> bytes:
        roots = [_document(node) for node in category_tree(now=now)]
        return dumps({"results": roots, "next": None, "previous": None})

    return cached_tree(load)


def category_document(slug: str, *, now: datetime) -> dict[str, Any]:
    """Return one category with its path from the root and its children, out of the same cache.

    Raises CategoryNotFound.
    """
    path = _path_to(slug, orjson.loads(category_tree_rendered(now=now))["results"])
    if path is None:
        raise CategoryNotFound("There is no category of this name.")
    node = path[-1]
    return {
        **node,
        "path": [{"slug": step["slug"], "name": step["name"]} for step in path],
        "children": [
            {name: value for name, value in child.items() if name != "children"}
            for child in node["children"]
        ],
    }


def slug_of_moved_category(slug: str) -> str | None:
    """Return the slug of the category that had this one before, through the cache.

    None if none had. No SQL while remembered, either way.
    """
    if len(slug) > LONGEST_SLUG:
        return None

    def load() -> bytes | None:
        now = Category.objects.filter(former_slugs=slug).values_list("slug", flat=True).first()
        return None if now is None else now.encode()

    found = cached_category_move(slug, load)
    return None if found is None else found.decode()


def _path_to(slug: str, nodes: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
    for node in nodes:
        if node["slug"] == slug:
            return [node]
        below = _path_to(slug, node["children"])
        if below is not None:
            return [node, *below]
    return None


def _document(node: CategoryNode) -> dict[str, Any]:
    return {
        "id": node.category.pk,
        "slug": node.category.slug,
        "name": node.category.name,
        "description": node.category.description,
        "product_count": node.product_count,
        "children": [_document(child) for child in node.children],
    }
