"""What a file says, read and checked, before the shop is asked about it.

Every format reads its rows into these, so that the use case knows no format.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

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
    is_taxable: bool
    requires_shipping: bool
    opening_units: int
    is_sold_beyond_stock: bool
    image_url: str


@dataclass(frozen=True, slots=True)
class ParsedImage:
    """A picture by its address."""

    url: str
    alt: str


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


class ParsedFile(Protocol):
    """A whole file, indexed: its products come one by one, whatever its size."""

    row_count: int

    def products(self) -> Iterator[ParsedProduct]:
        """Yield each product once, in the order of its first row."""

    def gives_sku(self, sku: str) -> bool:
        """Tell whether some row of the file carries this SKU itself."""

    def column(self, name: str) -> str:
        """Return how the file spells the column that the importer calls `name`."""


class ProductFormat(Protocol):
    """How files of one format are opened.

    Raises UnreadableFile for a file that is not of the format at all. Columns: at least "sku",
    "handle" and "price" can be asked for by `ParsedFile.column`.
    """

    def __call__(
        self, source: BinaryIO, *, currency: str
    ) -> AbstractContextManager[ParsedFile]: ...
