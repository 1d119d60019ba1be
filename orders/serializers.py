"""The shapes of requests and answers about orders."""

from typing import Any

from django_countries import countries
from rest_framework import serializers
from rest_framework.fields import empty

from accounts.services import phone_in_e164
from orders.models import LineKind, Order, OrderEvent, Payment, Refund, Return
from shop.errors import Malformed
from shop.http.serializers import ListQuery, MoneyField, RequestSerializer, WholeNumberField

COUNTRIES = [(code, str(name)) for code, name in countries]
# Where letters arrive without one.
_WITHOUT_POSTAL_CODES = (
    "AE AG AN AO AW BF BI BJ BO BS BW BZ CD CF CG CI CK CM DJ DM ER FJ GA GD GH GM GN GQ GY HK IE "
    "JM KI KM KN KP LC ML MO MR MS MW NR NU PA QA RW SB SC SL SR ST SY TD TF TG TK TL TO TT TV UG "
    "VU YE ZA ZW"
)
WITHOUT_POSTAL_CODES = frozenset(_WITHOUT_POSTAL_CODES.split())


def _words(choices: Any) -> list[str]:
    return [value.lower() for value in choices.values]


PAYMENT_WORDS = ["pending", *(w for w in _words(Payment.Status) if w not in {"new", "requested"})]


# Named here so that the OpenAPI document can name them (ENUM_NAME_OVERRIDES in the settings).
ORDER_STATUSES = _words(Order.Status)
REFUND_STATUSES = _words(Refund.Status)
RETURN_STATUSES = _words(Return.Status)


class _TextField(serializers.CharField):
    """A JSON string: a number is not taken for its digits."""

    def run_validation(self, data: Any = empty) -> Any:
        # Nothing is wrong with what most texts are, so they are spared ten calls each: printable
        # is neither a control character nor half of a letter, which the validators look for.
        if type(data) is str and data.isprintable():
            text = data.strip(" ")
            if 0 < len(text) <= (self.max_length or 0):
                return text
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if type(data) is not str:
            self.fail("invalid")
        value: str = super().to_internal_value(data)
        return value


class _OptionalTextField(_TextField):
    """A text that may be absent, null or empty, which all mean the same."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, allow_null=True, default="", **kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values("" if data is None else data)


class PostalRequest(RequestSerializer):
    """A postal address."""

    name = _TextField(max_length=200)
    company = _OptionalTextField(max_length=200)
    line1 = _TextField(max_length=200)
    line2 = _OptionalTextField(max_length=200)
    city = _TextField(max_length=100)
    region = _OptionalTextField(max_length=100)
    postal_code = _OptionalTextField(
        max_length=20, help_text="Required but for countries that have none."
    )
    country = serializers.ChoiceField(choices=COUNTRIES, help_text="ISO 3166-1 alpha-2.")
    phone = _OptionalTextField(max_length=32, help_text="E.164, or as dialled in `country`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["postal_code"] and attrs["country"] not in WITHOUT_POSTAL_CODES:
            raise serializers.ValidationError(
                {
                    "postal_code": serializers.ErrorDetail(
                        "Addresses in this country have a postal code.", code="required"
                    )
                }
            )
        try:
            attrs["phone"] = phone_in_e164(attrs["phone"], country=attrs["country"])
        except Malformed as error:
            raise serializers.ValidationError(
                {"phone": serializers.ErrorDetail(error.errors[0].detail, code="invalid")}
            ) from None
        return attrs


class PreviewRequest(RequestSerializer):
    """A checkout without its payment."""

    email = serializers.EmailField(max_length=254, required=False, help_text="Guests only.")
    shipping_address = PostalRequest()
    billing_address = PostalRequest(
        required=False, allow_null=True, help_text="The shipping address, if absent."
    )
    shipping_method = _TextField(max_length=40, help_text="From `/cart/shipping-options`.")
    expected_total = MoneyField(
        required=False, help_text="Refused with `price_changed` if it is another."
    )
    quote_token = _TextField(max_length=1000, required=False, help_text="From a preview.")


class PaymentRequest(RequestSerializer):
    """How to pay: a provider's token for it, never a card number."""

    provider = _TextField(max_length=20)
    token = _TextField(max_length=255)


class CheckoutRequest(PreviewRequest):
    """A checkout."""

    payment = PaymentRequest()


class LookupRequest(RequestSerializer):
    """Which order, and whose."""

    number = _TextField(max_length=20)
    email = serializers.EmailField(max_length=254)


class ProofRequest(RequestSerializer):
    """The present password, once more: a token that was left open is not enough."""

    password = serializers.CharField(max_length=128, trim_whitespace=False)


