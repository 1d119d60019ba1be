"""Limits on what one buyer may have, over HTTP: for staff."""

from datetime import datetime

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import selectors, services
from inventory.models import PurchaseLimit
from inventory.permissions import (
    MayChangePurchaseLimits,
    MayDeletePurchaseLimits,
    MaySeePurchaseLimits,
)
from inventory.serializers import (
    PurchaseLimitListQuery,
    PurchaseLimitPageResponse,
    PurchaseLimitRequest,
    PurchaseLimitResponse,
)
from shop.errors import VersionMismatch
from shop.http.conditional import if_match_of
from shop.http.pagination import paginate
from shop.http.serializers import NoQuery
from shop.http.views import ApiView

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the limit to change; 412 `version_mismatch` if it is another now.",
)


def _tag_of(limit: PurchaseLimit) -> str:
    return f'"{limit.updated_at.isoformat()}"'


def _expected(request: Request) -> datetime | None:
    """Return the moment that `If-Match` names, or None for any. Raises VersionMismatch."""
    tags = if_match_of(request)
    if tags is None:
        return None
    try:
        return datetime.fromisoformat(tags[0].strip('"'))
    except (IndexError, ValueError):
        raise VersionMismatch("It has changed since you read it: read it again.") from None


def _shown(limit: PurchaseLimit) -> Response:
    return Response(PurchaseLimitResponse(limit).data, headers={"ETag": _tag_of(limit)})


class PurchaseLimitListView(ApiView):
    permission_classes = (MaySeePurchaseLimits,)

    @extend_schema(
        operation_id="inventory_purchase_limits_list",
        tags=["inventory"],
        summary="List the variants of which a buyer may have so many",
        parameters=[PurchaseLimitListQuery],
        responses={200: PurchaseLimitPageResponse},
    )
    def get(self, request: Request) -> Response:
        PurchaseLimitListQuery.parse_query(request)
        page = paginate(selectors.purchase_limits(), request=request, order=("id",))
        return Response(page.answer(list(PurchaseLimitResponse(page.rows, many=True).data)))


class PurchaseLimitView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        match self.request.method:
            case "PUT":
                return [MayChangePurchaseLimits()]
            case "DELETE":
                return [MayDeletePurchaseLimits()]
            case _:
                return [MaySeePurchaseLimits()]

    @extend_schema(
        operation_id="inventory_purchase_limits_show",
        tags=["inventory"],
        summary="Show how many of a variant a buyer may have",
        responses={200: PurchaseLimitResponse},
    )
    def get(self, request: Request, variant_id: int) -> Response:
        NoQuery.parse_query(request)
        return _shown(selectors.purchase_limit_of(variant_id))

    @extend_schema(
        operation_id="inventory_purchase_limits_set",
        tags=["inventory"],
        summary="Set how many of a variant a buyer may have",
        description=(
            "Counts what a buyer holds and has bought; what was released or cancelled counts no"
            " more. A customer and a guest of the same e-mail address are one buyer."
        ),
        parameters=[IF_MATCH],
        request=PurchaseLimitRequest,
        responses={200: PurchaseLimitResponse},
    )
    def put(self, request: Request, variant_id: int) -> Response:
        body = PurchaseLimitRequest.parse(request)
        services.set_purchase_limit(
            variant_id=variant_id,
            units=body["units"],
            window_days=body.get("window_days"),
            now=timezone.now(),
            expected=_expected(request),
        )
        return _shown(selectors.purchase_limit_of(variant_id))

    @extend_schema(
        operation_id="inventory_purchase_limits_remove",
        tags=["inventory"],
        summary="Have no limit for a variant",
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, variant_id: int) -> Response:
        services.remove_purchase_limit(variant_id=variant_id, expected=_expected(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
