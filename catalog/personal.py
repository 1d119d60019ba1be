"""What the tables of the catalogue hold of people: nothing, but for whatever staff type."""

from shop.privacy.registry import Table

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
    Table("catalog.ProductImage", plain="alt url file"),
    Table(
        "catalog.ProductListing",
        plain="currency slug title title_key vendor category_slug category_name category_path tags"
        " options option_keys image_url image_file search",
    ),
    Table("catalog.SearchWord", plain="word"),
)
