"""How much there is, and its corrections, over HTTP: for staff."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import signed_in_user
from inventory import selectors, services
from inventory.models import Stock, StockMovement
from inventory.permissions import (
    MayChangeStock,
    MayChangeTerms,
    MaySeeCounts,
    MaySeeMovements,
    MaySeeStock,
)
from inventory.serializers import (
    AdjustmentRequest,
    CountPageResponse,
    CountRequest,
    CountResponse,
    LedgerQuery,
    MovementPageResponse,
    MovementQuery,
    MovementResponse,
    StockBulkRequest,
    StockBulkResponse,
    StockPageResponse,
    StockQuery,
    StockResponse,
    StockTermsRequest,
)
from inventory.views.conditions import ETAG, IF_MATCH
from shop.http.conditional import etag_of, require_match
from shop.http.json import dumps
from shop.http.pagination import paginate
from shop.http.serializers import NoQuery
from shop.http.views import ApiView


class StockView(ApiView):
    permission_classes = (MaySeeStock,)

    @extend_schema(
        operation_id="inventory_stock_list",
        tags=["inventory"],
        summary="List stock by SKU",
        parameters=[StockQuery],
        responses={200: StockPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = StockQuery.parse_query(request)
        page = paginate(
            selectors.stock_rows(
                sku=query.get("sku"), warehouse=query.get("warehouse"), below=query.get("below")
            ),
            request=request,
            order=("sku", "id"),
        )
        return Response(page.answer(list(StockResponse(page.rows, many=True).data)))


def terms_etag(stock: Stock) -> str:
    """Return the tag of what staff may change. The counters move without it, with every sale."""
    return etag_of(dumps([stock.backorder_limit, stock.low_at]))


class StockItemView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayChangeTerms() if self.request.method == "PATCH" else MaySeeStock()]

    @extend_schema(
        operation_id="inventory_stock_retrieve",
        tags=["inventory"],
        summary="Read one stock",
        description="Its `ETag` is that of its terms: it does not change with each sale.",
        parameters=[ETAG],
        responses={200: StockResponse},
    )
    def get(self, request: Request, stock_id: int) -> Response:
        NoQuery.parse_query(request)
        return _stock(selectors.stock_row(stock_id))

    @extend_schema(
        operation_id="inventory_stock_partial_update",
        tags=["inventory"],
        summary="Change on which terms a stock is sold",
        parameters=[IF_MATCH, ETAG],
        request=StockTermsRequest,
        responses={200: StockResponse},
    )
    def patch(self, request: Request, stock_id: int) -> Response:
        body = StockTermsRequest.parse_partial(request)
        services.change_stock_terms(
            stock_id=stock_id,
            backorder_limit=body.get("backorder_limit"),
            low_at=body.get("low_at"),
            require=lambda stock: require_match(request, terms_etag(stock)),
            now=timezone.now(),
        )
        return _stock(selectors.stock_row(stock_id))


def _stock(stock: Stock) -> Response:
    return Response(StockResponse(stock).data, headers={"ETag": terms_etag(stock)})


class StockBulkView(ApiView):
    permission_classes = (MayChangeStock,)

    @extend_schema(
        operation_id="inventory_stock_bulk",
        tags=["inventory"],
        summary="Set what is on hand of many, with a result for each",
        request=StockBulkRequest,
        responses={200: StockBulkResponse},
    )
    def post(self, request: Request) -> Response:
        body = StockBulkRequest.parse(request)
        dry_run = body.get("dry_run", False)
        results = services.set_stock(
            rows=[
                services.StockRow(row["sku"], row["warehouse"], row["on_hand"])
                for row in body["rows"]
            ],
            reason=body.get("reason", ""),
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
            dry_run=dry_run,
        )
        return Response(StockBulkResponse({"dry_run": dry_run, "results": results}).data)


class AdjustmentView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayChangeStock() if self.request.method == "POST" else MaySeeMovements()]

    @extend_schema(
        operation_id="inventory_adjustments_list",
        tags=["inventory"],
        summary="List corrections, newest first",
        parameters=[LedgerQuery],
        responses={200: MovementPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = LedgerQuery.parse_query(request)
        return ledger_page(request, query, kind=StockMovement.Kind.ADJUSTMENT)

    @extend_schema(
        operation_id="inventory_adjustments_create",
        tags=["inventory"],
        summary="Correct what is on hand",
        request=AdjustmentRequest,
        responses={201: MovementResponse},
    )
    def post(self, request: Request) -> Response:
        body = AdjustmentRequest.parse(request)
        movement = services.adjust_stock(
            sku=body["sku"],
            warehouse=body["warehouse"],
            delta=body["delta"],
            reason=body["reason"],
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
        )
        return Response(
            MovementResponse(selectors.movements().get(pk=movement.pk)).data,
            status=status.HTTP_201_CREATED,
        )


class CountView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayChangeStock() if self.request.method == "POST" else MaySeeCounts()]

    @extend_schema(
        operation_id="inventory_counts_list",
        tags=["inventory"],
        summary="List what was counted, newest first",
        parameters=[LedgerQuery],
        responses={200: CountPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = LedgerQuery.parse_query(request)
        page = paginate(
            selectors.counts(
                sku=query.get("sku"),
                warehouse=query.get("warehouse"),
                after=query.get("after"),
                before=query.get("before"),
            ),
            request=request,
            order=("-id",),
        )
        return Response(page.answer(list(CountResponse(page.rows, many=True).data)))

    @extend_schema(
        operation_id="inventory_counts_create",
        tags=["inventory"],
        summary="Note what was counted, and correct the difference",
        request=CountRequest,
        responses={201: CountResponse},
    )
    def post(self, request: Request) -> Response:
        body = CountRequest.parse(request)
        counted = services.count_stock(
            sku=body["sku"],
            warehouse=body["warehouse"],
            counted=body["counted"],
            reason=body["reason"],
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
        )
        return Response(
            CountResponse(selectors.counts().get(pk=counted.pk)).data,
            status=status.HTTP_201_CREATED,
        )


def ledger_page(
    request: Request,
    query: Mapping[str, Any],
    *,
    kind: str | None,
    cause: str | None = None,
) -> Response:
    """Answer with a page of the ledger, newest first."""
    page = paginate(
        selectors.movements(
            sku=query.get("sku"),
            warehouse=query.get("warehouse"),
            kind=kind,
            cause=cause,
            after=query.get("after"),
            before=query.get("before"),
        ),
        request=request,
        order=("-id",),
    )
    return Response(page.answer(list(MovementResponse(page.rows, many=True).data)))


class MovementView(ApiView):
    permission_classes = (MaySeeMovements,)

    @extend_schema(
        operation_id="inventory_movements_list",
        tags=["inventory"],
        summary="Read the ledger, newest first",
        parameters=[MovementQuery],
        responses={200: MovementPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = MovementQuery.parse_query(request)
        return ledger_page(request, query, kind=query.get("kind"), cause=query.get("cause"))
