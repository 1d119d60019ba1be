"""Tables of the catalogue: what is offered, described how, and at which price."""

from catalog.models.categories import Category, CategoryManager, FormerCategorySlug
from catalog.models.collections import Collection, CollectionEntry
from catalog.models.listing import (
    SLICES,
    ProductListing,
    SearchSynonym,
    SearchWord,
    in_first_slices,
)
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
from catalog.models.relations import BoughtTogether, FormerSlug, RelatedProduct
from catalog.models.reviews import Review
from catalog.models.types import AttributeDefinition, ProductType

__all__ = [
    "SLICES",
    "AttributeDefinition",
    "AvailabilityState",
    "BoughtTogether",
    "Category",
    "CategoryManager",
    "Collection",
    "CollectionEntry",
    "FormerCategorySlug",
    "FormerSlug",
    "Price",
    "PriceHistory",
    "Product",
    "ProductImage",
    "ProductListing",
    "ProductManager",
    "ProductOption",
    "ProductQuerySet",
    "ProductType",
    "RelatedProduct",
    "Review",
    "SearchSynonym",
    "SearchWord",
    "TaxClass",
    "TimeRange",
    "Variant",
    "image_address",
    "in_first_slices",
]
