"""The shop's own CSV: everything of a product that a file can hold, one row for each variant.

Written by `inventory.services.exports`, and described in docs/operations/imports.md. The product's
own columns are read in the first row of a slug that has a title, and are empty in its other rows.
Every column is there: what is missing would otherwise be taken for an order to empty it.
"""

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import ClassVar

import orjson
from django.conf import settings
from django.utils.dateparse import parse_datetime

from catalog.models import Product, TaxClass
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
    LONGEST_TAG,
    LONGEST_TITLE,
    LONGEST_TYPE,
    LONGEST_VALUE,
    LONGEST_VENDOR,
    MOST_TAGS,
)
from inventory.services.imports.parsed import ParsedImage, ParsedProduct, ParsedVariant
from inventory.services.imports.report import RowError
from inventory.services.imports.table import (
    BOOLEANS,
    Headings,
    ProductTable,
    Records,
    Row,
    Rows,
    heading_line,
    missing_column,
    refused,
    shown,
    unreadable,
)
from shop.csv_cells import unguarded

PRODUCT_COLUMNS = (
    "title",
    "description_html",
    "vendor",
    "product_type",
    "category",
    "category_path",
    "tags",
    "status",
    "published_at",
    "seo_title",
    "seo_description",
    "attributes",
    "images",
)
VARIANT_COLUMNS = (
    "sku",
    "options",
    "is_active",
    "barcode",
    "weight_grams",
    "tax_class",
    "requires_shipping",
    "image",
    "stock",
    "backorder_limit",
)
PATH_SEPARATOR = " > "
_LONGEST_TEXTS = {
    "title": LONGEST_TITLE,
    "description_html": LONGEST_BODY,
    "vendor": LONGEST_VENDOR,
    "product_type": LONGEST_TYPE,
    "seo_title": LONGEST_SEO_TITLE,
    "seo_description": LONGEST_SEO_DESCRIPTION,
}
_PRICE_COLUMN = re.compile(r"(price|compare_at)_([A-Z]{3})")
_STATUSES = {status.lower(): str(status) for status in Product.Status.values}
_TAX_CLASSES = {tax_class.lower(): str(tax_class) for tax_class in TaxClass.values}
_SLUG = re.compile(r"[-\w]+")
_LARGEST_PLACE = 32_767
# The names by which the cells' readers know columns that other formats have, too.
_OURS = {"slug": "handle", "weight_grams": "grams", "stock": "quantity"}


def price_columns(currency: str) -> tuple[str, str]:
    """Return the two columns of a currency."""
    return f"price_{currency}", f"compare_at_{currency}"


def columns() -> tuple[str, ...]:
    """Return the whole heading, in the order in which it is written."""
    prices = [name for code in settings.SHOP_CURRENCIES for name in price_columns(code)]
    return ("slug", *PRODUCT_COLUMNS, *VARIANT_COLUMNS, *prices)


