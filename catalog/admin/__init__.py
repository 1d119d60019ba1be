"""The catalogue as staff see it. Forms save their rows; services bring the copies up to date."""

from catalog.admin.categories import CategoryAdmin
from catalog.admin.copies import (
    BoughtTogetherAdmin,
    FormerCategorySlugAdmin,
    FormerSlugAdmin,
    PriceHistoryAdmin,
    ProductListingAdmin,
    SearchWordAdmin,
)
from catalog.admin.groups import CollectionAdmin, ProductTypeAdmin
from catalog.admin.products import ProductAdmin
from catalog.admin.reviews import ReviewAdmin
from catalog.admin.synonyms import SearchSynonymAdmin
from catalog.admin.variants import VariantAdmin

__all__ = [
    "BoughtTogetherAdmin",
    "CategoryAdmin",
    "CollectionAdmin",
    "FormerCategorySlugAdmin",
    "FormerSlugAdmin",
    "PriceHistoryAdmin",
    "ProductAdmin",
    "ProductListingAdmin",
    "ProductTypeAdmin",
    "ReviewAdmin",
    "SearchSynonymAdmin",
    "SearchWordAdmin",
    "VariantAdmin",
]
