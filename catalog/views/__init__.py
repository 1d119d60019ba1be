"""The catalogue over HTTP."""

from catalog.views.categories import CategoryListView, CategoryView
from catalog.views.collections import (
    CollectionListView,
    CollectionView,
    EditedCollectionView,
    RelatedProductsView,
)
from catalog.views.images import ProductImagesView, ProductImageView
from catalog.views.prices import PriceBulkView, PriceView
from catalog.views.products import (
    EditedProductListView,
    EditedProductView,
    ProductBulkView,
    ProductListView,
    ProductView,
)
from catalog.views.reviews import ReviewListView, ReviewView
from catalog.views.suggestions import SuggestionsView
from catalog.views.variants import PriceHistoryView, ProductVariantsView, VariantView

__all__ = [
    "CategoryListView",
    "CategoryView",
    "CollectionListView",
    "CollectionView",
    "EditedCollectionView",
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
    "ReviewListView",
    "ReviewView",
    "SuggestionsView",
    "VariantView",
]
