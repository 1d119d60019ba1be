"""Shapes of flash sales, tickets and limits on buyers."""

from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from inventory.models import MOST_UNITS
from inventory.serializers.fields import TextField, UnitsField
from shop.http.serializers import ListQuery, RequestSerializer


class MomentField(serializers.DateTimeField):
    """A moment in RFC 3339, with its offset: what a bare time means would be a guess."""

    def to_internal_value(self, value: Any) -> Any:
        try:
            given = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            given = None
        if given is None or given.tzinfo is None:
            self.fail("invalid", format="2026-11-27T18:00:00Z")
        return super().to_internal_value(value)


class _AvailabilityResponse(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["in_stock", "low_stock", "out_of_stock"])
    quantity = serializers.IntegerField(help_text="Units left in the sale, 10 at most.")


class FlashSaleResponse(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    variant_id = serializers.IntegerField()
    sku = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=["upcoming", "running", "sold_out", "ended"])
    limit_per_customer = serializers.IntegerField(allow_null=True)
    availability = _AvailabilityResponse()


class FlashSalePageResponse(serializers.Serializer[Any]):
    results = FlashSaleResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class FlashSaleListQuery(ListQuery):
    pass


class FlashSaleStaffResponse(serializers.Serializer[Any]):
    """A sale as staff see it: with what was taken of it, and its pace."""

    slug = serializers.CharField()
    name = serializers.CharField()
    variant_id = serializers.IntegerField()
    sku = serializers.CharField(source="variant.sku")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    units = serializers.IntegerField()
    taken = serializers.IntegerField(help_text="Units held and sold in it.")
    limit_per_customer = serializers.IntegerField(allow_null=True)
    admitted_per_second = serializers.IntegerField()
    admitted_at_once = serializers.IntegerField()
    version = serializers.IntegerField()


class FlashSaleChangeRequest(RequestSerializer):
    name = TextField(max_length=120)
    starts_at = MomentField()
    ends_at = MomentField(help_text="From this moment on it is over.")
    units = UnitsField(min_value=1, max_value=MOST_UNITS, help_text="So many are sold at most.")
    limit_per_customer = UnitsField(
        min_value=1, max_value=MOST_UNITS, required=False, allow_null=True
    )
    admitted_per_second = UnitsField(
        min_value=1, max_value=10_000, required=False, help_text="Checkouts; others wait in line."
    )
    admitted_at_once = UnitsField(min_value=1, max_value=10_000, required=False)


class FlashSaleRequest(FlashSaleChangeRequest):
    slug = serializers.SlugField(max_length=80)
    variant_id = UnitsField(min_value=1, max_value=2**63 - 1)


class TicketResponse(serializers.Serializer[Any]):
    """A place in line. With `waiting`: `position` and `estimated_seconds`; with `admitted`:
    `admitted_until`; with `gone`: `reason`.
    """

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=["waiting", "admitted", "gone"])
    poll_url = serializers.CharField()
    position = serializers.IntegerField(required=False, help_text="1 is next.")
    estimated_seconds = serializers.IntegerField(
        required=False, help_text="At the pace of the last minute."
    )
    admitted_until = serializers.DateTimeField(
        required=False, help_text="Until then, send the checkout with `X-Sale-Ticket`."
    )
    reason = serializers.ChoiceField(
        choices=["sold_out", "ended", "used", "lapsed"], required=False
    )


class TicketAnswer(serializers.Serializer[Any]):
    ticket = TicketResponse()


class PurchaseLimitRequest(RequestSerializer):
    units = UnitsField(min_value=1, max_value=MOST_UNITS, help_text="For one buyer.")
    window_days = UnitsField(
        min_value=1,
        max_value=3660,
        required=False,
        allow_null=True,
        help_text="Counted over so many days back; without it, for ever.",
    )


class PurchaseLimitListQuery(ListQuery):
    pass


class PurchaseLimitResponse(serializers.Serializer[Any]):
    variant_id = serializers.IntegerField()
    sku = serializers.CharField(source="variant.sku")
    units = serializers.IntegerField()
    window_days = serializers.IntegerField(allow_null=True)
    updated_at = serializers.DateTimeField()


class PurchaseLimitPageResponse(serializers.Serializer[Any]):
    results = PurchaseLimitResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
