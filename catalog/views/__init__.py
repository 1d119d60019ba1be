"""The catalogue over HTTP."""

from catalog.views.categories import CategoryListView, CategoryView
from catalog.views.images import ProductImagesView, ProductImageView
from catalog.views.prices import PriceBulkView, PriceView
from catalog.views.products import (
    EditedProductListView,
    EditedProductView,
    ProductBulkView,
    ProductListView,
    ProductView,
)
from catalog.views.public import RelatedProductsView
from catalog.views.variants import PriceHistoryView, ProductVariantsView, VariantView

__all__ = [
    "CategoryListView",
    "CategoryView",
    "EditedProductListView",
    "EditedProductView",
    "PriceBulkView",
    "PriceHistoryView",
    "PriceView",
    "ProductBulkView",
    "ProductImageView",
    "ProductImagesView",
    "ProductListView",
    "ProductVariantsView",
    "ProductView",
    "RelatedProductsView",
    "VariantView",
]
