"""Shopify's product CSV, old and new column names, read into `ParsedProduct`s.

A product is the rows of one handle, neighbours or not. The first of them with a title is its
main row: the product's own columns are read there only. A row with a price, SKU, barcode or
option value is a variant; any row may carry a picture. Columns that are not named here (prices
by market, metafields, Google Shopping, cost, tracker, fulfilment service) are ignored.

A wrong cell refuses its row and nothing else, with two exceptions: a wrong cell among the
product's own columns, and a product without one sound variant, refuse all rows of the product.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from heapq import merge
from operator import attrgetter
from typing import BinaryIO, TypeVar

from django.db.models import Model
from django.utils.text import slugify

from catalog.models import Category, Product, ProductImage, ProductOption, Variant
from catalog.services.images import is_web_address
from inventory.errors import UnreadableFile
from inventory.services.imports.parsed import ParsedImage, ParsedProduct, ParsedVariant
from inventory.services.imports.report import RowError
from inventory.services.imports.scratch import Scratch, ScratchRow
from shop.errors import FieldError
from shop.money import Money

Choice = TypeVar("Choice", bool, str)

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

_LONGEST_CELL = 2_000_000  # characters; beyond it a quote was surely left open
_LONGEST_BODY = 600_000  # Shopify itself stops at 512 KB
_MOST_UNITS = 1_000_000_000
_MOST_TAGS = 250
_DEEPEST_CATEGORY = 10

_PRICE = re.compile(r"(\d{1,13}(\.\d*)?|\.\d+)", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d{1,12}(\.0+)?", re.ASCII)
_GRAMS = re.compile(r"\d{1,12}(\.\d*)?", re.ASCII)
_TAXONOMY_ID = re.compile(r"gid://\S+|[a-z]{2}(-\d+)*|\d+", re.ASCII)
_UNDECODED = re.compile("[\udc80-\udcff]")
_BOOLEANS = {
    "true": True, "yes": True, "y": True, "1": True,
    "false": False, "no": False, "n": False, "0": False,
}  # fmt: skip
_POLICIES = {"continue": True, "deny": False, **_BOOLEANS}
_STATUSES = {"active": "ACTIVE", "draft": "DRAFT", "unlisted": "DRAFT", "archived": "ARCHIVED"}
_UNITS = ("g", "kg", "oz", "lb")


def _longest(model: type[Model], name: str) -> int:
    field = model._meta.get_field(name)
    longest = getattr(getattr(field, "base_field", field), "max_length", None)
    if not isinstance(longest, int):
        raise TypeError(f"{model.__name__}.{name} has no longest length")
    return longest


_LONGEST_SLUG = _longest(Product, "slug")
_LONGEST_TITLE = _longest(Product, "title")
_LONGEST_VENDOR = _longest(Product, "vendor")
_LONGEST_TYPE = _longest(Product, "product_type")
_LONGEST_TAG = _longest(Product, "tags")
_LONGEST_SEO_TITLE = _longest(Product, "seo_title")
_LONGEST_SEO_DESCRIPTION = _longest(Product, "seo_description")
_LONGEST_CATEGORY = _longest(Category, "name")
_LONGEST_OPTION = _longest(ProductOption, "name")
_LONGEST_VALUE = _longest(Variant, "option_values")
_LONGEST_SKU = _longest(Variant, "sku")
_LONGEST_BARCODE = _longest(Variant, "barcode")
_LONGEST_ALT = _longest(ProductImage, "alt")
_LONGEST_URL = _longest(ProductImage, "url")

# A cell may be as long as a product's text; the limit belongs to the module `csv` as a whole.
csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))


@contextmanager
def open_shopify_csv(source: BinaryIO, *, currency: str) -> Iterator["ShopifyFile"]:
    """Read the whole file once, onto disk, and give its products. Leaves `source` open.

    Raises UnreadableFile when the heading line is not that of a product export.
    """
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
    scratch = Scratch()
    try:
        yield ShopifyFile(_Records(text), scratch=scratch, currency=currency)
    finally:
        scratch.close()
        text.detach()


class ShopifyFile:
    """A product export, indexed. Its prices are in `currency`."""

    def __init__(self, records: "_Records", *, scratch: Scratch, currency: str) -> None:
        self._scratch = scratch
        self._currency = currency
        self.row_count = 0
        self._columns, self._spelling = _headings(records)
        self._makes_handles = self.column("handle").casefold() == "url handle"
        self._index(records)

    def column(self, name: str) -> str:
        """Return how the file spells a column, or how Shopify does where the file has none."""
        return self._spelling.get(name, _HEADINGS[name][0])

    def gives_sku(self, sku: str) -> bool:
        """Tell whether some row of the file carries this SKU itself."""
        return self._scratch.owner_of(sku) is not None

    def products(self) -> Iterator[ParsedProduct]:
        """Yield each product once, in the order of its first row.

        Rows that belong to no product come as refused products without a slug.
        """
        yield from merge(self._grouped(), self._loose(), key=attrgetter("first_line"))

    def _index(self, records: "_Records") -> None:
        position = {name: index for index, name in self._columns.items()}
        for line, cells, complaint in records:
            if not cells and not complaint:
                continue  # an empty line is no row
            self.row_count += 1
            if complaint:
                self._refuse(line, "", "malformed_csv", complaint)
                continue
            known = [
                cells[position[name]].strip() if position.get(name, len(cells)) < len(cells) else ""
                for name in _NAMES
            ]
            row = _Row(line, dict(zip(_NAMES, known, strict=True)), self)
            key = self._slug_of(row)
            if key:
                self._scratch.add(key=key, line=line, cells=known, sku=row.sku)

    def _slug_of(self, row: "_Row") -> str:
        """Return the slug of the row's product; without one, keep the row aside."""
        errors: list[RowError] = []
        handle = row.text("handle", _LONGEST_SLUG, errors)
        if not handle and not errors:
            if not any(row.raw(name) for name in _SPEAKING_CELLS):
                self._refuse(row.line, "", "", "")
                return ""
            if self._makes_handles:
                handle = row.text("title", _LONGEST_TITLE, errors)
        if not handle and not errors:
            errors.append(row.error("handle", "required", "is blank, so the row has no product"))
        if errors:
            first = errors[0]
            self._refuse(first.line, first.column, first.code, first.detail)
            return ""
        return slug_of(handle)

    def _refuse(self, line: int, column: str, code: str, detail: str) -> None:
        self._scratch.refuse(line=line, column=column, code=code, detail=detail)

    def _loose(self) -> Iterator[ParsedProduct]:
        for line, column, code, detail in self._scratch.loose():
            yield ParsedProduct(
                slug="",
                lines=((line, ""),),
                skipped=frozenset() if code else frozenset({line}),
                errors=(RowError(line, column, code, detail),) if code else (),
                is_refused=True,
                first_line=line,
            )

    def _grouped(self) -> Iterator[ParsedProduct]:
        for slug, rows in self._scratch.groups():
            yield self._product(slug, [self._row(row) for row in rows])

    def _row(self, row: ScratchRow) -> "_Row":
        return _Row(row.line, dict(zip(_NAMES, row.cells, strict=True)), self)

    def _product(self, slug: str, rows: list["_Row"]) -> ParsedProduct:
        main = next((row for row in rows if row.raw("title")), None)
        if main is None:
            problem = rows[0].error("title", "required", "is blank in every row of the product")
            return _refused(slug, rows, [problem])

        problems: list[RowError] = []
        product = _own_columns(main, problems)
        options = _options(rows, problems)
        if problems:
            return _refused(slug, rows, problems)

        variant_rows = [row for row in rows if row.is_variant] or [main]
        errors: list[RowError] = []
        variants = self._variants(variant_rows, options, errors)
        images = _images(rows, errors)
        if not variants:
            return _refused(slug, rows, errors)
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
        self, rows: list["_Row"], options: dict[int, str], errors: list[RowError]
    ) -> list[ParsedVariant]:
        variants: list[ParsedVariant] = []
        line_of: dict[tuple[str, ...], int] = {}
        for row in rows:
            wrong: list[RowError] = []
            variant = _variant(row, options, self._currency, wrong)
            given_on = self._scratch.owner_of(variant.sku) if variant.sku else None
            if given_on not in {None, row.line}:
                wrong.append(
                    row.error("sku", "duplicate_sku", f"{variant.sku!r} is used on line {given_on}")
                )
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
    if slug == plain and len(slug) <= _LONGEST_SLUG:
        return slug
    digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return f"{slug[: _LONGEST_SLUG - 9].strip('-')}-{digest}".strip("-")


