"""Questions to the catalogue."""

from catalog.selectors.cards import VariantCard, variant_cards, variants_for_sale
from catalog.selectors.categories import (
    category_document,
    category_tree,
    category_tree_rendered,
    slug_of_moved_category,
)
from catalog.selectors.collections import (
    collection_by_slug,
    collection_rendered,
    collections_rendered,
    edited_collection_document,
    shown_collections,
)
from catalog.selectors.copies import StaleCopy, stale_products
from catalog.selectors.editing import (
    category_tags,
    edited_category,
    edited_category_document,
    edited_product,
    edited_product_document,
    edited_products,
    edited_variant,
    edited_variant_document,
    option_names,
    price_steps,
    product_tags,
    variant_ids_of,
)
from catalog.selectors.facets import facet_counts
from catalog.selectors.listing import (
    SORTS,
    Wanted,
    listed_products,
    related_products,
    row_document,
)
from catalog.selectors.listing_sources import FRESH_LISTING, DriftedListing, drifted_listings
from catalog.selectors.prices import lowest_prices
from catalog.selectors.products import (
    product_by_ref,
    product_document,
    product_rendered,
    slug_of_moved,
)
from catalog.selectors.ratings import rating_document
from catalog.selectors.reviews import moderated_reviews, reviews_rendered, shown_reviews
from catalog.selectors.suggestions import suggestions_rendered
from catalog.store import forget_pages, product_at_hand

__all__ = [
    "FRESH_LISTING",
    "SORTS",
    "DriftedListing",
    "StaleCopy",
    "VariantCard",
    "Wanted",
    "category_document",
    "category_tags",
    "category_tree",
    "category_tree_rendered",
    "collection_by_slug",
    "collection_rendered",
    "collections_rendered",
    "drifted_listings",
    "edited_category",
    "edited_category_document",
    "edited_collection_document",
    "edited_product",
    "edited_product_document",
    "edited_products",
    "edited_variant",
    "edited_variant_document",
    "facet_counts",
    "forget_pages",
    "listed_products",
    "lowest_prices",
    "moderated_reviews",
    "option_names",
    "price_steps",
    "product_at_hand",
    "product_by_ref",
    "product_document",
    "product_rendered",
    "product_tags",
    "rating_document",
    "related_products",
    "reviews_rendered",
    "row_document",
    "shown_collections",
    "shown_reviews",
    "slug_of_moved",
    "slug_of_moved_category",
    "stale_products",
    "suggestions_rendered",
    "variant_cards",
    "variant_ids_of",
    "variants_for_sale",
]