class PersonalExportRequest(RequestSerializer):
    """The present password, unless the log-in was moments ago."""

    password = serializers.CharField(max_length=128, trim_whitespace=False, required=False)


class ErasureResponse(serializers.Serializer[Any]):
    detail = serializers.CharField()


class CancelRequest(RequestSerializer):
    """Why, if one likes to say."""

    reason = _OptionalTextField(max_length=500)


class SandboxOutcomeRequest(RequestSerializer):
    """What the payer does on the sandbox's page."""

    outcome = serializers.ChoiceField(choices=["succeed", "fail"], default="succeed")


class OrderListQuery(ListQuery):
    """How to narrow a list of orders."""

    status = serializers.ChoiceField(choices=ORDER_STATUSES, required=False)
    placed_after = serializers.DateTimeField(required=False)
    q = serializers.CharField(
        max_length=254, required=False, help_text="A number, an e-mail address or a SKU."
    )


class _MoneyResponse(serializers.Serializer[Any]):
    amount = serializers.RegexField(r"^-?[0-9]+(\.[0-9]+)?$")
    currency = serializers.RegexField(r"^[A-Z]{3}$")


class _RowLineResponse(serializers.Serializer[Any]):
    sku = serializers.CharField()
    title = serializers.CharField()
    variant_title = serializers.CharField(allow_blank=True)
    image = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField()
    unit_price = _MoneyResponse()
    line_total = _MoneyResponse()


class OrderRowResponse(serializers.Serializer[Any]):
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=ORDER_STATUSES)
    payment_status = serializers.ChoiceField(choices=_words(Order.PaymentStatus))
    fulfillment_status = serializers.ChoiceField(choices=_words(Order.FulfillmentStatus))
    placed_at = serializers.DateTimeField()
    total = _MoneyResponse()
    line_count = serializers.IntegerField()
    lines = _RowLineResponse(many=True)


class OrderPageResponse(serializers.Serializer[Any]):
    results = OrderRowResponse(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class OrderLineResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=_words(LineKind))
    variant_id = serializers.IntegerField(allow_null=True)
    sku = serializers.CharField()
    title = serializers.CharField()
    variant_title = serializers.CharField(allow_blank=True)
    options = serializers.DictField(child=serializers.CharField(allow_blank=True))
    image = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField()
    unit_price = _MoneyResponse()
    discount = _MoneyResponse()
    line_total = _MoneyResponse(help_text="After the discount, tax included.")
    tax = _MoneyResponse(help_text="Contained in `line_total`.")
    tax_rate_bps = serializers.IntegerField(help_text="Hundredths of a percent.")


class PostalResponse(serializers.Serializer[Any]):
    name = serializers.CharField()
    company = serializers.CharField(allow_blank=True)
    line1 = serializers.CharField()
    line2 = serializers.CharField(allow_blank=True)
    city = serializers.CharField()
    region = serializers.CharField(allow_blank=True)
    postal_code = serializers.CharField(allow_blank=True)
    country = serializers.CharField()
    phone_last4 = serializers.CharField(allow_null=True)


class TotalsResponse(serializers.Serializer[Any]):
    subtotal = _MoneyResponse()
    discount = _MoneyResponse()
    shipping = _MoneyResponse()
    tax = _MoneyResponse(help_text="Contained in `total`.")
    total = _MoneyResponse()


class ShippingMethodResponse(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()


class NextActionResponse(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=["redirect"])
    url = serializers.CharField()


class CardResponse(serializers.Serializer[Any]):
    brand = serializers.CharField()
    last4 = serializers.CharField()


class OrderPaymentResponse(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    status = serializers.ChoiceField(choices=PAYMENT_WORDS)
    amount = _MoneyResponse()
    card = CardResponse(allow_null=True)
    next_action = NextActionResponse(allow_null=True)
    created_at = serializers.DateTimeField()


class OrderRefundResponse(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=REFUND_STATUSES)
    amount = _MoneyResponse()
    reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class OrderReturnLineResponse(serializers.Serializer[Any]):
    line_id = serializers.IntegerField()
    quantity = serializers.IntegerField()


class OrderReturnResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=RETURN_STATUSES)
    reason = serializers.CharField(allow_blank=True)
    requested_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField(allow_null=True)
    lines = OrderReturnLineResponse(many=True)


class OrderShipmentResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()


class OrderEventResponse(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=_words(OrderEvent.Kind))
    happened_at = serializers.DateTimeField()
    detail = serializers.CharField(allow_blank=True)


class OrderActionResponse(serializers.Serializer[Any]):
    name = serializers.ChoiceField(choices=["cancel"])
    allowed = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)


