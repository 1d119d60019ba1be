"""What the tables of the catalogue hold of people: what buyers say of products."""

from shop.privacy.registry import DataClass, Erasure, Personal, Table, table_of_changes

_SHOWN = "as long as the product; then, or when its author is erased, without them"

TABLES = (
    Table("catalog.Category", plain="name slug description"),
    Table(
        "catalog.Product",
        plain="slug title description_html vendor product_type tags attributes"
        " seo_title seo_description",
    ),
    Table("catalog.ProductOption", plain="name values"),
    Table("catalog.Variant", plain="sku title option_values barcode"),
    Table("catalog.Price", plain="currency"),
    Table("catalog.PriceHistory", plain="currency"),
    Table("catalog.ProductImage", plain="alt url file renditions"),
    Table(
        "catalog.ProductListing",
        plain="currency slug title title_key vendor category_slug category_name category_path tags"
        " options option_keys attributes attribute_keys image_url image_file search",
    ),
    Table("catalog.SearchSynonym", plain="words means"),
    Table("catalog.SearchWord", plain="word"),
    Table("catalog.ProductType", plain="name"),
    Table("catalog.AttributeDefinition", plain="name choices"),
    Table("catalog.Collection", plain="slug title description_html rule_tags rule_vendors"),
    Table("catalog.FormerSlug", plain="slug"),
    Table("catalog.FormerCategorySlug", plain="slug"),
    Table(
        "catalog.Review",
        personal={
            "author": Personal(DataClass.IDENTIFIER, Erasure.REPLACE, _SHOWN),
            "author_name": Personal(DataClass.NAME, Erasure.REPLACE, _SHOWN),
            "title": Personal(DataClass.FREE_TEXT, Erasure.BLANK, _SHOWN),
            "body": Personal(DataClass.FREE_TEXT, Erasure.BLANK, _SHOWN),
        },
        subject="author",
        subject_form="customer:{id}",
        section="reviews",
    ),
    table_of_changes("catalog.CategoryChange", "name slug description"),
    table_of_changes(
        "catalog.CollectionChange", "slug title description_html rule_tags rule_vendors"
    ),
    table_of_changes(
        "catalog.ProductChange",
        "slug title description_html vendor product_type tags attributes seo_title seo_description",
    ),
    table_of_changes("catalog.VariantChange", "sku title option_values barcode"),
    table_of_changes("catalog.PriceChange", "currency"),
    table_of_changes("catalog.ReviewChange"),
    table_of_changes("catalog.ProductTypeChange", "name"),
    table_of_changes("catalog.AttributeDefinitionChange", "name choices"),
    table_of_changes("catalog.SearchSynonymChange", "words means"),
)
