"""Every way in which the catalogue changes."""

from catalog.services.availability import Availability, record_availability
from catalog.services.bulk import DraftOutcome, upsert_each
from catalog.services.categories import (
    CategoryChanges,
    category_was_edited,
    change_category,
    create_category,
    ensure_category,
    move_category,
    remove_category,
)
from catalog.services.drafts import ImageDraft, ProductDraft, UpsertResult, VariantDraft
from catalog.services.editing import (
    ProductChanges,
    change_product,
    create_product,
    remove_product,
)
from catalog.services.images import (
    LARGEST_BYTES,
    ImageChanges,
    attach_image,
    change_image,
    checked_picture,
    is_web_address,
    order_images,
    remove_image,
)
from catalog.services.listing import (
    forget_now,
    rebuild_listing,
    refresh_due,
    refresh_listing,
)
from catalog.services.prices import (
    PriceDraft,
    PriceOutcome,
    in_each_others_way,
    set_prices,
    set_prices_each,
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
from catalog.services.variants import VariantChanges, add_variant, change_variant, remove_variant

__all__ = [
    "LARGEST_BYTES",
    "Availability",
    "CategoryChanges",
    "DraftOutcome",
    "ImageChanges",
    "ImageDraft",
    "PriceDraft",
    "PriceOutcome",
    "ProductChanges",
    "ProductDraft",
    "UpsertResult",
    "VariantChanges",
    "VariantDraft",
    "add_variant",
    "archive_products",
    "attach_image",
    "category_was_edited",
    "change_category",
    "change_image",
    "change_product",
    "change_variant",
    "checked_picture",
    "create_category",
    "create_product",
    "ensure_category",
    "forget_now",
    "in_each_others_way",
    "is_web_address",
    "move_category",
    "order_images",
    "product_was_edited",
    "publish_products",
    "rebuild_listing",
    "record_availability",
    "refresh_due",
    "refresh_listing",
    "remove_category",
    "remove_image",
    "remove_product",
    "remove_variant",
    "sanitised",
    "set_popularity",
    "set_prices",
    "set_prices_each",
    "upsert_each",
    "upsert_product",
    "upsert_products",
    "withdraw_prices",
]
