"""Shapes of waiting for a variant."""

from typing import Any

from rest_framework import serializers

from inventory.serializers.fields import UnitsField
from shop.http.serializers import RequestSerializer


class SubscriptionRequest(RequestSerializer):
    variant_id = UnitsField(min_value=1, max_value=2**63 - 1)
    email = serializers.EmailField(
        required=False, max_length=254, help_text="Guests give one; customers have one."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_customer = self.context["request"].user.is_authenticated
        if is_customer and "email" in attrs:
            raise serializers.ValidationError(
                {"email": serializers.ErrorDetail("Your account has one.", "given")}
            )
        if not is_customer and "email" not in attrs:
            raise serializers.ValidationError(
                {"email": serializers.ErrorDetail("Where should we write to?", "required")}
            )
        return attrs


class SubscriptionResponse(serializers.Serializer[Any]):
    detail = serializers.CharField()
