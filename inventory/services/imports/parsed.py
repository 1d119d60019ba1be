"""What a file says, read and checked, before the shop is asked about it.

Every format reads its rows into these, so that the use case knows no format.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from inventory.services.imports.report import RowError


@dataclass(frozen=True, slots=True)
class ParsedVariant:
    """A sound variant row. An empty `sku` is for the importer to make."""

    line: int
    sku: str
    option_values: tuple[str, ...]
    price_minor: int
    compare_at_minor: int | None
    barcode: str
    weight_grams: int
    is_taxable: bool | None  # None leaves the tax class as it is
    requires_shipping: bool
    opening_units: int
    is_sold_beyond_stock: bool | None  # None leaves the limit as it is
    image_url: str
    # What Shopify's columns cannot say.
    prices: Mapping[str, tuple[int, int | None]] | None = None  # in place of the one above
    tax_class: str | None = None
    backorder_limit: int | None = None  # units
    is_active: bool = True
    image_file: str = ""


@dataclass(frozen=True, slots=True)
class ParsedImage:
    """A picture by its address, or a file that the product has already by its name."""

    url: str
    alt: str
    file: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class ParsedProduct:
    """All rows of one product.

    `lines` names each row with the SKU it carries ("" if none); `skipped` those that say
    nothing, `errors` why others are refused. A product that is refused as a whole has
    `is_refused`, and then an error on each of its rows.
    """

    slug: str
    lines: tuple[tuple[int, str], ...]
    skipped: frozenset[int]
    errors: tuple[RowError, ...]
    is_refused: bool
    first_line: int
    title: str = ""
    description_html: str = ""
    vendor: str = ""
    product_type: str = ""
    category_path: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: str = "ACTIVE"
    is_published: bool = True
    is_gift_card: bool = False
    seo_title: str = ""
    seo_description: str = ""
    option_names: tuple[str, ...] = ()
    variants: tuple[ParsedVariant, ...] = ()
    images: tuple[ParsedImage, ...] = ()
    category_slug: str = ""
    published_at: datetime | None = None
    attributes: Mapping[str, object] | None = None
    may_have_no_variants: bool = False


class ParsedFile(Protocol):
    """A whole file, indexed: its products come one by one, whatever its size."""

    row_count: int

    def products(self) -> Iterator[ParsedProduct]:
        """Yield each product once, in the order of its first row."""

    def gives_sku(self, sku: str) -> bool:
        """Tell whether some row of the file carries this SKU itself."""

    def foresee(self, skus: Collection[str]) -> None:
        """Hear which SKUs `gives_sku` will be asked for."""

    def column(self, name: str) -> str:
        """Return how the file spells the column that the importer calls `name`."""
