"""Questions to the catalogue."""

from catalog.selectors.cards import VariantCard, variant_cards, variants_for_sale
from catalog.selectors.categories import category_document, category_tree, category_tree_rendered
from catalog.selectors.copies import StaleCopy, stale_products
from catalog.selectors.listing import (
    SORTS,
    Wanted,
    facet_counts,
    listed_products,
    related_products,
    row_document,
)
from catalog.selectors.prices import lowest_prices
from catalog.selectors.products import product_by_ref, product_document, product_rendered
from catalog.store import forget_pages, product_at_hand

__all__ = [
    "SORTS",
    "StaleCopy",
    "VariantCard",
    "Wanted",
    "category_document",
    "category_tree",
    "category_tree_rendered",
    "facet_counts",
    "forget_pages",
    "listed_products",
    "lowest_prices",
    "product_at_hand",
    "product_by_ref",
    "product_document",
    "product_rendered",
    "related_products",
    "row_document",
    "stale_products",
    "variant_cards",
    "variants_for_sale",
]
