"""Reviews as staff see and moderate them."""

from typing import Any

from rest_framework import serializers

from catalog.models import Review
from shop.http.serializers import ListQuery, RequestSerializer

_STATUSES = [status.lower() for status in Review.Status.values]


class ModerationQuery(ListQuery):
    status = serializers.ChoiceField(choices=_STATUSES, required=False)
    product_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)


class ModerationRequest(RequestSerializer):
    status = serializers.ChoiceField(
        choices=_STATUSES, help_text="Shoppers see what is approved, and the rating counts it."
    )


class ModeratedReviewResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    product_id = serializers.IntegerField()
    product_title = serializers.CharField(source="product__title")
    rating = serializers.IntegerField(min_value=1, max_value=5)
    title = serializers.CharField(allow_blank=True)
    body = serializers.CharField(allow_blank=True)
    author_name = serializers.CharField()
    is_verified = serializers.BooleanField()
    status = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    moderated_at = serializers.DateTimeField(allow_null=True)

    def get_status(self, row: dict[str, Any]) -> str:
        return str(row["status"]).lower()


class ModeratedReviewPageResponse(serializers.Serializer[Any]):
    results = ModeratedReviewResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
