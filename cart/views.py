"""The cart over HTTP."""

import re
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import SignedIn, signed_in_user
from cart.permissions import TOKEN_HEADER, cart_owner, cart_owner_at_hand
from cart.serializers import (
    CartResponse,
    ItemRequest,
    MergeRequest,
    QuantityRequest,
    ShippingOptionResponse,
    ShippingOptionsQuery,
    VoucherRequest,
)
from cart.services import (
    ShippingOption,
    ShownCart,
    add_item,
    apply_voucher,
    cart_shipping_options,
    clear,
    merge,
    remove_item,
    remove_voucher,
    set_item,
    show_cart,
)
from shop.errors import FieldError, Malformed, Refusal
from shop.http.conditional import etag_for_version, if_match_of
from shop.http.json import JsonParser, dumps, read_body
from shop.http.permissions import Public
from shop.http.serializers import NoQuery
from shop.http.views import ApiView, ApiViewSet, read_idempotency_key
from shop.money import Money

_VERSION_TAG = re.compile(r'"([0-9]{1,16})"')

# Headers of requests that go the long way.
_CONDITIONS = frozenset({"HTTP_IDEMPOTENCY_KEY", "HTTP_IF_MATCH"})

TOKEN_PARAMETER = OpenApiParameter(
    TOKEN_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="A guest's cart. Ignored when signed in.",
)
TOKEN_IN_ANSWER = OpenApiParameter(
    TOKEN_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The token of a guest's cart, from the first write on.",
    response=[200],
)
ETAG_IN_ANSWER = OpenApiParameter(
    "ETag",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The cart's version, quoted.",
    response=[200],
)
IN_ANSWER = [TOKEN_IN_ANSWER, ETAG_IN_ANSWER]
IF_MATCH_PARAMETER = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the cart to change; 412 `version_mismatch` if it is another now.",
)


