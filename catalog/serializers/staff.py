"""What staff send, and are answered, when they edit the catalogue."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers

from catalog.models import Product, TaxClass
from catalog.serializers.public import (
    AvailabilityResponse,
    CategoryLinkResponse,
    FocalPointResponse,
    OptionResponse,
    RenditionResponse,
)
from catalog.services import (
    LARGEST_BYTES,
    CategoryChanges,
    ImageDraft,
    PriceDraft,
    PriceOutcome,
    ProductChanges,
    ProductDraft,
    VariantChanges,
    VariantDraft,
)
from shop.http.serializers import (
    CurrencyField,
    ListQuery,
    MoneyField,
    RequestSerializer,
    TextField,
    TruthField,
    WholeNumberField,
)
from shop.money import Money

MOST_PRODUCTS = 200  # of one bulk request
MOST_PRICES = 1000
MOST_VARIANTS = 2000  # of one product
_STATUSES = [status.lower() for status in Product.Status.values]
_TAX_CLASSES = [name.lower() for name in TaxClass.values]
_GRAMS = 2**31 - 1
_POSITIONS = 2**31 - 1


class ShopMoneyField(MoneyField):
    """Money in a currency that this shop has prices in."""

    def to_internal_value(self, data: Any) -> Money:
        money = super().to_internal_value(data)
        CurrencyField().run_validation(money.currency)
        return money


class BasePriceRequest(RequestSerializer):
    price = ShopMoneyField()
    compare_at_price = ShopMoneyField(
        required=False, allow_null=True, help_text="Struck through; above the price."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        compare_at = attrs.get("compare_at_price")
        if compare_at is not None and compare_at.currency != attrs["price"].currency:
            raise serializers.ValidationError(
                {
                    "compare_at_price": serializers.ErrorDetail(
                        "It is in the currency of the price.", code="currency"
                    )
                }
            )
        return attrs


class NewVariantRequest(RequestSerializer):
    """A variant of a new product: its position is its place."""

    sku = TextField(max_length=255)
    options = serializers.DictField(
        child=TextField(max_length=255),
        required=False,
        help_text="A value for each option of the product.",
    )
    prices = serializers.ListField(
        child=BasePriceRequest(), required=False, max_length=50, help_text="One a currency."
    )
    barcode = TextField(max_length=255, required=False, allow_blank=True)
    weight_grams = WholeNumberField(min_value=0, max_value=_GRAMS, required=False)
    tax_class = serializers.ChoiceField(choices=_TAX_CLASSES, required=False)
    requires_shipping = TruthField(required=False)
    is_active = TruthField(required=False, help_text="Inactive variants are not sold.")


class VariantRequest(NewVariantRequest):
    """A variant of a product that is there."""

    image_id = WholeNumberField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        allow_null=True,
        help_text="One of the product's pictures.",
    )


class VariantChangeRequest(VariantRequest):
    sku = TextField(max_length=255, required=False)
    position = WholeNumberField(min_value=0, max_value=_POSITIONS, required=False)


class SeoRequest(RequestSerializer):
    title = TextField(max_length=255, required=False, allow_blank=True)
    description = TextField(max_length=5000, required=False, allow_blank=True)


class ImageAddressRequest(RequestSerializer):
    url = TextField(max_length=2000, help_text="Kept, and never fetched by the shop.")
    alt = TextField(max_length=512, required=False, allow_blank=True)


class _ProductFields(RequestSerializer):
    title = TextField(max_length=255)
    description_html = TextField(
        required=False, allow_blank=True, max_length=1_000_000, help_text="Is sanitised."
    )
    vendor = TextField(max_length=255, required=False, allow_blank=True)
    product_type = TextField(max_length=255, required=False, allow_blank=True)
    category = TextField(
        max_length=150, required=False, allow_null=True, help_text="A category's slug."
    )
    tags = serializers.ListField(child=TextField(max_length=255), required=False, max_length=250)
    attributes = serializers.DictField(required=False)
    seo = SeoRequest(required=False)
    status = serializers.ChoiceField(choices=_STATUSES, required=False)
    published_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="From when on it is shown; null: not at all."
    )
    options = serializers.ListField(
        child=TextField(max_length=255),
        required=False,
        max_length=20,
        help_text="Names of the options.",
    )


class ProductRequest(_ProductFields):
    slug = TextField(
        max_length=255, required=False, help_text="Of letters, digits and hyphens; by the title."
    )
    variants = serializers.ListField(
        child=NewVariantRequest(), required=False, max_length=MOST_VARIANTS
    )
    images = serializers.ListField(child=ImageAddressRequest(), required=False, max_length=250)


class ProductChangeRequest(_ProductFields):
    title = TextField(max_length=255, required=False)
    slug = TextField(max_length=255, required=False)


class BulkProductRequest(ProductRequest):
    slug = TextField(max_length=255, help_text="What the product is known by.")


class ProductBulkRequest(RequestSerializer):
    products = serializers.ListField(
        child=BulkProductRequest(), min_length=1, max_length=MOST_PRODUCTS
    )
    dry_run = TruthField(required=False, help_text="Only tell what would become of each.")


class ImageOrderRequest(RequestSerializer):
    image_ids = serializers.ListField(
        child=WholeNumberField(min_value=1), max_length=1000, help_text="Each picture once."
    )


class FocalPointRequest(RequestSerializer):
    x = WholeNumberField(min_value=0, max_value=100, help_text="Percent from the left.")
    y = WholeNumberField(min_value=0, max_value=100, help_text="Percent from the top.")


class ImageChangeRequest(RequestSerializer):
    alt = TextField(max_length=512, required=False, allow_blank=True)
    focal_point = FocalPointRequest(required=False)


class ImageUploadRequest(RequestSerializer):
    """A file in a form, or an address in JSON."""

    file = serializers.FileField(
        required=False, help_text="JPEG, PNG, WebP, AVIF or GIF, at most 8 MB."
    )
    url = serializers.CharField(max_length=2000, required=False)
    alt = serializers.CharField(max_length=512, required=False, allow_blank=True)
    focal_x = serializers.IntegerField(min_value=0, max_value=100, required=False)
    focal_y = serializers.IntegerField(min_value=0, max_value=100, required=False)


class CategoryRequest(RequestSerializer):
    name = TextField(max_length=120)
    slug = TextField(max_length=150, required=False)
    parent = TextField(  # type: ignore[assignment] # a field: nothing of it stays in the class
        max_length=150, required=False, allow_null=True, help_text="Its slug; null: at the root."
    )
    position = WholeNumberField(min_value=0, max_value=_POSITIONS, required=False)
    description = TextField(required=False, allow_blank=True, max_length=100_000)


class PriceRowRequest(BasePriceRequest):
    sku = TextField(max_length=255, required=False)
    variant_id = WholeNumberField(min_value=1, max_value=2**63 - 1, required=False)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    ends_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="The first moment without it."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("sku" in attrs) == ("variant_id" in attrs):
            raise serializers.ValidationError(
                serializers.ErrorDetail("Give `sku` or `variant_id`.", code="required")
            )
        return super().validate(attrs)


class PriceBulkRequest(RequestSerializer):
    prices = serializers.ListField(child=PriceRowRequest(), min_length=1, max_length=MOST_PRICES)
    dry_run = TruthField(required=False, help_text="Only tell what would become of each.")


class EditedProductQuery(ListQuery):
    status = serializers.ChoiceField(choices=_STATUSES, required=False)
    q = serializers.CharField(
        max_length=200, required=False, help_text="Part of the title, slug or vendor."
    )
    sku = serializers.CharField(max_length=255, required=False)


# From requests to drafts --------------------------------------------------------------------------


def draft_of(body: Mapping[str, Any]) -> ProductDraft:
    """Return the product that a request describes; a draft unless it says otherwise."""
    names = body.get("options", [])
    seo = body.get("seo", {})
    status = body.get("status", "draft").upper()
    return ProductDraft(
        slug=body.get("slug", ""),
        title=body["title"],
        description_html=body.get("description_html", ""),
        vendor=body.get("vendor", ""),
        product_type=body.get("product_type", ""),
        tags=body.get("tags", []),
        category_slug=body.get("category"),
        status=status,
        is_published=_is_published(body, status),
        published_at=body.get("published_at"),
        options=names,
        variants=[variant_draft_of(variant, names) for variant in body.get("variants", [])],
        images=[ImageDraft(url=image["url"], alt=image.get("alt", "")) for image in body["images"]]
        if "images" in body
        else None,
        seo_title=seo.get("title", ""),
        seo_description=seo.get("description", ""),
        attributes=body.get("attributes", {}),
    )


def _is_published(body: Mapping[str, Any], status: str) -> bool:
    if "published_at" in body:
        return body["published_at"] is not None
    return status == Product.Status.ACTIVE


def variant_draft_of(body: Mapping[str, Any], names: list[str]) -> VariantDraft:
    """Return the variant that a request describes, of a product with these options."""
    return VariantDraft(
        sku=body["sku"],
        option_values=_answers(names, body.get("options", {})),
        prices=_base_prices(body),
        barcode=body.get("barcode", ""),
        weight_grams=body.get("weight_grams", 0),
        tax_class=body.get("tax_class", "standard").upper(),
        requires_shipping=body.get("requires_shipping", True),
        is_active=body.get("is_active", True),
    )


def product_changes_of(body: Mapping[str, Any]) -> ProductChanges:
    """Return what a PATCH of a product changes."""
    changes = {
        name: value for name, value in body.items() if name not in {"category", "seo", "status"}
    }
    if "category" in body:
        changes["category_slug"] = body["category"]
    if "status" in body:
        changes["status"] = body["status"].upper()
    for name, value in body.get("seo", {}).items():
        changes[f"seo_{name}"] = value
    return cast(ProductChanges, changes)


def variant_changes_of(body: Mapping[str, Any], names: list[str]) -> VariantChanges:
    """Return what a PATCH of a variant changes, of a product with these options."""
    changes = {
        name: value
        for name, value in body.items()
        if name not in {"options", "prices", "tax_class"}
    }
    if "options" in body:
        changes["option_values"] = _answers(names, body["options"])
    if "prices" in body:
        changes["prices"] = _base_prices(body)
    if "tax_class" in body:
        changes["tax_class"] = body["tax_class"].upper()
    return cast(VariantChanges, changes)


def image_draft_of(body: Mapping[str, Any]) -> ImageDraft:
    """Return the picture that a request brings; no more of the file is read than is looked at."""
    return ImageDraft(
        url=body.get("url"),
        file=body["file"].read(LARGEST_BYTES + 1) if "file" in body else None,
        alt=body.get("alt", ""),
        focal_x=body.get("focal_x", 50),
        focal_y=body.get("focal_y", 50),
    )


def category_changes_of(body: Mapping[str, Any]) -> CategoryChanges:
    """Return what a PATCH of a category changes."""
    changes = {name: value for name, value in body.items() if name != "parent"}
    if "parent" in body:
        changes["parent_slug"] = body["parent"]
    return cast(CategoryChanges, changes)


def price_draft_of(row: Mapping[str, Any], ids: Mapping[str, int]) -> PriceDraft:
    """Return the price that a row describes; of an unknown SKU it is nobody's."""
    compare_at = row.get("compare_at_price")
    return PriceDraft(
        variant_id=row["variant_id"] if "variant_id" in row else ids.get(row["sku"], 0),
        currency=row["price"].currency,
        amount_minor=row["price"].amount_minor,
        compare_at_minor=None if compare_at is None else compare_at.amount_minor,
        starts_at=row.get("starts_at"),
        ends_at=row.get("ends_at"),
    )


