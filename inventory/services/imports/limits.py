"""How long and how many the cells of a file may be: what the tables hold, and some sense."""

from django.db.models import Model

from catalog.models import Category, Product, ProductImage, ProductOption, Variant

LONGEST_CELL = 2_000_000  # characters; beyond it a quote was surely left open
LONGEST_BODY = 600_000  # Shopify itself stops at 512 KB
MOST_UNITS = 1_000_000_000
MOST_TAGS = 250
DEEPEST_CATEGORY = 10


def _longest(model: type[Model], name: str) -> int:
    field = model._meta.get_field(name)
    longest = getattr(getattr(field, "base_field", field), "max_length", None)
    if not isinstance(longest, int):
        raise TypeError(f"{model.__name__}.{name} has no longest length")
    return longest


LONGEST_SLUG = _longest(Product, "slug")
LONGEST_TITLE = _longest(Product, "title")
LONGEST_VENDOR = _longest(Product, "vendor")
LONGEST_TYPE = _longest(Product, "product_type")
LONGEST_TAG = _longest(Product, "tags")
LONGEST_SEO_TITLE = _longest(Product, "seo_title")
LONGEST_SEO_DESCRIPTION = _longest(Product, "seo_description")
LONGEST_CATEGORY = _longest(Category, "name")
LONGEST_OPTION = _longest(ProductOption, "name")
LONGEST_VALUE = _longest(Variant, "option_values")
LONGEST_SKU = _longest(Variant, "sku")
LONGEST_BARCODE = _longest(Variant, "barcode")
LONGEST_ALT = _longest(ProductImage, "alt")
LONGEST_URL = _longest(ProductImage, "url")
