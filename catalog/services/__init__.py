"""Every way in which the catalogue changes."""

from catalog.services.availability import Availability, record_availability
from catalog.services.categories import ensure_category
from catalog.services.drafts import ImageDraft, ProductDraft, UpsertResult, VariantDraft
from catalog.services.products import upsert_product, upsert_products

__all__ = [
    "Availability",
    "ImageDraft",
    "ProductDraft",
    "UpsertResult",
    "VariantDraft",
    "ensure_category",
    "record_availability",
    "upsert_product",
    "upsert_products",
]
