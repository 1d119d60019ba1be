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
    path("products", views.ProductListView.as_view()),
    path("products/<ref:ref>", views.ProductView.as_view()),
    path("products/<ref:ref>/related", views.RelatedProductsView.as_view()),
]