class OrderResponse(serializers.Serializer[Any]):
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=ORDER_STATUSES)
    payment_status = serializers.ChoiceField(choices=_words(Order.PaymentStatus))
    fulfillment_status = serializers.ChoiceField(choices=_words(Order.FulfillmentStatus))
    placed_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    cancelled_at = serializers.DateTimeField(allow_null=True)
    hold_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when a pending order keeps its stock."
    )
    currency = serializers.CharField()
    email_masked = serializers.CharField(allow_null=True)
    email_hash = serializers.CharField(allow_null=True)
    shipping_method = ShippingMethodResponse(allow_null=True)
    shipping_address = PostalResponse(allow_null=True)
    billing_address = PostalResponse(allow_null=True)
    line_count = serializers.IntegerField()
    lines = OrderLineResponse(many=True)
    totals = TotalsResponse()
    total = _MoneyResponse()
    payments = OrderPaymentResponse(many=True)
    shipments = OrderShipmentResponse(many=True)
    refunds = OrderRefundResponse(many=True)
    returns = OrderReturnResponse(many=True)
    events = OrderEventResponse(many=True)
    actions = OrderActionResponse(many=True)


class CheckoutPaymentResponse(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=PAYMENT_WORDS)
    next_action = NextActionResponse(required=False)


class CheckoutResponse(serializers.Serializer[Any]):
    order = OrderResponse()
    payment = CheckoutPaymentResponse()
    access_token = serializers.CharField(
        required=False, help_text="For a guest, told this once: send it as `X-Order-Token`."
    )


class WaitingTicketResponse(serializers.Serializer[Any]):
    id = serializers.CharField()
    state = serializers.ChoiceField(choices=["waiting"])
    poll_url = serializers.CharField()
    position = serializers.IntegerField(help_text="1 is next.")
    estimated_seconds = serializers.IntegerField(help_text="At the pace of the last minute.")


class CheckoutTicketResponse(serializers.Serializer[Any]):
    """No order: a place in the line of a flash sale."""

    ticket = WaitingTicketResponse()


class _PreviewLineResponse(serializers.Serializer[Any]):
    variant_id = serializers.IntegerField()
    sku = serializers.CharField()
    title = serializers.CharField()
    variant_title = serializers.CharField(allow_blank=True)
    options = serializers.DictField(child=serializers.CharField(allow_blank=True))
    image = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField()
    unit_price = _MoneyResponse()
    discount = _MoneyResponse()
    line_total = _MoneyResponse()
    tax = _MoneyResponse()
    tax_rate_bps = serializers.IntegerField()


class _TraceStepResponse(serializers.Serializer[Any]):
    step = serializers.CharField()
    detail = serializers.CharField()
    sku = serializers.CharField(allow_null=True)
    rate_bps = serializers.IntegerField(allow_null=True)
    amounts = serializers.DictField(child=_MoneyResponse())


class PreviewResponse(serializers.Serializer[Any]):
    currency = serializers.CharField()
    lines = _PreviewLineResponse(many=True)
    shipping_method = ShippingMethodResponse(allow_null=True)
    totals = TotalsResponse()
    total = _MoneyResponse()
    trace = _TraceStepResponse(many=True)
    quote_token = serializers.CharField(help_text="Binds a checkout to this total.")
    quote_expires_at = serializers.DateTimeField()


class LookupResponse(serializers.Serializer[Any]):
    detail = serializers.CharField()


class SandboxPaymentResponse(serializers.Serializer[Any]):
    order = serializers.CharField(help_text="Its number.")
    order_status = serializers.ChoiceField(choices=ORDER_STATUSES)
    payment = CheckoutPaymentResponse()


# Reviews ------------------------------------------------------------------------------------------


class ReviewRequest(RequestSerializer):
    rating = WholeNumberField(min_value=1, max_value=5, help_text="Stars.")
    title = _TextField(max_length=120, required=False, allow_blank=True)
    body = _TextField(max_length=5000, required=False, allow_blank=True)


class ReviewResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    rating = serializers.IntegerField(min_value=1, max_value=5)
    title = serializers.CharField(allow_blank=True)
    body = serializers.CharField(allow_blank=True)
    author_name = serializers.CharField()
    is_verified = serializers.BooleanField(help_text="The author bought the product.")
    created_at = serializers.DateTimeField()


class PostedReviewResponse(ReviewResponse):
    status = serializers.CharField(help_text="`pending`, until staff have looked at it.")


class ReviewPageResponse(serializers.Serializer[Any]):
    results = ReviewResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
