"""What staff changed in the catalogue: written by triggers, read in the admin."""

from catalog.models.categories import Category
from catalog.models.collections import Collection
from catalog.models.listing import SearchSynonym
from catalog.models.prices import Price
from catalog.models.products import Product, Variant
from catalog.models.reviews import Review
from catalog.models.types import AttributeDefinition, ProductType
from shop.audit import track

CategoryChange = track(Category, "parent", "name", "slug", "position", "description")
CollectionChange = track(
    Collection,
    "slug",
    "title",
    "description_html",
    "kind",
    "position",
    "is_published",
    "rule_category",
    "rule_tags",
    "rule_vendors",
    "rule_on_sale",
    "rule_newer_than_days",
)
ProductChange = track(
    Product,
    "slug",
    "title",
    "description_html",
    "vendor",
    "product_type",
    "category",
    "tags",
    "attributes",
    "status",
    "published_at",
    "seo_title",
    "seo_description",
)
VariantChange = track(
    Variant,
    "product",
    "sku",
    "title",
    "option_values",
    "position",
    "barcode",
    "weight_grams",
    "tax_class",
    "requires_shipping",
    "is_active",
)
PriceChange = track(
    Price, "variant", "currency", "amount_minor", "compare_at_minor", "starts_at", "ends_at"
)
# What the reviewer wrote is theirs, and not kept here.
ReviewChange = track(Review, "product", "status")
ProductTypeChange = track(ProductType, "name", everybody=True)
AttributeDefinitionChange = track(
    AttributeDefinition,
    "product_type",
    "name",
    "kind",
    "choices",
    "is_filterable",
    "position",
    everybody=True,
)
SearchSynonymChange = track(SearchSynonym, "words", "means", "is_one_way", everybody=True)
