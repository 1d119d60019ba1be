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
from typing import BinaryIO
from urllib.parse import urlsplit

from django.utils.text import slugify

from catalog.models import Category, Product, ProductImage, ProductOption, Variant
from inventory.errors import UnreadableFile
from inventory.services.imports.parsed import ParsedImage, ParsedProduct, ParsedVariant
from inventory.services.imports.report import RowError
from inventory.services.imports.scratch import Scratch, ScratchRow
from shop.errors import FieldError
from shop.money import Money

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


def _longest(model: type[Category | Product | ProductImage | ProductOption | Variant],
             field: str) -> int:
    longest = getattr(model._meta.get_field(field), "max_length", None)
    if not isinstance(longest, int):
        raise TypeError(f"{model.__name__}.{field} has no longest length")
    return longest


_LONGEST_SLUG = _longest(Product, "slug")
_LONGEST_TITLE = _longest(Product, "title")
_LONGEST_VENDOR = _longest(Product, "vendor")
_LONGEST_TYPE = _longest(Product, "product_type")
_LONGEST_TAG = _longest_of_array = 80
_LONGEST_SEO_TITLE = _longest(Product, "seo_title")
_LONGEST_SEO_DESCRIPTION = _longest(Product, "seo_description")
_LONGEST_CATEGORY = _longest(Category, "name")
_LONGEST_OPTION = _longest(ProductOption, "name")
_LONGEST_VALUE = 120
_LONGEST_SKU = _longest(Variant, "sku")
_LONGEST_BARCODE = _longest(Variant, "barcode")
_LONGEST_ALT = _longest(ProductImage, "alt")
_LONGEST_URL = _longest(ProductImage, "url")