class CartView(ApiView):
    """The whole cart."""

    permission_classes = [Public]
    methods_at_hand = frozenset({"GET"})

    @extend_schema(
        operation_id="cart_show",
        tags=["Cart"],
        summary="Show the cart",
        parameters=[TOKEN_PARAMETER, *IN_ANSWER],
        responses={200: CartResponse},
    )
    def get(self, request: Request) -> HttpResponse:
        NoQuery.parse_query(request)
        return _answer(show_cart(owner=cart_owner(request), now=timezone.now()))

    @classmethod
    def answer_at_hand(cls, request: HttpRequest) -> HttpResponse | None:
        """Show the cart without DRF to whoever is known at once."""
        owner = cart_owner_at_hand(request)
        if owner is None or request.META.get("QUERY_STRING"):
            return None
        return _answer(show_cart(owner=owner, now=timezone.now()))

    @extend_schema(
        operation_id="cart_clear",
        tags=["Cart"],
        summary="Empty the cart",
        parameters=[TOKEN_PARAMETER, IF_MATCH_PARAMETER],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        clear(owner=cart_owner(request), expected=_expected(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CartItemViewSet(ApiViewSet):
    """The lines of the cart."""

    permission_classes = [Public]
    methods_at_hand = frozenset({"POST"})

    @classmethod
    def answer_at_hand(
        cls, request: HttpRequest, variant_id: int | None = None
    ) -> HttpResponse | None:
        """Add units without DRF for whoever is known at once, by a body that is in order."""
        if variant_id is not None or request.content_type != JsonParser.media_type:
            return None
        if _CONDITIONS & request.META.keys() or (owner := cart_owner_at_hand(request)) is None:
            return None
        try:
            body = ItemRequest.parse_json(read_body(request.body))
        except (Refusal, APIException, RequestDataTooBig):
            return None  # told by the long way
        return _answer(
            add_item(
                owner=owner,
                variant_id=body["variant_id"],
                quantity=body["quantity"],
                currency=body.get("currency"),
                now=timezone.now(),
            )
        )

    @extend_schema(
        operation_id="cart_add_item",
        tags=["Cart"],
        summary="Add units of a variant",
        parameters=[TOKEN_PARAMETER, IF_MATCH_PARAMETER, *IN_ANSWER],
        request=ItemRequest,
        responses={200: CartResponse},
    )
    def create(self, request: Request) -> HttpResponse:
        body = ItemRequest.parse(request)
        shown = add_item(
            owner=cart_owner(request),
            variant_id=body["variant_id"],
            quantity=body["quantity"],
            currency=body.get("currency"),
            expected=_expected(request),
            operation=_operation(request),
            now=timezone.now(),
        )
        return _answer(shown)

    @extend_schema(
        operation_id="cart_set_item",
        tags=["Cart"],
        summary="Set how many units of a variant are wanted",
        parameters=[TOKEN_PARAMETER, IF_MATCH_PARAMETER, *IN_ANSWER],
        request=QuantityRequest,
        responses={200: CartResponse},
    )
    def update(self, request: Request, variant_id: int) -> HttpResponse:
        body = QuantityRequest.parse(request)
        shown = set_item(
            owner=cart_owner(request),
            variant_id=variant_id,
            quantity=body["quantity"],
            expected=_expected(request),
            now=timezone.now(),
        )
        return _answer(shown)

    @extend_schema(
        operation_id="cart_remove_item",
        tags=["Cart"],
        summary="Remove a variant",
        parameters=[TOKEN_PARAMETER, IF_MATCH_PARAMETER, *IN_ANSWER],
        responses={200: CartResponse},
    )
    def destroy(self, request: Request, variant_id: int) -> HttpResponse:
        shown = remove_item(
            owner=cart_owner(request),
            variant_id=variant_id,
            expected=_expected(request),
            now=timezone.now(),
        )
        return _answer(shown)


class CartVoucherViewSet(ApiViewSet):
    """The vouchers of the cart."""

    permission_classes = [Public]

    @extend_schema(
        operation_id="cart_apply_voucher",
        tags=["Cart"],
        summary="Apply a voucher",
        description="Refused with 422 `voucher_not_applicable` and a `reason`.",
        parameters=[TOKEN_PARAMETER, *IN_ANSWER],
        request=VoucherRequest,
        responses={200: CartResponse},
    )
    def create(self, request: Request) -> HttpResponse:
        body = VoucherRequest.parse(request)
        return _answer(
            apply_voucher(owner=cart_owner(request), code=body["code"], now=timezone.now())
        )

    @extend_schema(
        operation_id="cart_remove_voucher",
        tags=["Cart"],
        summary="Remove a voucher",
        parameters=[TOKEN_PARAMETER, *IN_ANSWER],
        responses={200: CartResponse},
    )
    def destroy(self, request: Request, code: str) -> HttpResponse:
        return _answer(remove_voucher(owner=cart_owner(request), code=code, now=timezone.now()))


class CartMergeView(ApiView):
    """A guest's cart becomes the customer's."""

    permission_classes = [SignedIn]

    @extend_schema(
        operation_id="cart_merge",
        tags=["Cart"],
        summary="Take over a guest's cart",
        description="Quantities add up; what does not fit is told in `notices`. May be repeated.",
        parameters=[TOKEN_PARAMETER, IF_MATCH_PARAMETER, *IN_ANSWER],
        request=MergeRequest,
        responses={200: CartResponse},
    )
    def post(self, request: Request) -> HttpResponse:
        token = MergeRequest.parse(request).get("token") or request.headers.get(TOKEN_HEADER)
        if token is None:
            raise Malformed(
                errors=[FieldError("/token", "required", "Name the guest's cart to take over.")]
            )
        shown = merge(
            customer_id=signed_in_user(request).pk,
            token=token,
            expected=_expected(request),
            now=timezone.now(),
        )
        return _answer(shown)


class CartShippingOptionsView(ApiView):
    """How the cart could be delivered."""

    permission_classes = [Public]

    @extend_schema(
        operation_id="cart_shipping_options",
        tags=["Cart"],
        summary="List the ways to ship the cart, cheapest first",
        parameters=[ShippingOptionsQuery, TOKEN_PARAMETER],
        responses={200: ShippingOptionResponse(many=True)},
    )
    def get(self, request: Request) -> Response:
        query = ShippingOptionsQuery.parse_query(request)
        options = cart_shipping_options(
            owner=cart_owner(request),
            country=query["country"],
            postal_code=query.get("postal_code", ""),
            now=timezone.now(),
        )
        return Response([shipping_option_document(option) for option in options])


def cart_document(shown: ShownCart) -> dict[str, Any]:
    """Return the cart as `CartResponse` describes it."""
    quote = shown.quote

    def money(amount_minor: int) -> dict[str, str]:
        return Money(amount_minor, shown.currency).as_json()

    return {
        "token": shown.token,
        "version": shown.version,
        "currency": shown.currency,
        "lines": [
            {
                "variant_id": line.card.variant_id,
                "sku": line.card.sku,
                "title": line.card.title,
                "options": line.card.options,
                "image": line.card.image,
                "quantity": line.quantity,
                "unit_price": money(line.card.unit_price_minor),
                "line_total": money(line.total_minor),
                "availability": {
                    "state": line.card.availability_state,
                    "quantity": line.card.availability_quantity,
                },
            }
            for line in shown.lines
        ],
        "vouchers": [],
        "totals": {
            "subtotal": money(quote.subtotal_minor),
            "discount": money(quote.discount_minor),
            "shipping": money(quote.shipping_minor),
            "tax": money(quote.tax_minor),
            "total": money(quote.total_minor),
        },
        "notices": [
            {"code": notice.code, "variant_id": notice.variant_id, "detail": notice.detail}
            for notice in shown.notices
        ],
        "expires_at": shown.expires_at,
    }


def shipping_option_document(option: ShippingOption) -> dict[str, Any]:
    """Return the option as `ShippingOptionResponse` describes it."""
    return {
        "code": option.code,
        "name": option.name,
        "price": Money(option.price_minor, option.currency).as_json(),
        "days": {"min": option.days_min, "max": option.days_max},
    }


def _answer(shown: ShownCart) -> HttpResponse:
    headers = {"Content-Type": "application/json", "ETag": etag_for_version(shown.version)}
    if shown.token is not None:
        headers[TOKEN_HEADER] = shown.token
    return HttpResponse(dumps(cart_document(shown)), headers=headers)


def _expected(request: Request) -> frozenset[int] | None:
    """Return the versions that `If-Match` accepts; a tag that no cart ever had matches none."""
    tags = if_match_of(request)
    if tags is None:
        return None
    return frozenset(int(tag[1]) for tag in map(_VERSION_TAG.fullmatch, tags) if tag)


def _operation(request: Request) -> str | None:
    """Name this POST for the cart, to be applied once even if its answer was never stored."""
    key = read_idempotency_key(request)
    if key is None:
        return None
    return f"{request._request.path_info} {key} {dumps(request.data).decode()}"
