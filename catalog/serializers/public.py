"""Shapes of the catalogue over HTTP."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from catalog.models import AvailabilityState
from catalog.selectors import SORTS, Wanted
from shop.errors import FieldError, Malformed
from shop.http.serializers import CurrencyField, ListQuery, MoneyField, QuerySerializer
from shop.money import Money

OPTION_PREFIX = "option."
ATTRIBUTE_PREFIX = "attr."
MOST_OPTIONS = 20
_AMOUNT = re.compile(r"^[0-9]{1,12}(\.[0-9]{1,4})?$")


class ProductQuery(QuerySerializer):
    """What one product may be asked with."""

    currency = CurrencyField(required=False, help_text="The shop's own if left out.")


class SuggestionsQuery(QuerySerializer):
    """What has been typed so far."""

    q = serializers.CharField(
        allow_blank=True, max_length=100, help_text="The first six words of it count."
    )
    currency = CurrencyField(required=False, help_text="The shop's own if left out.")


class ProductListQuery(ListQuery):
    """Filters, order and facets of the list.

    `option.<name>=<value>` and `attr.<name>=<value>` come on top.
    """

    repeatable: ClassVar[frozenset[str]] = frozenset({"vendor", "tag"})

    q = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Words, also misspelt ones."
    )
    category = serializers.CharField(
        required=False, max_length=150, help_text="A category's slug; what is below it counts too."
    )
    vendor = serializers.ListField(
        child=serializers.CharField(max_length=255),
        required=False,
        max_length=20,
        help_text="Any of these.",
    )
    tag = serializers.ListField(
        child=serializers.CharField(max_length=255),
        required=False,
        max_length=20,
        help_text="All of these.",
    )
    collection = serializers.CharField(
        required=False, max_length=150, help_text="A collection's slug."
    )
    min_price = serializers.RegexField(
        _AMOUNT, required=False, help_text="A decimal; compared with `price.min`."
    )
    max_price = serializers.RegexField(
        _AMOUNT, required=False, help_text="A decimal; compared with `price.min`."
    )
    in_stock = serializers.BooleanField(required=False)
    sort = serializers.ChoiceField(
        choices=SORTS,
        required=False,
        help_text="By relevance where there is `q`, else by best_selling.",
    )
    facets = serializers.BooleanField(required=False, help_text="Also count further choices.")
    currency = CurrencyField(required=False, help_text="The shop's own if left out.")

    @classmethod
    def parse_query(cls, request: Request) -> dict[str, Any]:
        """Return the parameters; those of `option.<name>` and `attr.<name>` gathered by name."""
        chosen: dict[str, dict[str, list[str]]] = {OPTION_PREFIX: {}, ATTRIBUTE_PREFIX: {}}
        errors = []
        given: dict[str, Any] = {}
        for name, values in request.query_params.lists():
            prefix = name[: name.find(".") + 1]
            if prefix in chosen:
                errors += _choice_errors(name, prefix, values)
                chosen[prefix][name.removeprefix(prefix).lower()] = values
            elif name in cls.repeatable:
                given[name] = values
            else:
                if len(values) > 1:
                    errors.append(FieldError(f"/{name}", "repeated", "Give this once."))
                given[name] = values[0]
        if any(len(names) > MOST_OPTIONS for names in chosen.values()):
            errors.append(FieldError("", "max_length", f"At most {MOST_OPTIONS} of each kind."))
        if errors:
            raise Malformed(errors=errors)
        return {
            **cls.validated(given, request),
            "options": chosen[OPTION_PREFIX],
            "attributes": chosen[ATTRIBUTE_PREFIX],
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        currency = attrs.setdefault("currency", settings.SHOP_CURRENCY)
        for name in ("min_price", "max_price"):
            if name in attrs:
                attrs[name] = _minor(name, attrs[name], currency)
        return attrs


def _choice_errors(name: str, prefix: str, values: list[str]) -> list[FieldError]:
    if name == prefix or len(values) > MOST_OPTIONS:
        return [FieldError(f"/{name}", "invalid", f"Say {prefix}<name>=<value>.")]
    if any(not value or len(value) > 255 or "\x00" in value for value in [name, *values]):
        return [FieldError(f"/{name}", "invalid", "A value of 1 to 255 characters.")]
    return []


def _minor(name: str, amount: str, currency: str) -> int:
    try:
        return Money.parse(amount, currency).amount_minor
    except ValueError:
        raise serializers.ValidationError(
            {name: serializers.ErrorDetail(f"This is no amount of {currency}.", code="invalid")}
        ) from None


def wanted_of(query: Mapping[str, Any]) -> Wanted:
    """Return what the parameters of the list ask for."""
    return Wanted(
        currency=query["currency"],
        category=query.get("category"),
        words=query.get("q") or None,
        vendors=query.get("vendor", ()),
        tags=query.get("tag", ()),
        min_price_minor=query.get("min_price"),
        max_price_minor=query.get("max_price"),
        in_stock=query.get("in_stock"),
        options=query["options"],
        attributes=query["attributes"],
        collection=query.get("collection"),
    )


# Answers ------------------------------------------------------------------------------------------


class CategoryLinkResponse(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()


class CategoryRowResponse(CategoryLinkResponse):
    id = serializers.IntegerField()
    description = serializers.CharField(allow_blank=True)
    product_count = serializers.IntegerField(min_value=0)


class CategoryNodeResponse(CategoryRowResponse):
    """A category with everything below it."""

    children = serializers.SerializerMethodField()

    @extend_schema_field(
        {"type": "array", "items": {"$ref": "#/components/schemas/CategoryNodeResponse"}}
    )
    def get_children(self, node: Mapping[str, Any]) -> list[Any]:
        return [CategoryNodeResponse(child).data for child in node["children"]]


class CategoryTreeResponse(serializers.Serializer[Any]):
    results = CategoryNodeResponse(many=True)
    next = serializers.URLField(allow_null=True, help_text="Always null: the tree is whole.")
    previous = serializers.URLField(allow_null=True)


class CategoryResponse(CategoryRowResponse):
    path = CategoryLinkResponse(many=True, help_text="From the root to this one.")
    children = CategoryRowResponse(many=True)


class PriceRangeResponse(serializers.Serializer[Any]):
    min = MoneyField()
    max = MoneyField()


class AvailabilityResponse(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=AvailabilityState.values)
    quantity = serializers.IntegerField(min_value=0, max_value=10, help_text="Capped at 10.")


class ProductRowResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    title = serializers.CharField()
    vendor = serializers.CharField(allow_blank=True)
    category = CategoryLinkResponse(allow_null=True)
    price = PriceRangeResponse()
    compare_at_price = MoneyField(allow_null=True)
    image = serializers.CharField(allow_null=True, help_text="Its address.")
    availability = AvailabilityResponse()
    tags = serializers.ListField(child=serializers.CharField())


class FacetValueResponse(serializers.Serializer[Any]):
    value = serializers.CharField()
    count = serializers.IntegerField(min_value=1)
    min = MoneyField(required=False, help_text="Of price only: its lowest amount.")
    max = MoneyField(
        required=False, help_text="Of price only: its highest amount; the last one is open."
    )


class ProductListResponse(serializers.Serializer[Any]):
    results = ProductRowResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    facets = serializers.DictField(
        child=FacetValueResponse(many=True),
        required=False,
        help_text="With `facets=true`: vendor, category, price, `option.<name>`, `attr.<name>`.",
    )
    facets_are_estimates = serializers.BooleanField(
        required=False,
        help_text="Whether so much fits that the counts were estimated by a sample of it.",
    )


class SuggestionResponse(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["category", "product"])
    title = serializers.CharField()
    slug = serializers.CharField()
    image = serializers.CharField(allow_null=True, help_text="Of a product: its address.")


class SuggestionsResponse(serializers.Serializer[Any]):
    results = SuggestionResponse(many=True, help_text="At most ten.")


class RelatedResponse(serializers.Serializer[Any]):
    results = ProductRowResponse(many=True)
    next = serializers.URLField(allow_null=True, help_text="Always null: there is one page.")
    previous = serializers.URLField(allow_null=True)


class OptionResponse(serializers.Serializer[Any]):
    name = serializers.CharField()
    values = serializers.ListField(child=serializers.CharField())


class VariantResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    sku = serializers.CharField()
    title = serializers.CharField()
    options = serializers.DictField(child=serializers.CharField())
    price = MoneyField()
    compare_at_price = MoneyField(allow_null=True)
    lowest_price_30d = MoneyField()
    barcode = serializers.CharField(allow_null=True)
    weight_grams = serializers.IntegerField(min_value=0)
    requires_shipping = serializers.BooleanField()
    image = serializers.CharField(allow_null=True)
    availability = AvailabilityResponse()


class FocalPointResponse(serializers.Serializer[Any]):
    x = serializers.IntegerField(min_value=0, max_value=100, help_text="Percent from the left.")
    y = serializers.IntegerField(min_value=0, max_value=100, help_text="Percent from the top.")


class RenditionResponse(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=["webp", "avif"])
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    url = serializers.CharField()


class ImageResponse(serializers.Serializer[Any]):
    url = serializers.CharField()
    alt = serializers.CharField(allow_blank=True)
    position = serializers.IntegerField()
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    focal_point = FocalPointResponse(help_text="What stays in sight when it is cropped.")
    renditions = RenditionResponse(
        many=True, help_text="Copies from narrow to wide; none until they are made."
    )


class SeoResponse(serializers.Serializer[Any]):
    title = serializers.CharField()
    description = serializers.CharField(allow_blank=True)


class RatingResponse(serializers.Serializer[Any]):
    average = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField(min_value=0)


class ProductResponse(ProductRowResponse):
    product_type = serializers.CharField(allow_blank=True)
    breadcrumbs = CategoryLinkResponse(many=True, help_text="From the root to its category.")
    description_html = serializers.CharField(allow_blank=True, help_text="Sanitised.")
    options = OptionResponse(many=True)
    variants = VariantResponse(many=True)
    images = ImageResponse(many=True)
    attributes = serializers.DictField()
    seo = SeoResponse()
    rating = RatingResponse()
    published_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class CollectionRowResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    title = serializers.CharField()
    description_html = serializers.CharField(allow_blank=True, help_text="Sanitised.")


class CollectionPageResponse(serializers.Serializer[Any]):
    results = CollectionRowResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class CollectionResponse(CollectionRowResponse):
    products_url = serializers.CharField(help_text="The list of its products.")


class MovedResponse(serializers.Serializer[Any]):
    slug = serializers.CharField(help_text="The slug that the product has now.")
    url = serializers.CharField()