def price_outcome(
    row: Mapping[str, Any], draft: PriceDraft, outcome: PriceOutcome
) -> dict[str, Any]:
    """Return what became of a row, with what it was known by."""
    return {
        "sku": row.get("sku"),
        "variant_id": draft.variant_id or None,
        "outcome": outcome.outcome,
        "code": outcome.code,
        "detail": outcome.detail,
    }


def _answers(names: list[str], options: Mapping[str, str]) -> list[str]:
    # What is missing or too much breaks a rule of drafts, which says so for each product apart.
    extra = [value for name, value in options.items() if name not in names]
    return [options.get(name, "") for name in names] + extra


def _base_prices(body: Mapping[str, Any]) -> dict[str, tuple[int, int | None]]:
    prices = {}
    for row in body.get("prices", []):
        compare_at = row.get("compare_at_price")
        prices[row["price"].currency] = (
            row["price"].amount_minor,
            None if compare_at is None else compare_at.amount_minor,
        )
    return prices


# Answers ------------------------------------------------------------------------------------------


class EditedPriceResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    price = MoneyField()
    compare_at_price = MoneyField(allow_null=True)
    starts_at = serializers.DateTimeField(allow_null=True, help_text="Null in the base price.")
    ends_at = serializers.DateTimeField(allow_null=True)


class EditedVariantResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    product_id = serializers.IntegerField()
    sku = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    options = serializers.DictField(child=serializers.CharField())
    position = serializers.IntegerField()
    barcode = serializers.CharField(allow_blank=True)
    weight_grams = serializers.IntegerField()
    tax_class = serializers.ChoiceField(choices=_TAX_CLASSES)
    requires_shipping = serializers.BooleanField()
    image_id = serializers.IntegerField(allow_null=True)
    is_active = serializers.BooleanField()
    availability = AvailabilityResponse()
    prices = EditedPriceResponse(many=True)


class EditedImageResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    url = serializers.CharField()
    alt = serializers.CharField(allow_blank=True)
    position = serializers.IntegerField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    focal_point = FocalPointResponse()
    renditions = RenditionResponse(many=True)


class EditedSeoResponse(serializers.Serializer[Any]):
    title = serializers.CharField(allow_blank=True)
    description = serializers.CharField(allow_blank=True)


class EditedProductRowResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    title = serializers.CharField()
    vendor = serializers.CharField(allow_blank=True)
    product_type = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=_STATUSES)
    published_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class EditedProductPageResponse(serializers.Serializer[Any]):
    results = EditedProductRowResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class EditedProductResponse(EditedProductRowResponse):
    description_html = serializers.CharField(allow_blank=True)
    category = CategoryLinkResponse(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField()
    seo = EditedSeoResponse()
    options = OptionResponse(many=True)
    variants = EditedVariantResponse(many=True)
    images = EditedImageResponse(many=True)


class EditedCategoryResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    parent = serializers.CharField(  # type: ignore[assignment] # as above
        allow_null=True, help_text="Its slug."
    )
    position = serializers.IntegerField()
    description = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()


class ProductOutcomeResponse(serializers.Serializer[Any]):
    slug = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["created", "updated", "unchanged", "failed"])
    product_id = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_blank=True, help_text="Why it failed.")
    detail = serializers.CharField(allow_blank=True)
    problems = serializers.ListField(child=serializers.CharField())


class ProductBulkResponse(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    results = ProductOutcomeResponse(many=True, help_text="One for each product, in their order.")


class PriceOutcomeResponse(serializers.Serializer[Any]):
    sku = serializers.CharField(allow_null=True, help_text="As the row named it.")
    variant_id = serializers.IntegerField(allow_null=True, help_text="Null: there is none.")
    outcome = serializers.ChoiceField(choices=["created", "updated", "unchanged", "failed"])
    code = serializers.CharField(allow_blank=True, help_text="Why it failed.")
    detail = serializers.CharField(allow_blank=True)


class PriceBulkResponse(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    results = PriceOutcomeResponse(many=True, help_text="One for each price, in their order.")


class PriceStepResponse(serializers.Serializer[Any]):
    price = MoneyField(allow_null=True, help_text="Null: from then on it was not offered.")
    effective_at = serializers.DateTimeField()


class PriceStepPageResponse(serializers.Serializer[Any]):
    results = PriceStepResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
