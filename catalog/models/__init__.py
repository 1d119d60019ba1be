"""Tables of the catalogue: what is offered, described how, and at which price."""

from catalog.models.categories import Category, CategoryManager, FormerCategorySlug
from catalog.models.changes import (
    AttributeDefinitionChange,
    CategoryChange,
    CollectionChange,
    PriceChange,
    ProductChange,
    ProductTypeChange,
    ReviewChange,
    SearchSynonymChange,
    VariantChange,
)
from catalog.models.collections import Collection, CollectionEntry
from catalog.models.listing import (
    LOOKED_AT_SLICES,
    SLICES,
    InFirstSlices,
    ProductListing,
    SearchSynonym,
    SearchWord,
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
    "LOOKED_AT_SLICES",
    "SLICES",
    "AttributeDefinition",
    "AttributeDefinitionChange",
    "AvailabilityState",
    "BoughtTogether",
    "Category",
    "CategoryChange",
    "CategoryManager",
    "Collection",
    "CollectionChange",
    "CollectionEntry",
    "FormerCategorySlug",
    "FormerSlug",
    "InFirstSlices",
    "Price",
    "PriceChange",
    "PriceHistory",
    "Product",
    "ProductChange",
    "ProductImage",
    "ProductListing",
    "ProductManager",
    "ProductOption",
    "ProductQuerySet",
    "ProductType",
    "ProductTypeChange",
    "RelatedProduct",
    "Review",
    "ReviewChange",
    "SearchSynonym",
    "SearchSynonymChange",
    "SearchWord",
    "TaxClass",
    "TimeRange",
    "Variant",
    "VariantChange",
    "image_address",
]
