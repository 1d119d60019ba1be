"""The catalogue as staff edit it: drafts too, each price, and the version of what is seen."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from catalog.models import Category, Price, PriceHistory, Product, Variant
from catalog.selectors.categories import category_document
from catalog.selectors.products import product_document
from shop.errors import NotFound
from shop.http.conditional import etag_of
from shop.http.json import dumps
from shop.money import Money

_LARGEST_ID = 2**63 - 1


def edited_product(ref: str) -> Product | None:
    """Return the product of this id or slug, whoever may see it; the id wins. One query."""
    fits = Q(slug=ref)
    is_id = ref.isdecimal() and ref.isascii() and len(ref) < 20 and int(ref) <= _LARGEST_ID
    if is_id:
        fits |= Q(pk=int(ref))
    found = list(Product.objects.filter(fits).select_related("category")[:2])
    by_id = [product for product in found if is_id and product.pk == int(ref)]
    return next(iter(by_id or found), None)


def edited_products(
    *, status: str | None = None, words: str | None = None, sku: str | None = None
) -> QuerySet[Product, Any]:
    """Return products of every status as rows, to be paged by their last change.

    `words` are looked for in title, slug and vendor as they stand.
    """
    found = Product.objects.all()
    if status is not None:
        found = found.filter(status=status)
    if words:
        found = found.filter(
            Q(title__icontains=words) | Q(slug__icontains=words) | Q(vendor__icontains=words)
        )
    if sku is not None:
        found = found.filter(Exists(Variant.objects.filter(product=OuterRef("pk"), sku=sku)))
    return found.values(
        "id",
        "slug",
        "title",
        "vendor",
        "product_type",
        "status",
        "published_at",
        "version",
        "created_at",
        "updated_at",
    )


def edited_product_document(product_id: int) -> dict[str, Any]:
    """Return all of a product that staff edit, as it is now. Six queries, for any size."""
    product = Product.objects.select_related("category").get(pk=product_id)
    options = list(product.options.order_by("position", "id"))
    variants = list(product.variants.order_by("position", "id"))
    return {
        "id": product.pk,
        "slug": product.slug,
        "title": product.title,
        "description_html": product.description_html,
        "vendor": product.vendor,
        "product_type": product.product_type,
        "category": product.category
        and {"slug": product.category.slug, "name": product.category.name},
        "tags": product.tags,
        "attributes": product.attributes,
        "seo": {"title": product.seo_title, "description": product.seo_description},
        "status": product.status.lower(),
        "published_at": product.published_at,
        "options": [{"name": option.name, "values": option.values} for option in options],
        "variants": _variant_documents(variants, [option.name for option in options]),
        "images": [
            {
                "id": image.pk,
                "url": image.address,
                "alt": image.alt,
                "position": image.position,
                "width": image.width,
                "height": image.height,
                "focal_point": {"x": image.focal_x, "y": image.focal_y},
                "renditions": image.shown_renditions(),
            }
            for image in product.images.order_by("position", "id")
        ],
        "version": product.version,
        "created_at": product.created_at,
        "updated_at": product.updated_at,
    }


def edited_variant(variant_id: int) -> Variant | None:
    """Return the variant with its product, on sale or not."""
    return Variant.objects.filter(pk=variant_id).select_related("product").first()


def edited_variant_document(variant: Variant) -> dict[str, Any]:
    """Return all of a variant that staff edit. Two queries."""
    names = variant.product.options.order_by("position", "id").values_list("name", flat=True)
    return _variant_documents([variant], list(names))[0]


def option_names(product_id: int) -> list[str]:
    """Return the names of the product's options, in their order."""
    product = Product(pk=product_id)
    return list(product.options.order_by("position", "id").values_list("name", flat=True))


def variant_ids_of(skus: Iterable[str]) -> dict[str, int]:
    """Return the ids of these SKUs; an unknown one is absent."""
    return dict(Variant.objects.filter(sku__in=set(skus)).values_list("sku", "pk"))


def price_steps(variant_id: int) -> QuerySet[PriceHistory, Any]:
    """Return what the variant cost, and from when on, as rows to be paged."""
    return PriceHistory.objects.filter(variant=variant_id).values(
        "id", "currency", "amount_minor", "effective_at"
    )


def product_tags(product: Product, *, now: datetime) -> set[str]:
    """Return the ETags that the product's public page has now, one for each currency."""
    found = (
        product_document(str(product.pk), currency=currency, now=now)
        for currency in settings.SHOP_CURRENCIES
    )
    return {etag_of(dumps(document[0])) for document in found if document is not None}


def edited_category(slug: str) -> Category | None:
    """Return the category of this slug."""
    found: Category | None = Category.objects.filter(slug=slug).select_related("parent").first()
    return found


def edited_category_document(category: Category) -> dict[str, Any]:
    """Return all of a category that staff edit."""
    return {
        "id": category.pk,
        "slug": category.slug,
        "name": category.name,
        "parent": category.parent.slug if category.parent else None,
        "position": category.position,
        "description": category.description,
        "version": category.version,
    }


def category_tags(category: Category, *, now: datetime) -> set[str]:
    """Return the ETag that the category's public page has now, out of the cached tree."""
    try:
        document = category_document(category.slug, now=now)
    except NotFound:  # the tree in the cache does not know it yet
        return set()
    return {etag_of(dumps(document))}


def _variant_documents(variants: Sequence[Variant], names: Sequence[str]) -> list[dict[str, Any]]:
    prices: dict[int, list[Price]] = {}
    for price in Price.objects.filter(variant__in=[variant.pk for variant in variants]).order_by(
        "currency", "starts_at", "id"
    ):
        prices.setdefault(price.variant_id, []).append(price)
    return [
        {
            "id": variant.pk,
            "product_id": variant.product_id,
            "sku": variant.sku,
            "title": variant.title,
            "options": dict(zip(names, variant.option_values, strict=False)),
            "position": variant.position,
            "barcode": variant.barcode,
            "weight_grams": variant.weight_grams,
            "tax_class": variant.tax_class.lower(),
            "requires_shipping": variant.requires_shipping,
            "image_id": variant.image_id,
            "is_active": variant.is_active,
            "availability": {
                "state": variant.availability_state,
                "quantity": variant.availability_quantity,
            },
            "prices": [price_document(price) for price in prices.get(variant.pk, [])],
        }
        for variant in variants
    ]


def price_document(price: Price) -> dict[str, Any]:
    """Return a price as staff see it: the base price has no window."""
    compare_at = price.compare_at_minor
    return {
        "id": price.pk,
        "price": Money(price.amount_minor, price.currency).as_json(),
        "compare_at_price": None
        if compare_at is None
        else Money(compare_at, price.currency).as_json(),
        "starts_at": price.starts_at,
        "ends_at": price.ends_at,
    }
