"""Shopify's product CSV, old and new column names, read into `ParsedProduct`s.

A product is the rows of one handle, neighbours or not. The first of them with a title is its
main row: the product's own columns are read there only. A row with a price, SKU, barcode or
option value is a variant; any row may carry a picture. Columns that are not named here (prices
by market, metafields, Google Shopping, cost, tracker, fulfilment service) are ignored.

A wrong cell refuses its row and nothing else, with two exceptions: a wrong cell among the
product's own columns, and a product without one sound variant, refuse all rows of the product.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

from django.utils.text import slugify

from inventory.services.imports.cells import amount, grams, units
from inventory.services.imports.limits import (
    DEEPEST_CATEGORY,
    LONGEST_ALT,
    LONGEST_BARCODE,
    LONGEST_BODY,
    LONGEST_CATEGORY,
    LONGEST_OPTION,
    LONGEST_SEO_DESCRIPTION,
    LONGEST_SEO_TITLE,
    LONGEST_SKU,
    LONGEST_SLUG,
    LONGEST_TAG,
    LONGEST_TITLE,
    LONGEST_TYPE,
    LONGEST_VALUE,
    LONGEST_VENDOR,
    MOST_TAGS,
    MOST_UNITS,
)
from inventory.services.imports.parsed import ParsedImage, ParsedProduct, ParsedVariant
from inventory.services.imports.report import RowError
from inventory.services.imports.table import (
    BOOLEANS,
    Headings,
    ProductTable,
    Records,
    Row,
    bare,
    heading_line,
    missing_column,
    refused,
    shown,
)

# The name that we use for a column, and the headings it goes by (compared without case).
_HEADINGS: dict[str, tuple[str, ...]] = {
    "handle": ("Handle", "URL handle"),
    "title": ("Title",),
    "body": ("Body (HTML)", "Description", "Body HTML", "Body"),
    "vendor": ("Vendor",),
    "category": ("Product Category", "Standardized Product Type", "Standard Product Type"),
    "type": ("Type", "Custom Product Type", "Product type"),
    "tags": ("Tags",),
    "published": ("Published", "Published on online store"),
    "status": ("Status",),
    "gift_card": ("Gift Card",),
    "seo_title": ("SEO Title",),
    "seo_description": ("SEO Description",),
    "option1_name": ("Option1 Name",),
    "option1_value": ("Option1 Value",),
    "option2_name": ("Option2 Name",),
    "option2_value": ("Option2 Value",),
    "option3_name": ("Option3 Name",),
    "option3_value": ("Option3 Value",),
    "sku": ("Variant SKU", "SKU"),
    "grams": ("Variant Grams", "Weight value (grams)"),
    "weight_unit": ("Variant Weight Unit", "Weight unit for display"),
    "quantity": ("Variant Inventory Qty", "Inventory quantity"),
    "policy": ("Variant Inventory Policy", "Continue selling when out of stock"),
    "price": ("Variant Price", "Price"),
    "compare_at": ("Variant Compare At Price", "Compare-at price", "Variant Compare-at Price"),
    "requires_shipping": ("Variant Requires Shipping", "Requires shipping"),
    "taxable": ("Variant Taxable", "Charge tax"),
    "barcode": ("Variant Barcode", "Barcode"),
    "variant_image": ("Variant Image", "Variant image URL"),
    "image": ("Image Src", "Product image URL"),
    "image_position": ("Image Position",),
    "image_alt": ("Image Alt Text",),
}
_NAMES = tuple(_HEADINGS)
_NAME_OF_HEADING = {
    heading.casefold(): name for name, headings in _HEADINGS.items() for heading in headings
}
_MANDATORY = ("handle", "title", "price")
_OPTIONS = (1, 2, 3)
_VARIANT_CELLS = (
    "option1_value", "option2_value", "option3_value", "sku", "price", "compare_at", "barcode",
)  # fmt: skip
_SPEAKING_CELLS = ("title", "body", "image", *_VARIANT_CELLS)

_TAXONOMY_ID = re.compile(r"gid://\S+|[a-z]{2}(-\d+)*|\d+", re.ASCII)
_POLICIES = {"continue": True, "deny": False, **BOOLEANS}
_STATUSES = {"active": "ACTIVE", "draft": "DRAFT", "unlisted": "DRAFT", "archived": "ARCHIVED"}
_UNITS = ("g", "kg", "oz", "lb")


class ShopifyFile(ProductTable):
    """A product export. Its prices are in `currency`."""

    variant_cells = _VARIANT_CELLS
    speaking = _SPEAKING_CELLS
    default_spelling: ClassVar[Mapping[str, str]] = {
        name: headings[0] for name, headings in _HEADINGS.items()
    }

    @classmethod
    def read_headings(cls, records: Records) -> Headings:
        line, headings = heading_line(records)
        columns: dict[str, int] = {}
        spelling: dict[str, str] = {}
        for index, heading in enumerate(headings):
            name = _NAME_OF_HEADING.get(heading.casefold())
            if name and name not in spelling:
                columns[name] = index
                spelling[name] = heading
        for name in _MANDATORY:
            if name not in spelling:
                raise missing_column(line, headings, _mandatory_heading(name, spelling))
        return Headings(_NAMES, columns, spelling)

    @property
    def named_by(self) -> str | None:  # type: ignore[override]
        # The newer columns leave the handle to Shopify, which makes it of the title.
        return "title" if self.column("handle").casefold() == "url handle" else None

    def slug_of(self, handle: str) -> str:
        return slug_of(handle)

    def product(self, slug: str, rows: list[Row]) -> ParsedProduct:
        main = next((row for row in rows if row.raw("title")), None)
        if main is None:
            problem = rows[0].error("title", "required", "is blank in every row of the product")
            return refused(slug, rows, [problem])

        problems: list[RowError] = []
        product = _own_columns(main, problems)
        options = _options(rows, problems)
        if problems:
            return refused(slug, rows, problems)

        variant_rows = [row for row in rows if row.is_variant] or [main]
        errors: list[RowError] = []
        images = _images(rows, errors)
        lines_of_bad_images = {error.line for error in errors}
        variants = [
            variant
            for variant in self._variants(variant_rows, options, errors)
            if variant.line not in lines_of_bad_images
        ]
        if not variants:
            return refused(slug, rows, errors)
        speaking = {main.line, *(row.line for row in variant_rows)}
        return ParsedProduct(
            slug=slug,
            lines=tuple((row.line, row.sku) for row in rows),
            skipped=frozenset(
                row.line for row in rows if row.line not in speaking and not row.raw("image")
            ),
            errors=tuple(sorted(errors, key=attrgetter("line"))),
            is_refused=False,
            first_line=rows[0].line,
            title=product.title,
            description_html=product.description_html,
            vendor=product.vendor,
            product_type=product.product_type,
            category_path=product.category_path,
            tags=product.tags,
            status=product.status,
            is_published=product.is_published,
            is_gift_card=product.is_gift_card,
            seo_title=product.seo_title,
            seo_description=product.seo_description,
            option_names=tuple(options.values()),
            variants=tuple(variants),
            images=images,
        )

    def _variants(
        self, rows: list[Row], options: dict[int, str], errors: list[RowError]
    ) -> list[ParsedVariant]:
        variants: list[ParsedVariant] = []
        line_of: dict[tuple[str, ...], int] = {}
        for row in rows:
            wrong: list[RowError] = []
            variant = _variant(row, options, self.currency, wrong)
            if problem := self.sku_problem(row, variant.sku):
                wrong.append(problem)
            twin = line_of.get(variant.option_values)
            if twin is not None and not wrong:
                column = f"option{min(options)}_value" if options else "option1_value"
                wrong.append(
                    row.error(column, "duplicate_variant", f"the same options are on line {twin}")
                )
            if wrong:
                errors.extend(wrong)
            else:
                line_of[variant.option_values] = row.line
                variants.append(variant)
        return variants


def slug_of(handle: str) -> str:
    """Return the slug for a handle: itself, if it is one; stable and its own in any case.

    Case and blanks may differ without making another product. What loses more of the handle than
    that (dots, slashes, emoji) gets a digest of the whole.
    """
    plain = re.sub(r"\s+", "-", handle.casefold())
    slug = slugify(plain, allow_unicode=True)
    if slug == plain and len(slug) <= LONGEST_SLUG:
        return slug
    digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return f"{slug[: LONGEST_SLUG - 9].strip('-')}-{digest}".strip("-")


def _mandatory_heading(name: str, spelling: dict[str, str]) -> str:
    """Name a missing column in the words of the column set that the file uses."""
    old, new = _HEADINGS[name][0], _HEADINGS[name][-1]
    is_new = {"Price", "SKU", "URL handle", "Description"} & set(spelling.values())
    return new if is_new else old


@dataclass(frozen=True, slots=True)
class _OwnColumns:
    """What a product's main row says about the product itself."""

    title: str
    description_html: str
    vendor: str
    product_type: str
    category_path: tuple[str, ...]
    tags: tuple[str, ...]
    status: str
    is_published: bool
    is_gift_card: bool
    seo_title: str
    seo_description: str


