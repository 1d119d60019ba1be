"""What leads from one product to others: by hand, or counted from orders."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from catalog.errors import InvalidProduct, ProductNotFound
from catalog.models import BoughtTogether, FormerSlug, Product, RelatedProduct
from catalog.services.images import touch_products
from catalog.services.versions import require_version
from catalog.store import forget_moves

MOST_RELATED = 50


@transaction.atomic
def relate_products(
    *,
    product_id: int,
    other_ids: Sequence[int],
    now: datetime,
    versions: Collection[int] | None = None,
) -> None:
    """Show exactly these products beside this one, in this order, before those that are found.

    Raises ProductNotFound, VersionMismatch, and InvalidProduct for what is unknown, itself,
    named twice, or more than 50.
    """
    product = Product.objects.filter(pk=product_id).locked().first()
    if product is None:
        raise ProductNotFound("There is no such product.")
    require_version(product.version, versions)
    known = set(Product.objects.filter(pk__in=other_ids).values_list("pk", flat=True))
    problems = [f"there is no product {pk}" for pk in other_ids if pk not in known]
    if product_id in other_ids:
        problems.append("a product is not related to itself")
    if len(set(other_ids)) < len(other_ids) or len(other_ids) > MOST_RELATED:
        problems.append(f"name up to {MOST_RELATED} products, each once")
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
    before = list(product.related.order_by("position").values_list("other_id", flat=True))
    if before == list(other_ids):
        return
    product.related.all().delete()
    RelatedProduct.objects.bulk_create(
        RelatedProduct(product=product, other_id=pk, position=place)
        for place, pk in enumerate(other_ids, start=1)
    )
    touch_products([product_id], now=now)


@transaction.atomic
def record_bought_together(*, pairs: Mapping[tuple[int, int], int]) -> None:
    """Replace all that is known of products bought together: orders by (product, other).

    Orders count them and call here. In one transaction: readers see the old or the new. Products
    that are gone are passed over.
    """
    ids = {pk for pair in pairs for pk in pair}
    known = set(Product.objects.filter(pk__in=ids).values_list("pk", flat=True))
    BoughtTogether.objects.all().delete()
    BoughtTogether.objects.bulk_create(
        (
            BoughtTogether(product_id=product, other_id=other, orders=orders)
            for (product, other), orders in pairs.items()
            if product in known and other in known
        ),
        batch_size=5000,
    )


def remember_slug(*, product_id: int, old: str, new: str, now: datetime) -> None:
    """Note where a product was before, so that who asks there is sent on. Joins the transaction."""
    FormerSlug.objects.update_or_create(
        slug=old, defaults={"product_id": product_id, "retired_at": now}
    )
    FormerSlug.objects.filter(slug=new, product=product_id).delete()
    transaction.on_commit(lambda: forget_moves([old, new]))
