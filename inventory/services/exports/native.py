"""Writing the shop's own CSV, which `inventory.services.imports.native` reads."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db.models import QuerySet

from catalog.models import (
    Category,
    Price,
    Product,
    ProductImage,
    ProductOption,
    Variant,
)
from inventory.models import Stock
from inventory.selectors import default_warehouse
from inventory.services.imports.native import (
    PATH_SEPARATOR,
    PRODUCT_COLUMNS,
    VARIANT_COLUMNS,
    columns,
    list_cell,
    price_columns,
)
from shop.csv_cells import guarded
from shop.money import Money

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which products are written; what is not named does not restrict."""

    status: str | None = None
    category: str | None = None  # a slug; with its descendants
    vendor: str | None = None
    tag: str | None = None
    updated_after: datetime | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Filters":
        """Return the filters that a job was given."""
        after = options.get("updated_after")
        return cls(
            status=options.get("status"),
            category=options.get("category"),
            vendor=options.get("vendor"),
            tag=options.get("tag"),
            updated_after=datetime.fromisoformat(after) if after else None,
        )


def exported_products(filters: Filters) -> QuerySet[Product]:
    """Return the products that these filters let through."""
    found = Product.objects.all()
    if filters.status is not None:
        found = found.filter(status=filters.status.upper())
    if filters.category is not None:
        top = Category.objects.filter(slug=filters.category).first()
        if top is None:
            return found.none()
        found = found.filter(category__in=Category.objects.descendants(top.pk, include_self=True))
    if filters.vendor is not None:
        found = found.filter(vendor=filters.vendor)
    if filters.tag is not None:
        found = found.filter(tags__contains=[filters.tag])
    if filters.updated_after is not None:
        found = found.filter(updated_at__gt=filters.updated_after)
    return found


def heading() -> str:
    """Return the heading line."""
    return _written([dict(zip(columns(), columns(), strict=True))])


def written_products(products: Sequence[Product]) -> tuple[str, int]:
    """Return the lines of these products, and how many rows they are. Seven queries."""
    rows = list(_rows(products))
    return _written(rows), len(rows)


def _written(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(), restval="", lineterminator="\r\n")
    writer.writerows({name: guarded(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def _rows(products: Sequence[Product]) -> Iterator[Row]:
    ids = [product.pk for product in products]
    variants: dict[int, list[Variant]] = defaultdict(list)
    for variant in Variant.objects.filter(product__in=ids).order_by("position", "id"):
        variants[variant.product_id].append(variant)
    options: dict[int, list[str]] = defaultdict(list)
    for option in ProductOption.objects.filter(product__in=ids).order_by("position", "id"):
        options[option.product_id].append(option.name)
    images: dict[int, list[ProductImage]] = defaultdict(list)
    for image in ProductImage.objects.filter(product__in=ids).order_by("position", "id"):
        images[image.product_id].append(image)
    prices: dict[int, list[Price]] = defaultdict(list)
    for price in Price.objects.filter(
        variant__product__in=ids,
        currency__in=settings.SHOP_CURRENCIES,
        starts_at__isnull=True,
        ends_at__isnull=True,
    ):
        prices[price.variant_id].append(price)
    stocks = {
        stock.variant_id: stock
        for stock in Stock.objects.filter(
            variant__product__in=ids, warehouse__code=default_warehouse().code
        )
    }
    paths = _category_paths({product.category_id for product in products if product.category_id})

    for product in products:
        pictures = {image.pk: _address(image) for image in images[product.pk]}
        names = options[product.pk]
        row = {
            "slug": product.slug,
            **_product_cells(product, images[product.pk]),
            **paths.get(product.category_id or 0, {}),
        }
        # An inactive variant of options that the product had once cannot be told in this form.
        # It stays as it is when the file comes back.
        told = [one for one in variants[product.pk] if len(one.option_values) == len(names)]
        for variant in told:
            yield {
                **row,
                **_variant_cells(variant, names, pictures, stocks.get(variant.pk)),
                **_price_cells(prices[variant.pk]),
            }
            row = {"slug": product.slug}
        if not told:
            yield row


def _product_cells(product: Product, images: Sequence[ProductImage]) -> Row:
    cells = dict.fromkeys(PRODUCT_COLUMNS, "")
    cells.update(
        title=product.title,
        description_html=product.description_html,
        vendor=product.vendor,
        product_type=product.product_type,
        tags=list_cell(product.tags),
        status=product.status.lower(),
        published_at=product.published_at.isoformat() if product.published_at else "",
        seo_title=product.seo_title,
        seo_description=product.seo_description,
        attributes=orjson.dumps(product.attributes).decode() if product.attributes else "",
        images=orjson.dumps([_image_entry(image) for image in images]).decode() if images else "",
    )
    return cells


def _image_entry(image: ProductImage) -> dict[str, str | int]:
    where = {"url": image.url} if image.url else {"file": image.file.name or ""}
    return {**where, "alt": image.alt, "position": image.position}


def _address(image: ProductImage) -> str:
    return image.url or f"file:{image.file.name}"


def _variant_cells(
    variant: Variant, names: Sequence[str], pictures: Mapping[int, str], stock: Stock | None
) -> Row:
    cells = dict.fromkeys(VARIANT_COLUMNS, "")
    cells.update(
        sku=variant.sku,
        options=list_cell(
            [f"{name}={value}" for name, value in zip(names, variant.option_values, strict=True)]
        ),
        is_active="true" if variant.is_active else "false",
        barcode=variant.barcode,
        weight_grams=str(variant.weight_grams),
        tax_class=variant.tax_class.lower(),
        requires_shipping="true" if variant.requires_shipping else "false",
        image=pictures.get(variant.image_id or 0, ""),
    )
    if stock is not None:
        cells.update(stock=str(stock.on_hand), backorder_limit=str(stock.backorder_limit))
    return cells


def _price_cells(prices: Sequence[Price]) -> Row:
    cells: Row = {}
    for price in prices:
        amount, compare_at = price_columns(price.currency)
        cells[amount] = Money(price.amount_minor, price.currency).amount
        if price.compare_at_minor is not None:
            cells[compare_at] = Money(price.compare_at_minor, price.currency).amount
    return cells


def _category_paths(ids: set[int]) -> dict[int, Row]:
    """Return what is written of each category, by id: its slug, and the names that lead to it."""
    if not ids:
        return {}
    every = {category.pk: category for category in Category.objects.all()}
    found = {}
    for pk in ids:
        names: list[str] = []
        step: Category | None = every[pk]
        while step is not None:
            names.insert(0, step.name)
            step = every.get(step.parent_id or 0)
        found[pk] = {"category": every[pk].slug, "category_path": PATH_SEPARATOR.join(names)}
    return found
