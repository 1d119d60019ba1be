"""Checkout and orders over HTTP."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.template.loader import render_to_string
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import exceptions, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import FormParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.permissions import (
    SignedIn,
    guessing_password,
    session_of,
    signed_in_user,
    user_or_none,
)
from cart.permissions import cart_owner, cart_owner_at_hand
from catalog.errors import ProductNotFound
from catalog.selectors import reviews_rendered, shown_reviews
from catalog.services import ReviewDraft
from inventory.services import knows_shortages
from orders import selectors, services
from orders.models import Order
from orders.permissions import count_lookup, may_change_all, may_see_all, may_see_personal
from orders.serializers import (
    CancelRequest,
    CheckoutRequest,
    CheckoutResponse,
    CheckoutTicketResponse,
    ErasureResponse,
    LookupRequest,
    LookupResponse,
    OrderListQuery,
    OrderPageResponse,
    OrderResponse,
    PersonalExportRequest,
    PostedReviewResponse,
    PreviewRequest,
    PreviewResponse,
    ProofRequest,
    ReviewPageResponse,
    ReviewRequest,
    ReviewResponse,
    SandboxOutcomeRequest,
    SandboxPaymentResponse,
)
from orders.services import CheckoutWish, Expectation, Postal
from shop.errors import Malformed, Refusal
from shop.http.conditional import etag_for_version, public_answer, require_match
from shop.http.json import JsonParser, dumps, read_body
from shop.http.pagination import paginate
from shop.http.permissions import Public
from shop.http.serializers import ListQuery, NoQuery
from shop.http.views import (
    ApiView,
    answer_of,
    as_response,
    is_stored,
    read_idempotency_key,
    replayed,
    scope_of,
)
from shop.idempotency import IdempotencyInProgress, IdempotencyKeyReused, Scope
from shop.jobs.serializers import JobStartedResponse
from shop.privacy.looking import note_look
from shop.problems import as_http, request_id_of

_LONGEST_TICKETS = 500  # characters: some five tickets
_ORDER_TOKEN = re.compile(r"[A-Za-z0-9_:=-]{1,300}")

CART_TOKEN_PARAMETER = OpenApiParameter(
    "X-Cart-Token",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="A guest's cart. Ignored when signed in.",
)
ORDER_TOKEN_PARAMETER = OpenApiParameter(
    "X-Order-Token",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="A guest's token for the order, from its checkout or from a mailed link.",
)
REF_PARAMETER = OpenApiParameter(
    "ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="The product's id or slug."
)
IF_MATCH_PARAMETER = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the order to change; 412 `version_mismatch` if it is another now.",
)
ETAG_IN_ANSWER = OpenApiParameter(
    "ETag",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The order's version, quoted.",
    response=[200],
)
NUMBER_PARAMETER = OpenApiParameter(
    "number", OpenApiTypes.STR, OpenApiParameter.PATH, description="The order's number."
)
KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x2b\x2d-\x7e]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="Made up for each order. Sent again, the first answer comes back.",
)


SALE_TICKET_PARAMETER = OpenApiParameter(
    "X-Sale-Ticket",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="An admitted ticket of a flash sale; several, of several sales, by commas.",
)


class PreviewView(ApiView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="checkout_preview",
        tags=["checkout"],
        summary="See what a checkout would charge",
        description="Writes and holds nothing. `quote_token` is good for ten minutes.",
        parameters=[CART_TOKEN_PARAMETER],
        request=PreviewRequest,
        responses={200: PreviewResponse},
    )
    def post(self, request: Request) -> Response:
        body = PreviewRequest.parse(request)
        preview = services.preview(
            owner=cart_owner(request),
            address=Postal(**body["shipping_address"]),
            shipping_method=body["shipping_method"],
            expectation=_expectation(body),
            now=timezone.now(),
        )
        return Response(
            selectors.preview_document(
                preview.offer.quote,
                preview.offer.cards,
                quote_token=preview.quote_token,
                expires_at=preview.expires_at,
            )
        )


class _StepwiseView(ApiView):
    """A POST that commits in several steps, and so looks after its idempotency key by itself."""

    keeps_own_idempotency = True

    def once(self, request: Request, act: Callable[[], Response]) -> HttpResponse | Response:
        """Answer with what `act` gives, or with what the request's key was answered before.

        Only for what can be repeated, so that nothing needs to be claimed before: of two at once
        both do it, and both give the answer that was stored first.
        """
        key = read_idempotency_key(request)
        if key is None:
            return act()
        scope = scope_of(request, key)
        try:
            if stored := services.answer_stored(scope=scope, now=timezone.now()):
                return replayed(stored)
            answer = answer_of(act())
            return as_response(
                services.remember_answer(scope=scope, answer=answer, now=timezone.now())
            )
        except (IdempotencyKeyReused, IdempotencyInProgress):
            raise
        except (Refusal, exceptions.APIException) as error:
            return self.refused(error, scope)

    def refused(self, error: Exception, scope: Scope) -> HttpResponse:
        """Answer with the refusal, stored under the key if it is final."""
        answer = answer_of(self.handle_exception(error))
        if is_stored(answer.status):
            answer = services.remember_answer(scope=scope, answer=answer, now=timezone.now())
        response = as_response(answer)
        if isinstance(error, Refusal):
            response.problem_code = error.code  # type: ignore[attr-defined]
        return response


class CheckoutView(_StepwiseView):
    permission_classes = (Public,)
    requires_idempotency_key = True
    methods_at_hand = frozenset({"POST"})

    @classmethod
    def answer_at_hand(cls, request: HttpRequest) -> HttpResponse | None:
        """Turn somebody away without DRF if what is in the cart is known to be sold out."""
        if not knows_shortages() or request.content_type != JsonParser.media_type:
            return None
        owner = cart_owner_at_hand(request)
        if owner is None or (owner.customer_id is None and not owner.token):
            return None
        shortage = services.shortage_at_hand(owner=owner, now=timezone.now())
        if shortage is None:
            return None
        try:
            if read_idempotency_key(request) is None:
                return None
            body = CheckoutRequest.parse_json(read_body(request.body))
            services.require_in_order(
                provider=body["payment"]["provider"],
                token=body["payment"]["token"],
                email=body.get("email", ""),
                has_account=owner.customer_id is not None,
            )
        except (Refusal, exceptions.APIException, RequestDataTooBig):
            return None  # what is wrong with the request is told first, by the long way
        except UnreadablePostError:
            return as_http(Malformed("The body breaks off."), request)
        response = as_http(shortage, request)
        response["Cache-Control"] = "private, no-store"
        return response

    @extend_schema(
        operation_id="checkout",
        tags=["checkout"],
        summary="Order what is in the cart",
        description=(
            "Prices, tax and stock are decided here. With `requires_action`, send the buyer to"
            " `next_action.url`. 202 has one of two members. `order`: the payment provider did not"
            " answer in time; the order is pending and settled by itself. `ticket`: a flash sale"
            " lets nobody more in at the moment, and there is no order; poll `ticket.poll_url`, and"
            " once it is `admitted` send the checkout again, with the same key if you like, and"
            " with `X-Sale-Ticket`."
        ),
        parameters=[CART_TOKEN_PARAMETER, KEY_PARAMETER, SALE_TICKET_PARAMETER],
        request=CheckoutRequest,
        responses={
            201: CheckoutResponse,
            202: PolymorphicProxySerializer(
                component_name="CheckoutAccepted",
                serializers=[CheckoutResponse, CheckoutTicketResponse],
                resource_type_field_name=None,
            ),
        },
    )
    def post(self, request: Request) -> HttpResponse:
        scope = scope_of(request, read_idempotency_key(request) or "")
        try:
            given = services.checkout(
                wish=_wish(request, CheckoutRequest.parse(request)),
                scope=scope,
                request_id=request_id_of(request._request),
                now=timezone.now(),
            )
        except (IdempotencyKeyReused, IdempotencyInProgress):
            raise
        except (Refusal, exceptions.APIException) as error:
            return self.refused(error, scope)
        return replayed(given.answer) if given.is_replay else as_response(given.answer)


class OrderListView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="orders_list",
        tags=["orders"],
        summary="List orders, newest first",
        description="One's own; everybody's for staff with `orders.view_order`.",
        parameters=[OrderListQuery],
        responses={200: OrderPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = OrderListQuery.parse_query(request)
        orders = (
            selectors.all_orders()
            if may_see_all(request)
            else selectors.orders_of(signed_in_user(request))
        )
        page = paginate(
            selectors.narrowed(
                orders,
                status=query.get("status"),
                placed_after=query.get("placed_after"),
                q=query.get("q"),
            ),
            request=request,
            order=("-placed_at", "-id"),
        )
        return Response(page.answer([selectors.order_row(order) for order in page.rows]))


class OrderView(ApiView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="orders_show",
        tags=["orders"],
        summary="Show an order",
        description=(
            "To its owner, to whoever has its token, and to staff; 404 to anybody else. Staff see"
            " addresses masked, or with `shop.view_personal_data` in full and noted."
        ),
        parameters=[NUMBER_PARAMETER, ORDER_TOKEN_PARAMETER, ETAG_IN_ANSWER],
        responses={200: OrderResponse},
    )
    def get(self, request: Request, number: str) -> Response:
        NoQuery.parse_query(request)
        order = _readable(request, number, sees_all=may_see_all(request))
        return _shown(request, order)


class CancelView(_StepwiseView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="orders_cancel",
        tags=["orders"],
        summary="Cancel an order",
        description=(
            "While nothing of it is on its way. What was paid goes back, and so does the stock."
            " Repeatable."
        ),
        parameters=[NUMBER_PARAMETER, ORDER_TOKEN_PARAMETER, IF_MATCH_PARAMETER, ETAG_IN_ANSWER],
        request=CancelRequest,
        responses={200: OrderResponse},
    )
    def post(self, request: Request, number: str) -> HttpResponse | Response:
        return self.once(request, lambda: self._cancel(request, number))

    def _cancel(self, request: Request, number: str) -> Response:
        body = CancelRequest.parse(request)
        order = _readable(request, number, sees_all=may_change_all(request))
        # Of an order that is cancelled nothing changes, so whoever repeats this may well have the
        # version from before: they never heard that they had succeeded.
        if order.status != Order.Status.CANCELLED:
            require_match(request, etag_for_version(order.version))
        user = user_or_none(request)
        cancelled = services.cancel_order(
            number=order.number,
            reason=body["reason"],
            now=timezone.now(),
            actor_id=user.pk if user else None,
        )
        return _shown(request, cancelled)


class LookupView(ApiView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="orders_lookup",
        tags=["orders"],
        summary="Have a link to an order mailed to its buyer",
        description="The answer is the same whether or not there is such an order.",
        request=LookupRequest,
        responses={202: LookupResponse},
    )
    def post(self, request: Request) -> Response:
        body = LookupRequest.parse(request)
        count_lookup(request, email=body["email"])
        services.request_order_link(number=body["number"], email=body["email"])
        return Response(
            {"detail": "If that is the buyer's address, a link is on its way there."},
            status=status.HTTP_202_ACCEPTED,
        )


class PersonalExportView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_export",
        tags=["me"],
        summary="Have everything about oneself written into a file",
        description=(
            "The password may be left out for ten minutes after logging in."
            " A job makes one JSON document. Once it has succeeded, its `result.url` is good for"
            " five minutes, for whoever asked for it; ask for the job again for a new one. The file"
            " is deleted after two days."
        ),
        request=PersonalExportRequest,
        responses={202: JobStartedResponse},
    )
    def post(self, request: Request) -> Response:
        body = PersonalExportRequest.parse(request)
        with guessing_password(request):
            job = services.request_personal_export(
                user=signed_in_user(request),
                session=session_of(request),
                password=body.get("password"),
                now=timezone.now(),
            )
        url = reverse("job", args=[job.public_id], request=request)
        return Response(
            {"job": {"id": job.public_id, "url": url}},
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": url},
        )


class ErasureView(ApiView):
    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="me_erase",
        tags=["me"],
        summary="Have oneself forgotten",
        description=(
            "The account is closed at once and for good; its address may be registered anew. What"
            " hangs on it follows within minutes: addresses, carts and subscriptions are deleted,"
            " orders keep their goods and amounts and name nobody. What the law has us keep of"
            " invoices is kept apart until its day."
        ),
        request=ProofRequest,
        responses={202: ErasureResponse},
    )
    def post(self, request: Request) -> Response:
        body = ProofRequest.parse(request)
        with guessing_password(request):
            services.request_erasure(
                user=signed_in_user(request), password=body["password"], now=timezone.now()
            )
        return Response(
            {"detail": "The account is closed. What is left of you here goes within minutes."},
            status=status.HTTP_202_ACCEPTED,
        )


class SandboxPaymentView(_StepwiseView):
    """Where the sandbox's payer proves who they are, as they would at their bank's."""

    permission_classes = (Public,)
    parser_classes = (JsonParser, FormParser)

    @extend_schema(exclude=True)
    def get(self, request: Request, payment_id: UUID) -> HttpResponse:
        payment = services.sandbox_payment(payment_id)
        page = render_to_string("orders/sandbox/payment.html", {"payment": payment})
        response = HttpResponse(page)
        response["Cache-Control"] = "private, no-store"
        return response

    @extend_schema(
        operation_id="sandbox_payment_complete",
        tags=["sandbox"],
        summary="Act as the payer of a sandbox payment",
        description="Only where the sandbox is open. The first answer counts.",
        request={"application/json": SandboxOutcomeRequest},
        responses={200: SandboxPaymentResponse},
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponse | Response:
        return self.once(request, lambda: self._complete(request, payment_id))

    def _complete(self, request: Request, payment_id: UUID) -> Response:
        body = SandboxOutcomeRequest.parse(request)
        settlement = services.complete_sandbox_payment(
            payment_id=payment_id, succeeds=body["outcome"] == "succeed", now=timezone.now()
        )
        return Response(
            {
                "order": settlement.order.number,
                "order_status": settlement.order.status.lower(),
                "payment": selectors.payment_answer(settlement.payment),
            }
        )


def _wish(request: Request, body: dict[str, Any]) -> CheckoutWish:
    billing = body.get("billing_address")
    return CheckoutWish(
        owner=cart_owner(request),
        customer=user_or_none(request),
        email=body.get("email", ""),
        shipping_address=Postal(**body["shipping_address"]),
        billing_address=Postal(**billing) if billing else None,
        shipping_method=body["shipping_method"],
        provider=body["payment"]["provider"],
        token=body["payment"]["token"],
        expectation=_expectation(body),
        sale_tickets=_sale_tickets(request),
    )


def _sale_tickets(request: Request) -> tuple[str, ...]:
    """Return the tickets that were sent; what could be none is left out."""
    sent = request.headers.get("X-Sale-Ticket", "")[:_LONGEST_TICKETS].split(",")
    return tuple(ticket.strip() for ticket in sent if ticket.strip())


def _expectation(body: dict[str, Any]) -> Expectation:
    return Expectation(total=body.get("expected_total"), quote_token=body.get("quote_token"))


def _readable(request: Request, number: str, *, sees_all: bool) -> Order:
    return selectors.readable_order(
        number=number,
        user=user_or_none(request),
        token=_order_token(request),
        sees_all=sees_all,
        now=timezone.now(),
    )


def _shown(request: Request, order: Order) -> Response:
    """Show the order: its addresses to the buyer, and to staff who may see them, which is noted."""
    now = timezone.now()
    user = user_or_none(request)
    is_buyer = selectors.is_buyer(order=order, user=user, token=_order_token(request), now=now)
    sees_addresses = is_buyer or may_see_personal(request)
    if sees_addresses and not is_buyer and user is not None:
        note_look(
            actor_id=user.pk,
            table=Order._meta.label,
            row=str(order.pk),
            fields=("shipping_address", "billing_address"),
            reason="Read over the API",
            request_id=request_id_of(request._request),
            now=now,
        )
    return Response(
        selectors.document_of(order, is_masked=not sees_addresses),
        headers={"ETag": etag_for_version(order.version)},
    )


def _order_token(request: Request) -> str:
    token = request.headers.get("X-Order-Token", "")
    return token if _ORDER_TOKEN.fullmatch(token) else ""


class ReviewsView(ApiView):
    """What buyers say of a product; here, because orders know who bought it."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        return super().get_authenticators() if self._is_post() else []

    def get_permissions(self) -> list[BasePermission]:
        return [SignedIn() if self._is_post() else Public()]

    def _is_post(self) -> bool:
        return getattr(self.request, "method", "") == "POST"

    @extend_schema(
        operation_id="products_reviews",
        tags=["Catalogue"],
        summary="What buyers say of a product, the latest first",
        parameters=[REF_PARAMETER, ListQuery],
        responses={200: ReviewPageResponse},
    )
    def get(self, request: Request, ref: str) -> HttpResponse:
        ListQuery.parse_query(request)

        def render(product_id: int) -> bytes:
            page = paginate(shown_reviews(product_id), request=request, order=("-id",))
            return dumps(page.answer(list(ReviewResponse(page.rows, many=True).data)))

        body = reviews_rendered(
            ref, address=request.build_absolute_uri(), now=timezone.now(), render=render
        )
        if body is None:
            raise ProductNotFound("There is no such product.")
        return public_answer(request, body)

    @extend_schema(
        operation_id="products_reviews_create",
        tags=["Catalogue"],
        summary="Review what you bought",
        parameters=[REF_PARAMETER],
        request=ReviewRequest,
        responses={201: PostedReviewResponse},
    )
    def post(self, request: Request, ref: str) -> Response:
        body = ReviewRequest.parse(request)
        review = services.post_review(
            customer=signed_in_user(request),
            product_ref=ref,
            draft=ReviewDraft(**body),
            now=timezone.now(),
        )
        shown = PostedReviewResponse(review).data
        return Response({**shown, "status": "pending"}, status=status.HTTP_201_CREATED)
