"""Every way in which the catalogue changes."""

from catalog.services.availability import Availability, record_availability
from catalog.services.categories import (
    category_was_edited,
    ensure_category,
    move_category,
    remove_category,
)
from catalog.services.drafts import ImageDraft, ProductDraft, UpsertResult, VariantDraft
from catalog.services.images import attach_image, checked_picture, is_web_address
from catalog.services.listing import (
    forget_now,
    rebuild_listing,
    refresh_due,
    refresh_listing,
)
from catalog.services.prices import (
    PriceDraft,
    in_each_others_way,
    set_prices,
    withdraw_prices,
)
from catalog.services.products import (
    archive_products,
    product_was_edited,
    publish_products,
    sanitised,
    set_popularity,
    upsert_product,
    upsert_products,
)

__all__ = [
    "Availability",
    "ImageDraft",
    "PriceDraft",
    "ProductDraft",
    "UpsertResult",
    "VariantDraft",
    "archive_products",
    "attach_image",
    "category_was_edited",
    "checked_picture",
    "ensure_category",
    "forget_now",
    "in_each_others_way",
    "is_web_address",
    "move_category",
    "product_was_edited",
    "publish_products",
    "rebuild_listing",
    "record_availability",
    "refresh_due",
    "refresh_listing",
    "remove_category",
    "sanitised",
    "set_popularity",
    "set_prices",
    "upsert_product",
    "upsert_products",
    "withdraw_prices",
]