def list_cell(values: list[str]) -> str:
    """Write several texts into one cell: a line of CSV in itself."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue() if values else ""


def listed(cell: str) -> list[str]:
    """Read what `list_cell` wrote. Raises csv.Error."""
    return next(csv.reader([cell], strict=True), []) if cell else []


class NativeFile(ProductTable):
    """A file of the shop's own format."""

    speaking = ("title", "sku", "options")
    default_spelling: ClassVar[Mapping[str, str]] = {
        _OURS.get(name, name): name for name in ("slug", *PRODUCT_COLUMNS, *VARIANT_COLUMNS)
    }

    def __init__(self, headings: Headings, *, rows: Rows, currency: str) -> None:
        super().__init__(headings, rows=rows, currency=currency)
        self.variant_cells = tuple(
            name for name in headings.names if name not in {"handle", *PRODUCT_COLUMNS}
        )

    @classmethod
    def read_headings(cls, records: Records) -> Headings:
        line, headings = heading_line(records)
        places: dict[str, int] = {}
        for index, heading in enumerate(headings):
            if not heading:
                continue
            if heading in places:
                raise unreadable(line, heading, "duplicate_column", "the column is there twice")
            places[heading] = index
        for name in ("slug", *PRODUCT_COLUMNS, *VARIANT_COLUMNS):
            if name not in places:
                raise missing_column(line, headings, name)
        for name in places:
            if name in columns():
                continue
            found = _PRICE_COLUMN.fullmatch(name)
            hint = "the shop has no such currency" if found else "there is no such column"
            raise unreadable(line, name, "unknown_column", hint)
        names = {_OURS.get(name, name): name for name in places}
        return Headings(tuple(names), {ours: places[name] for ours, name in names.items()}, names)

    def slug_of(self, handle: str) -> str:
        return handle

    def cleaned(self, cell: str) -> str:
        return unguarded(cell)

    def sku_of(self, cell: str) -> str:
        return cell

    def product(self, slug: str, rows: list[Row]) -> ParsedProduct:
        main = next((row for row in rows if row.raw("title").strip()), None)
        if main is None:
            problem = rows[0].error("title", "required", "is blank in every row of the product")
            return refused(slug, rows, [problem])
        problems: list[RowError] = []
        if not _SLUG.fullmatch(slug):
            problems.append(
                main.error("handle", "invalid_slug", "has more than letters, digits, - and _")
            )
        category, path = _category(main, problems)
        published_at = _moment(main, problems)
        tags = _tags(main, problems)
        attributes = _attributes(main, problems)
        images = _images(main, problems)
        texts = {
            name: main.text(name, longest, problems, lines=True)
            for name, longest in _LONGEST_TEXTS.items()
        }
        status = main.choice("status", _STATUSES, "ACTIVE", problems)
        variant_rows = [row for row in rows if row.is_variant]
        option_names = _option_names(variant_rows, problems)
        if problems:
            return refused(slug, rows, problems)

        errors: list[RowError] = []
        variants = self._variants(variant_rows, option_names, errors)
        if variant_rows and not variants:
            return refused(slug, rows, errors)
        speaking = {main.line, *(row.line for row in variant_rows)}
        return ParsedProduct(
            slug=slug,
            lines=tuple((row.line, row.sku) for row in rows),
            skipped=frozenset(row.line for row in rows if row.line not in speaking),
            errors=tuple(sorted(errors, key=attrgetter("line"))),
            is_refused=False,
            first_line=rows[0].line,
            title=texts["title"],
            description_html=texts["description_html"],
            vendor=texts["vendor"],
            product_type=texts["product_type"],
            category_slug=category,
            category_path=path,
            tags=tags,
            status=status,
            is_published=published_at is not None,
            published_at=published_at,
            seo_title=texts["seo_title"],
            seo_description=texts["seo_description"],
            attributes=attributes,
            option_names=option_names,
            variants=tuple(variants),
            images=images,
            may_have_no_variants=True,
        )

    def _variants(
        self, rows: list[Row], option_names: tuple[str, ...], errors: list[RowError]
    ) -> list[ParsedVariant]:
        variants: list[ParsedVariant] = []
        line_of: dict[tuple[str, ...], int] = {}
        for row in rows:
            wrong: list[RowError] = []
            variant = _variant(row, option_names, wrong)
            if problem := self.sku_problem(row, variant.sku):
                wrong.append(problem)
            twin = line_of.get(variant.option_values)
            if twin is not None and variant.is_active and not wrong:
                wrong.append(
                    row.error("options", "duplicate_variant", f"the same are on line {twin}")
                )
            if wrong:
                errors.extend(wrong)
                continue
            if variant.is_active:
                line_of[variant.option_values] = row.line
            variants.append(variant)
        return variants


def _variant(row: Row, option_names: tuple[str, ...], errors: list[RowError]) -> ParsedVariant:
    answers = _options(row, errors)
    if answers is not None and tuple(answers) != option_names:
        wanted = ", ".join(option_names) or "none"
        errors.append(row.error("options", "invalid_option", f"the product's options are {wanted}"))
    prices: dict[str, tuple[int, int | None]] = {}
    for currency in settings.SHOP_CURRENCIES:
        price, compare_at = price_columns(currency)
        if row.raw(price):
            minor = amount(row, price, currency, errors)
            compared = amount(row, compare_at, currency, errors) if row.raw(compare_at) else None
            if compared is not None and compared <= minor and not errors:
                errors.append(row.error(compare_at, "invalid_price", "is not above the price"))
            prices[currency] = (minor, compared)
        elif row.raw(compare_at):
            errors.append(row.error(price, "required", "is blank, but compared with a price"))
    image = row.raw("image")
    is_file = image.startswith("file:")
    sku = row.text("sku", LONGEST_SKU, errors, lines=True)
    if not row.raw("sku").strip():
        errors.append(row.error("sku", "required", "is blank"))
    limit = row.raw("backorder_limit")
    return ParsedVariant(
        line=row.line,
        sku=sku,
        option_values=tuple((answers or {}).values()),
        price_minor=0,
        compare_at_minor=None,
        prices=prices,
        barcode=row.text("barcode", LONGEST_BARCODE, errors, lines=True),
        weight_grams=grams(row, errors),
        is_taxable=None,
        tax_class=row.choice("tax_class", _TAX_CLASSES, "", errors) or None,
        requires_shipping=row.choice("requires_shipping", BOOLEANS, True, errors),
        opening_units=units(row, errors),
        is_sold_beyond_stock=None,
        backorder_limit=units(row, errors, name="backorder_limit") if limit else None,
        is_active=row.choice("is_active", BOOLEANS, True, errors),
        image_url="" if is_file else row.address("image", errors),
        image_file=image.removeprefix("file:") if is_file else "",
    )


