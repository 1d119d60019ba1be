"""Questions to the catalogue."""

from catalog.selectors.cards import VariantCard, variant_cards, variants_for_sale
from catalog.selectors.categories import category_document, category_tree, category_tree_rendered
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

__all__ = [
    "SORTS",
    "VariantCard",
    "Wanted",
    "category_document",
    "category_tags",
    "category_tree",
    "category_tree_rendered",
    "edited_category",
    "edited_category_document",
    "edited_product",
    "edited_product_document",
    "edited_products",
    "edited_variant",
    "edited_variant_document",
    "facet_counts",
    "listed_products",
    "lowest_prices",
    "option_names",
    "price_steps",
    "product_by_ref",
    "product_document",
    "product_rendered",
    "product_tags",
    "related_products",
    "row_document",
    "variant_cards",
    "variant_ids_of",
    "variants_for_sale",
]
