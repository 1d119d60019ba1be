"""What a product should be: the shapes that callers fill in and `upsert_products` makes true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from catalog.models import Product


@dataclass(frozen=True, slots=True)
class ImageDraft:
    """A picture: by `url` (kept, never fetched), by the bytes of a `file`, or by the name of a
    `kept_file` that the product has already. One of them.
    """

    url: str | None = None
    file: bytes | None = None
    kept_file: str | None = None
    alt: str = ""
    position: int = 0
    focal_x: int = 50  # percent from the left: what stays in sight when it is cropped
    focal_y: int = 50  # percent from the top


@dataclass(frozen=True, slots=True)
class VariantDraft:
    """One SKU with a value for each option of its product, and what it costs.

    `prices` are base prices in minor units by currency: (amount, compared with or None).
    Currencies that it does not name keep their price. The picture is named by its address or by
    its position among the product's; neither: as it was, or the product's first.
    """

    sku: str
    option_values: Sequence[str] = ()
    prices: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    barcode: str = ""
    weight_grams: int = 0
    tax_class: str = "STANDARD"
    requires_shipping: bool = True
    image_url: str | None = None
    image_file: str | None = None  # the name of one that we keep
    image_position: int | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """A whole product, known by its slug.

    Variants that it does not name stay as they are. `published_at` sets the moment; without it a
    published product keeps its own, or is published now. `images` None leaves the pictures alone.
    """

    slug: str
    title: str
    description_html: str = ""
    vendor: str = ""
    product_type: str = ""
    tags: Sequence[str] = ()
    category_slug: str | None = None
    status: str = Product.Status.ACTIVE
    is_published: bool = True
    published_at: datetime | None = None
    options: Sequence[str] = ()
    variants: Sequence[VariantDraft] = ()
    images: Sequence[ImageDraft] | None = None
    seo_title: str = ""
    seo_description: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """What became of a draft. `variant_ids` holds each SKU that the draft names."""

    product: Product
    outcome: Literal["created", "updated", "unchanged"]
    variant_ids: dict[str, int]
    created_skus: frozenset[str]
