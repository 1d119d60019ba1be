"""Tables of the catalogue: what is offered, described how, and at which price."""

from catalog.models.categories import Category, CategoryManager
from catalog.models.listing import ProductListing, SearchWord
from catalog.models.pictures import ProductImage, image_address
from catalog.models.prices import Price, PriceHistory, TimeRange
from catalog.models.products import (
    AvailabilityState,
    Product,
    ProductManager,
    ProductOption,
    ProductQuerySet,
    TaxClass,
    Variant,
)

__all__ = [
    "AvailabilityState",
    "Category",
    "CategoryManager",
    "Price",
    "PriceHistory",
    "Product",
    "ProductImage",
    "ProductListing",
    "ProductManager",
    "ProductOption",
    "ProductQuerySet",
    "SearchWord",
    "TaxClass",
    "TimeRange",
    "Variant",
    "image_address",
]
