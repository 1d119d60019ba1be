"""Shapes of the cart's requests and answers."""

from typing import Any

from django_countries import countries
from rest_framework import serializers

from cart.services.carts import LARGEST_ID
from cart.store import MAX_QUANTITY
from shop.http.serializers import CurrencyField, MoneyField, QuerySerializer, RequestSerializer


class WholeNumberField(serializers.IntegerField):
    """A JSON number without a fraction: no text, no `true`, no `1.0`."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        value: int = super().to_internal_value(data)
        return value


class TextField(serializers.CharField):
    """A JSON string: a number is not taken for its digits."""

    def to_internal_value(self, data: Any) -> str:
        if type(data) is not str:
            self.fail("invalid")
        value: str = super().to_internal_value(data)
        return value


class CountryField(serializers.CharField):
    """An ISO 3166-1 alpha-2 code, in capitals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=2, max_length=2, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        code: str = super().to_internal_value(data)
        if code not in countries:
            raise serializers.ValidationError(
                "This is not an ISO 3166-1 country code in capitals.", code="unknown_country"
            )
        return code


class ItemRequest(RequestSerializer):
    """Units of a variant to add."""

    variant_id = WholeNumberField(min_value=1, max_value=LARGEST_ID)
    quantity = WholeNumberField(min_value=1, max_value=MAX_QUANTITY)
    currency = CurrencyField(
        required=False, help_text="The currency of a cart without lines; the shop's own if absent."
    )


class QuantityRequest(RequestSerializer):
    """Units to have; 0 removes the line."""

    quantity = WholeNumberField(min_value=0, max_value=MAX_QUANTITY)


class VoucherRequest(RequestSerializer):
    """A voucher to apply."""

    code = TextField(max_length=64)


class MergeRequest(RequestSerializer):
    """The guest's cart to take over."""

    token = TextField(
        max_length=200,
        required=False,
        help_text="The guest's cart token. May be sent as `X-Cart-Token` instead.",
    )


class ShippingOptionsQuery(QuerySerializer):
    """Where to ship."""

    country = CountryField()
    postal_code = serializers.CharField(max_length=16, required=False, allow_blank=True)


class LineAvailabilityResponse(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["in_stock", "low_stock", "out_of_stock", "backorder"])
    quantity = serializers.IntegerField(min_value=0, max_value=10, help_text="Capped at 10.")


class CartLineResponse(serializers.Serializer[Any]):
    variant_id = serializers.IntegerField()
    sku = serializers.CharField()
    title = serializers.CharField()
    options = serializers.DictField(
        child=serializers.CharField(), help_text="Option values by option name."
    )
    image = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    unit_price = MoneyField()
    line_total = MoneyField()
    availability = LineAvailabilityResponse()


class CartTotalsResponse(serializers.Serializer[Any]):
    subtotal = MoneyField(help_text="The sum of the lines.")
    discount = MoneyField()
    shipping = MoneyField(
        help_text="Zero: a cart has no shipping method yet. See shipping-options and the checkout."
    )
    tax = MoneyField(help_text="The part of the total that is tax in the shop's own country.")
    total = MoneyField(help_text="Subtotal - discount + shipping.")


class CartNoticeResponse(serializers.Serializer[Any]):
    code = serializers.ChoiceField(
        choices=["variant_unavailable", "insufficient_stock", "quantity_capped", "line_dropped"]
    )
    variant_id = serializers.IntegerField()
    detail = serializers.CharField()


class CartVoucherResponse(serializers.Serializer[Any]):
    code = serializers.CharField()


class CartResponse(serializers.Serializer[Any]):
    """A cart. Variants that are no longer for sale are in `notices`, not in `lines` or `totals`."""

    token = serializers.CharField(
        allow_null=True, help_text="A guest's; null for customers and before the first write."
    )
    version = serializers.IntegerField(help_text="Grows with every change; also the `ETag`.")
    currency = serializers.CharField()
    lines = CartLineResponse(many=True)
    vouchers = CartVoucherResponse(many=True)
    totals = CartTotalsResponse()
    notices = CartNoticeResponse(many=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Seven days after the last touch; null before the first write."
    )


class DaysResponse(serializers.Serializer[Any]):
    min = serializers.IntegerField()
    max = serializers.IntegerField()


class ShippingOptionResponse(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    price = MoneyField()
    days = DaysResponse()