def _own_columns(row: Row, errors: list[RowError]) -> _OwnColumns:
    product_type = row.text("type", LONGEST_TYPE, errors)
    return _OwnColumns(
        title=row.text("title", LONGEST_TITLE, errors),
        description_html=row.text("body", LONGEST_BODY, errors, lines=True),
        vendor=row.text("vendor", LONGEST_VENDOR, errors),
        product_type=product_type,
        category_path=_category_path(row, product_type, errors),
        tags=_tags(row, errors),
        status=row.choice("status", _STATUSES, "ACTIVE", errors),
        is_published=row.choice("published", BOOLEANS, True, errors),
        is_gift_card=row.choice("gift_card", BOOLEANS, False, errors),
        seo_title=row.text("seo_title", LONGEST_SEO_TITLE, errors),
        seo_description=row.text("seo_description", LONGEST_SEO_DESCRIPTION, errors),
    )


def _category_path(row: Row, product_type: str, errors: list[RowError]) -> tuple[str, ...]:
    """Return the shelf: the taxonomy's path, or else the merchant's own type of product."""
    text = row.text("category", LONGEST_BODY, errors)
    if text.casefold() == "uncategorized" or _TAXONOMY_ID.fullmatch(text):
        text = ""  # a number of the taxonomy tells a shopper nothing
    steps = tuple(step.strip() for step in text.split(">") if step.strip())
    name = "category"
    if not steps and product_type:
        steps, name = (product_type,), "type"
    if len(steps) > DEEPEST_CATEGORY or any(len(step) > LONGEST_CATEGORY for step in steps):
        errors.append(row.error(name, "too_long", "is too long or too deep for a category"))
        return ()
    return steps


