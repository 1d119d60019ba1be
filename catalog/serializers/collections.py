"""Collections and related products as staff edit them."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers

from catalog.models import Collection
from catalog.services import CollectionChanges
from shop.http.serializers import RequestSerializer, TextField, TruthField, WholeNumberField

MOST_PRODUCTS = 5000  # of a collection by hand
_KINDS = [kind.lower() for kind in Collection.Kind.values]
_LARGEST_ID = 2**63 - 1


class RuleRequest(RequestSerializer):
    category = TextField(
        max_length=150, required=False, allow_null=True, help_text="On this shelf or below it."
    )
    tags = serializers.ListField(
        child=TextField(max_length=255), required=False, max_length=50, help_text="All of these."
    )
    vendors = serializers.ListField(
        child=TextField(max_length=255), required=False, max_length=50, help_text="Any of these."
    )
    on_sale = TruthField(required=False, help_text="With a struck-through price.")
    newer_than_days = WholeNumberField(min_value=1, max_value=3650, required=False, allow_null=True)


class CollectionRequest(RequestSerializer):
    title = TextField(max_length=255)
    slug = TextField(max_length=150, required=False)
    description_html = TextField(
        required=False, allow_blank=True, max_length=100_000, help_text="Is sanitised."
    )
    kind = serializers.ChoiceField(choices=_KINDS, required=False)
    position = WholeNumberField(min_value=0, max_value=2**31 - 1, required=False)
    is_published = TruthField(required=False)
    rule = RuleRequest(required=False, help_text="Of a collection by rule: what fits all of it.")
    product_ids = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=_LARGEST_ID),
        required=False,
        max_length=MOST_PRODUCTS,
        help_text="Of a collection by hand, in their order.",
    )


def collection_changes_of(body: Mapping[str, Any]) -> CollectionChanges:
    """Return what a request changes of a collection."""
    changes = {name: value for name, value in body.items() if name not in {"kind", "rule"}}
    if "kind" in body:
        changes["kind"] = body["kind"].upper()
    for name, value in body.get("rule", {}).items():
        changes["category_slug" if name == "category" else f"rule_{name}"] = value
    return cast(CollectionChanges, changes)


class RuleResponse(serializers.Serializer[Any]):
    category = serializers.CharField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    vendors = serializers.ListField(child=serializers.CharField())
    on_sale = serializers.BooleanField()
    newer_than_days = serializers.IntegerField(allow_null=True)


class EditedCollectionResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    title = serializers.CharField()
    description_html = serializers.CharField(allow_blank=True)
    kind = serializers.ChoiceField(choices=_KINDS)
    position = serializers.IntegerField()
    is_published = serializers.BooleanField()
    rule = RuleResponse()
    product_ids = serializers.ListField(child=serializers.IntegerField())
    version = serializers.IntegerField()


class RelatedRequest(RequestSerializer):
    product_ids = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=_LARGEST_ID),
        max_length=50,
        help_text="Products to show beside it, in their order.",
    )


class EditedRelatedResponse(serializers.Serializer[Any]):
    product_ids = serializers.ListField(child=serializers.IntegerField())
