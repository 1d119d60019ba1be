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
from catalog.services.collections import (
    CollectionChanges,
    change_collection,
    create_collection,
    forget_collections_on_commit,
    remove_collection,
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
    render_later,
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
from catalog.services.relations import record_bought_together, relate_products
from catalog.services.renditions import render_product, render_waiting
from catalog.services.reviews import (
    ReviewDraft,
    add_review,
    forget_author,
    moderate_reviews,
    remove_review,
)
from catalog.services.types import (
    attribute_problems,
    definitions_of,
    relist_type,
    type_was_edited,
)
from catalog.services.variants import VariantChanges, add_variant, change_variant, remove_variant

__all__ = [
    "LARGEST_BYTES",
    "Availability",
    "CategoryChanges",
    "CollectionChanges",
    "DraftOutcome",
    "ImageChanges",
    "ImageDraft",
    "PriceDraft",
    "PriceOutcome",
    "ProductChanges",
    "ProductDraft",
    "ReviewDraft",
    "UpsertResult",
    "VariantChanges",
    "VariantDraft",
    "add_review",
    "add_variant",
    "archive_products",
    "attach_image",
    "attribute_problems",
    "category_was_edited",
    "change_category",
    "change_collection",
    "change_image",
    "change_product",
    "change_variant",
    "checked_picture",
    "create_category",
    "create_collection",
    "create_product",
    "definitions_of",
    "ensure_category",
    "forget_author",
    "forget_collections_on_commit",
    "forget_now",
    "in_each_others_way",
    "is_web_address",
    "moderate_reviews",
    "move_category",
    "order_images",
    "product_was_edited",
    "publish_products",
    "rebuild_listing",
    "record_availability",
    "record_bought_together",
    "refresh_due",
    "refresh_listing",
    "relate_products",
    "relist_type",
    "remove_category",
    "remove_collection",
    "remove_image",
    "remove_product",
    "remove_review",
    "remove_variant",
    "render_later",
    "render_product",
    "render_waiting",
    "sanitised",
    "set_popularity",
    "set_prices",
    "set_prices_each",
    "type_was_edited",
    "upsert_each",
    "upsert_product",
    "upsert_products",
    "withdraw_prices",
]
