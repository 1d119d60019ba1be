"""The addresses of the catalogue, below /api/v1/."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from catalog import views


class RefConverter(StringConverter):
    """An id or a slug, which may have letters of any script."""

    regex = r"[-\w]{1,255}"


register_converter(RefConverter, "ref")

urlpatterns = [
    path("categories", views.CategoryListView.as_view()),
    path("categories/<ref:slug>", views.CategoryView.as_view()),
    path("collections", views.CollectionListView.as_view()),
    path("collections/<ref:slug>", views.CollectionView.as_view()),
    path("staff/collections/<ref:slug>", views.EditedCollectionView.as_view()),
    path("products", views.ProductListView.as_view()),
    path("products/bulk", views.ProductBulkView.as_view()),
    path("products/suggest", views.SuggestionsView.as_view()),
    path("products/<ref:ref>", views.ProductView.as_view()),
    path("products/<ref:ref>/related", views.RelatedProductsView.as_view()),
    path("products/<ref:ref>/variants", views.ProductVariantsView.as_view()),
    path("products/<ref:ref>/images", views.ProductImagesView.as_view()),
    path("products/<ref:ref>/images/<int:image_id>", views.ProductImageView.as_view()),
    path("variants/<int:variant_id>", views.VariantView.as_view()),
    path("variants/<int:variant_id>/price-history", views.PriceHistoryView.as_view()),
    path("prices", views.PriceBulkView.as_view()),
    path("prices/<int:price_id>", views.PriceView.as_view()),
    path("reviews", views.ReviewListView.as_view()),
    path("reviews/<int:review_id>", views.ReviewView.as_view()),
    path("staff/products", views.EditedProductListView.as_view()),
    path("staff/products/<ref:ref>", views.EditedProductView.as_view()),
]