def _listed(row: Row, name: str, errors: list[RowError]) -> list[str]:
    cell = row.text(name, LONGEST_BODY, errors, lines=True)
    try:
        return listed(cell)
    except csv.Error:
        errors.append(row.error(name, "malformed_list", "is no list: separate by commas"))
        return []


def _options(row: Row, errors: list[RowError]) -> dict[str, str] | None:
    """Return the answers by option, in their order; None after noting an error."""
    answers: dict[str, str] = {}
    noted = len(errors)
    for part in _listed(row, "options", errors):
        name, has_value, value = part.partition("=")
        if not has_value or not name.strip() or not value.strip():
            errors.append(row.error("options", "invalid_option", f"{shown(part)} is no name=value"))
        elif len(name) > LONGEST_OPTION or len(value) > LONGEST_VALUE:
            errors.append(row.error("options", "too_long", f"{shown(part)} is too long"))
        elif name.casefold() in {other.casefold() for other in answers}:
            errors.append(row.error("options", "duplicate_option", f"{name!r} is there twice"))
        answers[name] = value
    return answers if len(errors) == noted else None


def _option_names(rows: list[Row], problems: list[RowError]) -> tuple[str, ...]:
    """Return the product's options: those of its first variant that can be read."""
    for row in rows:
        answers = _options(row, [])
        if answers is not None:
            return tuple(answers)
    if rows:
        _options(rows[0], problems)
    return ()


def _category(row: Row, errors: list[RowError]) -> tuple[str, tuple[str, ...]]:
    slug = row.text("category", LONGEST_CATEGORY * 2, errors)
    cell = row.text("category_path", LONGEST_BODY, errors, lines=True)
    path = tuple(step.strip() for step in cell.split(PATH_SEPARATOR)) if cell else ()
    if len(path) > DEEPEST_CATEGORY or any(not 0 < len(step) <= LONGEST_CATEGORY for step in path):
        errors.append(row.error("category_path", "too_long", "is too long, too deep or has gaps"))
        return "", ()
    return slug, path


def _moment(row: Row, errors: list[RowError]) -> datetime | None:
    cell = row.text("published_at", 40, errors)
    if not cell:
        return None
    try:
        moment = parse_datetime(cell)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        errors.append(
            row.error("published_at", "invalid_time", "is no time such as 2026-01-31T09:00:00Z")
        )
        return None
    return moment


def _tags(row: Row, errors: list[RowError]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(tag.strip() for tag in _listed(row, "tags", errors) if tag.strip()))
    if any(len(tag) > LONGEST_TAG for tag in tags):
        errors.append(row.error("tags", "too_long", f"a tag has at most {LONGEST_TAG} characters"))
    if len(tags) > MOST_TAGS:
        errors.append(row.error("tags", "too_many", f"a product has at most {MOST_TAGS} tags"))
    return tags


def _json(row: Row, name: str, kind: type, errors: list[RowError]) -> object | None:
    cell = row.text(name, LONGEST_BODY, errors, lines=True)
    if not cell:
        return None
    try:
        value: object = orjson.loads(cell)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        what = "object" if kind is dict else "list"
        errors.append(row.error(name, "malformed_json", f"is no JSON {what}"))
        return None
    return value


def _attributes(row: Row, errors: list[RowError]) -> dict[str, object]:
    value = _json(row, "attributes", dict, errors)
    return value if isinstance(value, dict) else {}


def _images(row: Row, errors: list[RowError]) -> tuple[ParsedImage, ...]:
    value = _json(row, "images", list, errors)
    images = []
    for entry in value if isinstance(value, list) else []:
        image = _image(entry)
        if image is None:
            errors.append(
                row.error("images", "invalid_image", "has an entry without one url or file")
            )
            break
        images.append(image)
    return tuple(images)


def _image(entry: object) -> ParsedImage | None:
    if not isinstance(entry, dict) or entry.keys() - {"url", "file", "alt", "position"}:
        return None
    url, file, alt = (entry.get(name, "") for name in ("url", "file", "alt"))
    place = entry.get("position", 0)
    if not all(isinstance(text, str) for text in (url, file, alt)) or bool(url) == bool(file):
        return None
    if not isinstance(place, int) or not 0 <= place <= _LARGEST_PLACE or len(alt) > LONGEST_ALT:
        return None
    return ParsedImage(url=url, alt=alt, file=file, position=place)
