"""Flash sales over HTTP: for everyone to see and to queue up, for staff to plan."""

import re

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import selectors, services
from inventory.errors import FlashSaleNotFound
from inventory.models import FlashSale
from inventory.permissions import MayAddFlashSales, MayChangeFlashSales, MayDeleteFlashSales
from inventory.serializers import (
    FlashSaleChangeRequest,
    FlashSaleListQuery,
    FlashSalePageResponse,
    FlashSaleRequest,
    FlashSaleResponse,
    FlashSaleStaffResponse,
    TicketAnswer,
)
from shop.errors import VersionMismatch
from shop.http.conditional import etag_of, if_match_of, not_modified
from shop.http.json import dumps
from shop.http.pagination import paginate
from shop.http.permissions import Public
from shop.http.serializers import NoQuery
from shop.http.views import ApiView, principal_of, read_idempotency_key

# Shorter than the catalogue's: what is left changes by the second.
CACHE_CONTROL = "public, max-age=2"
_TAG = re.compile(r'"([0-9]{1,10})(?:\.[0-9a-f]+)?"')

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the copy at hand: 304 if it is current.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "The `ETag` of the sale to change; 412 `version_mismatch` if staff changed it since. Units"
        " that sell meanwhile are no change."
    ),
)
NOT_MODIFIED = OpenApiResponse(description="The copy at hand is current.")


def _tag_of(version: int) -> str:
    return f'"{version}"'


def _expected_version(request: Request) -> int | None:
    """Return the version that `If-Match` names, or None for any. Raises VersionMismatch."""
    tags = if_match_of(request)
    if tags is None:
        return None
    found = [match for tag in tags if (match := _TAG.fullmatch(tag))]
    if not found:
        raise VersionMismatch("It has changed since you read it: read it again.")
    return int(found[0][1])


def _public(request: Request, body: bytes, *, tag: str) -> HttpResponse:
    if not_modified(request.headers.get("If-None-Match"), tag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = tag
    response["Cache-Control"] = CACHE_CONTROL
    return response


def _for_staff(sale: FlashSale, *, code: int) -> Response:
    return Response(
        FlashSaleStaffResponse(sale).data, status=code, headers={"ETag": _tag_of(sale.version)}
    )


class FlashSaleListView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayAddFlashSales() if self.request.method == "POST" else Public()]

    @extend_schema(
        operation_id="flash_sales_list",
        tags=["flash sales"],
        summary="List flash sales that run or are to come",
        parameters=[FlashSaleListQuery, IF_NONE_MATCH],
        responses={200: FlashSalePageResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request) -> HttpResponse:
        FlashSaleListQuery.parse_query(request)
        now = timezone.now()
        page = paginate(
            selectors.current_flash_sales(now=now), request=request, order=("starts_at", "id")
        )
        body = dumps(page.answer(selectors.flash_sale_documents(page.rows, now=now)))
        return _public(request, body, tag=etag_of(body))

    @extend_schema(
        operation_id="flash_sales_create",
        tags=["flash sales"],
        summary="Plan a flash sale",
        description=(
            "Nothing is set aside for it. While it runs, the variant is sold in it alone, up to its"
            " units; before and after, it sells as usual."
        ),
        request=FlashSaleRequest,
        responses={201: FlashSaleStaffResponse},
    )
    def post(self, request: Request) -> Response:
        body = FlashSaleRequest.parse(request)
        sale = services.create_flash_sale(draft=services.FlashSaleDraft(**body), now=timezone.now())
        return _for_staff(sale, code=status.HTTP_201_CREATED)


class FlashSaleView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        match self.request.method:
            case "PATCH":
                return [MayChangeFlashSales()]
            case "DELETE":
                return [MayDeleteFlashSales()]
            case _:
                return [Public()]

    @extend_schema(
        operation_id="flash_sales_show",
        tags=["flash sales"],
        summary="Show a flash sale and what is left of it",
        description="At most two seconds old: only the checkout decides.",
        parameters=[IF_NONE_MATCH],
        responses={200: FlashSaleResponse, 304: NOT_MODIFIED},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        NoQuery.parse_query(request)
        found = selectors.flash_sale_rendered(slug, now=timezone.now())
        if found is None:
            raise FlashSaleNotFound("There is no flash sale of this name.")
        version, body = found
        # The part before the dot is what staff change; the rest follows the units that are left.
        return _public(request, body, tag=f'"{version}.{etag_of(body).strip(chr(34))}"')

    @extend_schema(
        operation_id="flash_sales_change",
        tags=["flash sales"],
        summary="Change a flash sale, also while it runs",
        parameters=[IF_MATCH],
        request=FlashSaleChangeRequest,
        responses={200: FlashSaleStaffResponse},
    )
    def patch(self, request: Request, slug: str) -> Response:
        sale = services.change_flash_sale(
            slug=slug,
            changes=FlashSaleChangeRequest.parse_partial(request),
            now=timezone.now(),
            expected_version=_expected_version(request),
        )
        return _for_staff(sale, code=status.HTTP_200_OK)

    @extend_schema(
        operation_id="flash_sales_delete",
        tags=["flash sales"],
        summary="Remove a flash sale that has sold nothing",
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, slug: str) -> Response:
        services.delete_flash_sale(slug=slug, expected_version=_expected_version(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketIssueView(ApiView):
    """A place in line. One for a customer or a cart, however often it is asked for."""

    permission_classes = (Public,)
    # Asking again finds the place, and an answer that was kept would tell an old position of it.
    keeps_own_idempotency = True

    @extend_schema(
        operation_id="flash_sales_queue_up",
        tags=["flash sales"],
        summary="Queue up for a flash sale, also before it starts",
        description=(
            "First come, first served. Poll the ticket; once it is `admitted`, send the checkout"
            " with `X-Sale-Ticket`. A customer or a cart has one place. Anybody else has one for"
            " each `Idempotency-Key`, which finds it again and is told how it stands now."
        ),
        parameters=[
            OpenApiParameter(
                "X-Cart-Token",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="A guest's cart. Ignored when signed in.",
            )
        ],
        request=None,
        responses={202: TicketAnswer},
    )
    def post(self, request: Request, slug: str) -> Response:
        holder = principal_of(request)
        if holder.startswith("nobody:"):
            # Strangers behind one address would share a place.
            key = read_idempotency_key(request)
            holder = f"{holder}\n{key}" if key else ""
        ticket = services.issue_ticket(slug=slug, holder=holder, now=timezone.now())
        return _ticket_answer(ticket, code=status.HTTP_202_ACCEPTED)


class TicketView(ApiView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="flash_sales_ticket",
        tags=["flash sales"],
        summary="Ask how a ticket stands",
        description=(
            "Ask again after `Retry-After`: who has not asked for half a minute has left the line."
            " `admitted` is good for one checkout until `admitted_until`; `gone` is final."
        ),
        responses={200: TicketAnswer},
    )
    def get(self, request: Request, ticket_id: str) -> Response:
        NoQuery.parse_query(request)
        ticket = services.ticket_state(ticket=ticket_id, now=timezone.now())
        return _ticket_answer(ticket, code=status.HTTP_200_OK)


def _ticket_answer(ticket: services.Ticket, *, code: int) -> Response:
    response = Response({"ticket": ticket.as_json()}, status=code)
    response["Cache-Control"] = "private, no-store"
    if ticket.state == "waiting":
        response["Retry-After"] = str(ticket.ask_again_seconds)
    return response