def _tags(row: Row, errors: list[RowError]) -> tuple[str, ...]:
    tags: dict[str, str] = {}
    for part in row.text("tags", LONGEST_BODY, errors).split(","):
        if tag := part.strip():
            tags.setdefault(tag.casefold(), tag)
    if any(len(tag) > LONGEST_TAG for tag in tags.values()):
        errors.append(row.error("tags", "too_long", f"a tag has at most {LONGEST_TAG} characters"))
    if len(tags) > MOST_TAGS:
        errors.append(row.error("tags", "too_many", f"a product has at most {MOST_TAGS} tags"))
    return tuple(tags.values())


def _options(rows: list[Row], errors: list[RowError]) -> dict[int, str]:
    """Return the names of the options in use by their number; none for a "Default Title"."""
    names: dict[int, str] = {}
    for number in _OPTIONS:
        values = [row for row in rows if row.raw(f"option{number}_value")]
        named = next((row for row in rows if row.raw(f"option{number}_name")), None)
        if not values or named is None:
            continue
        name = named.text(f"option{number}_name", LONGEST_OPTION, errors)
        if name.casefold() == "title" and all(_is_default(row) for row in values):
            continue
        if "=" in name:
            errors.append(
                named.error(f"option{number}_name", "invalid_option", "has an equals sign in it")
            )
        if name and name.casefold() in {other.casefold() for other in names.values()}:
            errors.append(
                named.error(f"option{number}_name", "duplicate_option", f"{name!r} is there twice")
            )
        names[number] = name
    return names


def _is_default(row: Row) -> bool:
    return row.raw("option1_value").casefold() == "default title" and not (
        row.raw("option2_value") or row.raw("option3_value")
    )


def _variant(
    row: Row, options: dict[int, str], currency: str, errors: list[RowError]
) -> ParsedVariant:
    """Read a variant; what cannot be read leaves an error and a harmless value."""
    values: list[str] = []
    errors.extend(
        row.error(f"option{number}_name", "required", "is blank, but the row has a value")
        for number in _OPTIONS
        if number not in options and row.raw(f"option{number}_value") and not _is_default(row)
    )
    for number in options:
        if not row.raw(f"option{number}_value"):
            errors.append(
                row.error(f"option{number}_value", "required", "is blank, but the product has it")
            )
        values.append(row.text(f"option{number}_value", LONGEST_VALUE, errors))
    row.choice("weight_unit", dict.fromkeys(_UNITS, True), True, errors)
    price = amount(row, "price", currency, errors)
    if not row.raw("price"):
        errors.append(row.error("price", "required", "is blank"))
    compare_at = amount(row, "compare_at", currency, errors)
    return ParsedVariant(
        line=row.line,
        sku=bare(row.text("sku", LONGEST_SKU, errors)),
        option_values=tuple(values),
        price_minor=price,
        compare_at_minor=compare_at if compare_at > price else None,
        barcode=bare(row.text("barcode", LONGEST_BARCODE, errors)),
        weight_grams=grams(row, errors),
        is_taxable=row.choice("taxable", BOOLEANS, True, errors),
        requires_shipping=row.choice("requires_shipping", BOOLEANS, True, errors),
        opening_units=units(row, errors),
        is_sold_beyond_stock=row.choice("policy", _POLICIES, False, errors),
        image_url=row.address("variant_image", errors),
    )


def _images(rows: list[Row], errors: list[RowError]) -> tuple[ParsedImage, ...]:
    """Return the pictures in their order, each address once; those of variants last."""
    placed: list[tuple[int, int, str, str]] = []
    for row in rows:
        wrong: list[RowError] = []
        position = row.raw("image_position")
        url = row.address("image", wrong)
        alt = row.text("image_alt", LONGEST_ALT, wrong)
        if position and not re.fullmatch(r"\d{1,6}(\.0+)?", position, re.ASCII):
            wrong.append(
                row.error("image_position", "invalid_position", f"{shown(position)} is no place")
            )
        if wrong:
            errors.extend(wrong)
        elif url:
            placed.append((int(float(position)) if position else MOST_UNITS, row.line, url, alt))
    alt_of: dict[str, str] = {}
    for _, _, url, alt in sorted(placed):
        alt_of[url] = alt_of.get(url) or alt
    return tuple(ParsedImage(url, alt) for url, alt in alt_of.items())
