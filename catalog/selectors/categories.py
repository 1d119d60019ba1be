"""The tree of categories, with what stands on each shelf."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import CharField, Count, Func

from catalog.errors import CategoryNotFound
from catalog.models import Category, ProductListing
from catalog.store import cached_tree
from shop.http.json import dumps


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
    counts = dict(
        ProductListing.objects.filter(currency=settings.SHOP_CURRENCY, published_at__lte=now)
        .annotate(slug_on_path=_each_slug())
        .values("slug_on_path")
        .annotate(count=Count("id"))
        .values_list("slug_on_path", "count")
    )
    nodes = {
        category.pk: CategoryNode(category, counts.get(category.slug, 0)) for category in categories
    }
    roots: list[CategoryNode] = []
    for category in categories:
        node = nodes[category.pk]
        parent = nodes.get(category.parent_id) if category.parent_id else None
        (parent.children if parent else roots).append(node)
    return roots


def category_tree_rendered(*, now: datetime) -> bytes:
    """Return the body of the tree as clients see it, through the cache."""

    def load() -> bytes:
        roots = [_document(node) for node in category_tree(now=now)]
        return dumps({"results": roots, "next": None, "previous": None})

    return cached_tree(load)


def category_document(slug: str, *, now: datetime) -> dict[str, object]:
    """Return one category with its path from the root and its children. Two queries.

    Raises CategoryNotFound.
    """
    path = _find(category_tree(now=now), slug)
    if path is None:
        raise CategoryNotFound("There is no category of this name.")
    node = path[-1]
    return {
        **_own(node),
        "description": node.category.description,
        "path": [{"slug": step.category.slug, "name": step.category.name} for step in path],
        "children": [_own(child) for child in node.children],
    }


def _find(nodes: Sequence[CategoryNode], slug: str) -> list[CategoryNode] | None:
    for node in nodes:
        if node.category.slug == slug:
            return [node]
        below = _find(node.children, slug)
        if below is not None:
            return [node, *below]
    return None


def _own(node: CategoryNode) -> dict[str, object]:
    return {
        "id": node.category.pk,
        "slug": node.category.slug,
        "name": node.category.name,
        "product_count": node.product_count,
    }


def _document(node: CategoryNode) -> dict[str, object]:
    return {**_own(node), "children": [_document(child) for child in node.children]}


def _each_slug() -> Func:
    return Func("category_path", function="unnest", output_field=CharField(), set_returning=True)
