"""Shapes of warehouses."""

import re
from typing import Any

from django_countries import countries
from rest_framework import serializers

from inventory.serializers.fields import TextField, UnitsField
from shop.http.serializers import ListQuery, RequestSerializer

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LARGEST_PRIORITY = 32_767


class FlagField(serializers.BooleanField):
    """A truth value in JSON: no string, no number."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class WarehouseChangeRequest(RequestSerializer):
    """What may be changed of a warehouse. What is not named stays."""

    name = TextField(max_length=120)
    country = serializers.ChoiceField(choices=[*countries], help_text="ISO 3166-1 alpha-2.")
    priority = UnitsField(
        min_value=0,
        max_value=_LARGEST_PRIORITY,
        required=False,
        help_text="Smaller is taken first where nothing else decides.",
    )
    is_active = FlagField(required=False, help_text="Whether its stock can be sold.")


class WarehouseRequest(WarehouseChangeRequest):
    """A warehouse to open."""

    code = TextField(max_length=40, help_text="Letters, digits, dots and dashes; never changed.")

    def validate_code(self, value: str) -> str:
        if not _CODE.fullmatch(value):
            raise serializers.ValidationError("Letters, digits, dots and dashes.", code="invalid")
        return value


class WarehouseQuery(ListQuery):
    is_active = serializers.BooleanField(required=False, help_text="Only those that sell, or not.")


class WarehouseResponse(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    country = serializers.CharField()
    priority = serializers.IntegerField()
    is_active = serializers.BooleanField()


class WarehousePageResponse(serializers.Serializer[Any]):
    results = WarehouseResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