class _Records:
    """The records of the file with the line that each begins on, read only once."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._reader = csv.reader(text, strict=True)

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        """Yield line, cells and, for what is no CSV, a complaint in place of cells."""
        while True:
            line = self._reader.line_num + 1
            try:
                yield line, next(self._reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                yield line, [], f"is not sound CSV ({error}): look for a quote left open"


def _headings(records: _Records) -> tuple[dict[int, str], dict[str, str]]:
    """Read the heading line: which known column stands where, and how the file spells it."""
    line, headings, complaint = next(
        (record for record in records if record[1] or record[2]), (1, [], "")
    )
    if complaint:
        raise _unreadable(line, "", "malformed_csv", f"the heading line {complaint}")
    if any("\0" in heading or _UNDECODED.search(heading) for heading in headings):
        raise _unreadable(
            line, "", "not_utf8", "the file is not UTF-8 text: save it as “CSV UTF-8” again"
        )
    columns: dict[int, str] = {}
    spelling: dict[str, str] = {}
    for index, heading in enumerate(headings):
        name = _NAME_OF_HEADING.get(" ".join(heading.split()).casefold())
        if name and name not in spelling:
            columns[index] = name
            spelling[name] = " ".join(heading.split())
    for name in _MANDATORY:
        if name not in spelling:
            heading = _mandatory_heading(name, spelling)
            hint = ""
            if len(headings) == 1 and re.search(r"[;\t|]", headings[0]):
                hint = "; the cells must be separated by commas"
            raise _unreadable(line, heading, "missing_column", f"the column is missing{hint}")
    return columns, spelling


def _mandatory_heading(name: str, spelling: dict[str, str]) -> str:
    """Name a missing column in the words of the column set that the file uses."""
    old, new = _HEADINGS[name][0], _HEADINGS[name][-1]
    is_new = {"Price", "SKU", "URL handle", "Description"} & set(spelling.values())
    return new if is_new else old


def _unreadable(line: int, column: str, code: str, detail: str) -> UnreadableFile:
    error = RowError(line, column, code, detail)
    return UnreadableFile(
        str(error), errors=[FieldError("/file", code, str(error))], line=line, column=column
    )


class _Row:
    """The known cells of one row, stripped."""

    def __init__(self, line: int, cells: dict[str, str], file: ShopifyFile) -> None:
        self.line = line
        self._cells = cells
        self._file = file

    @property
    def is_variant(self) -> bool:
        return any(self._cells[name] for name in _VARIANT_CELLS)

    @property
    def sku(self) -> str:
        """The SKU that the row carries, if it is text at all."""
        cell = self._cells["sku"]
        return "" if "\0" in cell or _UNDECODED.search(cell) else _bare(cell)

    def raw(self, name: str) -> str:
        return self._cells[name]

    def error(self, name: str, code: str, detail: str) -> RowError:
        return RowError(self.line, self._file.column(name), code, detail)

    def text(self, name: str, longest: int, errors: list[RowError], *, lines: bool = False) -> str:
        """Return the cell as clean text; "" after noting an error. Blanks run together."""
        cell = self._cells[name]
        if _UNDECODED.search(cell):
            errors.append(
                self.error(name, "not_utf8", "is not UTF-8 text: save the file as “CSV UTF-8”")
            )
            return ""
        if "\0" in cell:
            errors.append(self.error(name, "nul_character", "contains a NUL character"))
            return ""
        if not lines:
            cell = " ".join(cell.split())
        if len(cell) > longest:
            errors.append(
                self.error(name, "too_long", f"has {len(cell)} characters; at most {longest} fit")
            )
            return ""
        return cell

    def choice(
        self, name: str, choices: dict[str, Choice], default: Choice, errors: list[RowError]
    ) -> Choice:
        cell = self._cells[name].casefold()
        if not cell:
            return default
        if cell not in choices:
            known = ", ".join(word for word in choices if len(word) > 1)
            errors.append(self.error(name, "invalid_choice", f"{_shown(cell)} is none of {known}"))
            return default
        return choices[cell]

    def address(self, name: str, errors: list[RowError]) -> str:
        """Return the cell as an http(s) address; "" if blank or after noting an error."""
        noted = len(errors)
        cell = self.text(name, _LONGEST_URL, errors)
        if not cell or len(errors) > noted:
            return ""
        if not is_web_address(cell):
            errors.append(
                self.error(name, "invalid_url", f"{_shown(cell)} is not an http(s) address")
            )
            return ""
        return cell


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


def _own_columns(row: _Row, errors: list[RowError]) -> _OwnColumns:
    product_type = row.text("type", _LONGEST_TYPE, errors)
    return _OwnColumns(
        title=row.text("title", _LONGEST_TITLE, errors),
        description_html=row.text("body", _LONGEST_BODY, errors, lines=True),
        vendor=row.text("vendor", _LONGEST_VENDOR, errors),
        product_type=product_type,
        category_path=_category_path(row, product_type, errors),
        tags=_tags(row, errors),
        status=row.choice("status", _STATUSES, "ACTIVE", errors),
        is_published=row.choice("published", _BOOLEANS, True, errors),
        is_gift_card=row.choice("gift_card", _BOOLEANS, False, errors),
        seo_title=row.text("seo_title", _LONGEST_SEO_TITLE, errors),
        seo_description=row.text("seo_description", _LONGEST_SEO_DESCRIPTION, errors),
    )


def _category_path(row: _Row, product_type: str, errors: list[RowError]) -> tuple[str, ...]:
    """Return the shelf: the taxonomy's path, or else the merchant's own type of product."""
    text = row.text("category", _LONGEST_BODY, errors)
    if text.casefold() == "uncategorized" or _TAXONOMY_ID.fullmatch(text):
        text = ""  # a number of the taxonomy tells a shopper nothing
    steps = tuple(step.strip() for step in text.split(">") if step.strip())
    name = "category"
    if not steps and product_type:
        steps, name = (product_type,), "type"
    if len(steps) > _DEEPEST_CATEGORY or any(len(step) > _LONGEST_CATEGORY for step in steps):
        errors.append(row.error(name, "too_long", "is too long or too deep for a category"))
        return ()
    return steps


def _tags(row: _Row, errors: list[RowError]) -> tuple[str, ...]:
    tags: dict[str, str] = {}
    for part in row.text("tags", _LONGEST_BODY, errors).split(","):
        if tag := part.strip():
            tags.setdefault(tag.casefold(), tag)
    if any(len(tag) > _LONGEST_TAG for tag in tags.values()):
        errors.append(row.error("tags", "too_long", f"a tag has at most {_LONGEST_TAG} characters"))
    if len(tags) > _MOST_TAGS:
        errors.append(row.error("tags", "too_many", f"a product has at most {_MOST_TAGS} tags"))
    return tuple(tags.values())


def _options(rows: list[_Row], errors: list[RowError]) -> dict[int, str]:
    """Return the names of the options in use by their number; none for a "Default Title"."""
    names: dict[int, str] = {}
    for number in _OPTIONS:
        values = [row for row in rows if row.raw(f"option{number}_value")]
        named = next((row for row in rows if row.raw(f"option{number}_name")), None)
        if not values or named is None:
            continue
        name = named.text(f"option{number}_name", _LONGEST_OPTION, errors)
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


def _is_default(row: _Row) -> bool:
    return row.raw("option1_value").casefold() == "default title" and not (
        row.raw("option2_value") or row.raw("option3_value")
    )


def _variant(
    row: _Row, options: dict[int, str], currency: str, errors: list[RowError]
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
        values.append(row.text(f"option{number}_value", _LONGEST_VALUE, errors))
    row.choice("weight_unit", dict.fromkeys(_UNITS, True), True, errors)
    price = _amount(row, "price", currency, errors)
    if not row.raw("price"):
        errors.append(row.error("price", "required", "is blank"))
    compare_at = _amount(row, "compare_at", currency, errors)
    return ParsedVariant(
        line=row.line,
        sku=_bare(row.text("sku", _LONGEST_SKU, errors)),
        option_values=tuple(values),
        price_minor=price,
        compare_at_minor=compare_at if compare_at > price else None,
        barcode=_bare(row.text("barcode", _LONGEST_BARCODE, errors)),
        weight_grams=_grams(row, errors),
        is_taxable=row.choice("taxable", _BOOLEANS, True, errors),
        requires_shipping=row.choice("requires_shipping", _BOOLEANS, True, errors),
        opening_units=_units(row, errors),
        is_sold_beyond_stock=row.choice("policy", _POLICIES, False, errors),
        image_url=row.address("variant_image", errors),
    )


def _amount(row: _Row, name: str, currency: str, errors: list[RowError]) -> int:
    cell = row.raw(name)
    if not cell:
        return 0
    code, detail = "invalid_price", "is not a price such as 19.99"
    if _PRICE.fullmatch(cell):
        try:
            # Trailing zeros say nothing: 50.0000 is 50.00.
            plain = f"{Decimal(cell):f}"
            return Money.parse(
                plain.rstrip("0").rstrip(".") if "." in plain else plain, currency
            ).amount_minor
        except ValueError as error:
            detail = f"is not a price: {error}"
    elif cell.startswith("-"):
        code, detail = "negative_price", "is below zero"
    elif "," in cell:
        detail = "has a comma: write 1299.00, with a point and without thousands separators"
    errors.append(row.error(name, code, f"{_shown(cell)} {detail}"))
    return 0


def _grams(row: _Row, errors: list[RowError]) -> int:
    """Return the weight. The column is in grams whatever unit the shop shows."""
    cell = row.raw("grams")
    if not cell:
        return 0
    if _GRAMS.fullmatch(cell):
        grams = int(Decimal(cell).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        if grams <= _MOST_UNITS:
            return grams
    errors.append(row.error("grams", "invalid_weight", f"{_shown(cell)} is no weight in grams"))
    return 0


def _units(row: _Row, errors: list[RowError]) -> int:
    """Return the units to open with: none for an empty cell, and none for an oversold one."""
    cell = row.raw("quantity")
    if not cell:
        return 0
    if _WHOLE.fullmatch(cell) and abs(units := int(cell.split(".")[0])) <= _MOST_UNITS:
        return max(0, units)
    errors.append(row.error("quantity", "invalid_quantity", f"{_shown(cell)} is no whole number"))
    return 0


def _images(rows: list[_Row], errors: list[RowError]) -> tuple[ParsedImage, ...]:
    """Return the pictures in their order, each address once; those of variants last."""
    placed: list[tuple[int, int, str, str]] = []
    for row in rows:
        wrong: list[RowError] = []
        position = row.raw("image_position")
        url = row.address("image", wrong)
        alt = row.text("image_alt", _LONGEST_ALT, wrong)
        if position and not re.fullmatch(r"\d{1,6}(\.0+)?", position, re.ASCII):
            wrong.append(
                row.error("image_position", "invalid_position", f"{_shown(position)} is no place")
            )
        if wrong:
            errors.extend(wrong)
        elif url:
            placed.append((int(float(position)) if position else _MOST_UNITS, row.line, url, alt))
    alt_of: dict[str, str] = {}
    for _, _, url, alt in sorted(placed):
        alt_of[url] = alt_of.get(url) or alt
    return tuple(ParsedImage(url, alt) for url, alt in alt_of.items())


def _refused(slug: str, rows: list[_Row], errors: list[RowError]) -> ParsedProduct:
    """Return the product refused as a whole, with a reason on each row that says something."""
    wrong = {error.line for error in errors}
    first = min(wrong)
    dependent = [
        row.error("handle", "product_refused", f"its product is refused because of line {first}")
        for row in rows
        if row.line not in wrong
    ]
    return ParsedProduct(
        slug=slug,
        lines=tuple((row.line, row.sku) for row in rows),
        skipped=frozenset(),
        errors=tuple(sorted([*errors, *dependent], key=attrgetter("line"))),
        is_refused=True,
        first_line=rows[0].line,
    )


def _bare(cell: str) -> str:
    """Drop the apostrophe by which spreadsheets keep digits as text."""
    return " ".join(cell.removeprefix("'").split())


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}…")
