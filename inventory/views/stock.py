"""How much there is, and its corrections, over HTTP: for staff."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import signed_in_user
from inventory import selectors, services
from inventory.permissions import MayChangeStock, MaySeeMovements, MaySeeStock
from inventory.serializers import (
    AdjustmentRequest,
    CountRequest,
    CountResponse,
    MovementPageResponse,
    MovementQuery,
    MovementResponse,
    StockBulkRequest,
    StockBulkResponse,
    StockPageResponse,
    StockQuery,
    StockResponse,
)
from shop.http.pagination import paginate
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
    permission_classes = (MayChangeStock,)

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
    permission_classes = (MayChangeStock,)

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
        page = paginate(
            selectors.movements(
                sku=query.get("sku"),
                warehouse=query.get("warehouse"),
                kind=query.get("kind"),
                cause=query.get("cause"),
                after=query.get("after"),
                before=query.get("before"),
            ),
            request=request,
            order=("-id",),
        )
        return Response(page.answer(list(MovementResponse(page.rows, many=True).data)))
