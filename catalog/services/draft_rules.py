"""What a draft must be, whatever the database holds."""

from collections import Counter
from collections.abc import Iterable

from django.db import models

from catalog.models import Product, ProductImage, TaxClass, Variant
from catalog.services.drafts import ProductDraft, VariantDraft
from catalog.services.images import is_web_address
from catalog.services.slugs import RESERVED, SLUG
from shop.money import LARGEST_MINOR, is_currency

_LARGEST_GRAMS = 2**31 - 1


def draft_problems(draft: ProductDraft) -> Iterable[str]:
    """Yield a sentence for each rule that the draft breaks, whatever the database holds."""
    name = draft.slug[:80] or "a product without a slug"
    if not SLUG.fullmatch(draft.slug):
        yield f"{name}: a slug has 1 to 255 letters, digits, hyphens and underscores"
    if draft.slug in RESERVED:
        yield f"{name}: this word has another meaning in addresses"
    if not draft.title.strip():
        yield f"{name}: it has no title"
    if draft.status not in Product.Status.values:
        yield f"{name}: {draft.status!r} is no status"
    for column in ("title", "vendor", "product_type", "seo_title", "seo_description"):
        yield from _text_problems(name, column, getattr(draft, column), _longest(Product, column))
    yield from _text_problems(name, "description", draft.description_html, 1_000_000)
    for tag in draft.tags:
        yield from _text_problems(name, "tag", tag, 255)
    if "\\u0000" in repr(draft.attributes) or "\\x00" in repr(draft.attributes):
        yield f"{name}: its attributes hold a NUL character"
    yield from _option_problems(name, draft)
    for variant in draft.variants:
        yield from variant_problems(name, variant, len(draft.options))
    yield from _image_problems(name, draft)


def _option_problems(name: str, draft: ProductDraft) -> Iterable[str]:
    for option in draft.options:
        yield from _text_problems(name, "option name", option, 255)
        if not option.strip() or "=" in option:
            yield f"{name}: an option needs a name, without an equals sign"
    if len({option.lower() for option in draft.options}) < len(draft.options):
        yield f"{name}: two of its options have the same name"
    skus = [variant.sku for variant in draft.variants]
    for sku, times in Counter(skus).items():
        if times > 1:
            yield f"{name}: the SKU {sku} is there {times} times"
    answers = Counter(
        tuple(variant.option_values) for variant in draft.variants if variant.is_active
    )
    for values, times in answers.items():
        if times > 1:
            shown = " / ".join(values) or "no option"
            yield f"{name}: {times} variants are {shown}"


def variant_problems(name: str, variant: VariantDraft, options: int) -> Iterable[str]:
    """Yield a sentence for each rule that a variant breaks of a product with so many options."""
    if not variant.sku.strip():
        yield f"{name}: a variant has no SKU"
    yield from _text_problems(name, "SKU", variant.sku, _longest(Variant, "sku"))
    yield from _text_problems(name, "barcode", variant.barcode, _longest(Variant, "barcode"))
    if len(variant.option_values) != options:
        yield f"{name}: {variant.sku} has {len(variant.option_values)} values for {options} options"
    for value in variant.option_values:
        yield from _text_problems(name, "option value", value, 255)
        if not value.strip():
            yield f"{name}: an option value of {variant.sku} is empty"
    if variant.tax_class not in TaxClass.values:
        yield f"{name}: {variant.tax_class!r} is no tax class"
    if not 0 <= variant.weight_grams <= _LARGEST_GRAMS:
        yield f"{name}: the weight of {variant.sku} is not possible"
    for currency, (amount, compare_at) in variant.prices.items():
        if not is_currency(currency):
            yield f"{name}: {currency!r} is no currency"
        if not 0 <= amount <= LARGEST_MINOR:
            yield f"{name}: the price of {variant.sku} is not possible"
        if compare_at is not None and not amount < compare_at <= LARGEST_MINOR:
            yield f"{name}: the compared price of {variant.sku} is not above its price"


def _image_problems(name: str, draft: ProductDraft) -> Iterable[str]:
    for image in draft.images or ():
        if [image.url, image.file, image.kept_file].count(None) != 2:
            yield f"{name}: a picture is a file or an address"
        elif image.url is not None and not is_web_address(image.url):
            yield f"{name}: {image.url[:80]!r} is no http or https address"
        if not 0 <= image.position < 32_768:
            yield f"{name}: the position of a picture is not possible"
        yield from _text_problems(name, "picture's text", image.alt, _longest(ProductImage, "alt"))


def _text_problems(name: str, what: str, text: str, longest: int) -> Iterable[str]:
    if len(text) > longest:
        yield f"{name}: the {what} is longer than {longest} characters"
    if "\x00" in text:
        yield f"{name}: the {what} holds a NUL character"


def _longest(model: type[models.Model], column: str) -> int:
    return int(model._meta.get_field(column).max_length or 0)  # type: ignore[union-attr]
