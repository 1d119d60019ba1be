"""Stock over HTTP, for staff."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import signed_in_user
from inventory import selectors, services
from inventory.permissions import (
    MayChangeStock,
    MaySeeMovements,
    MaySeeReconciliation,
    MaySeeStock,
)
from inventory.serializers import (
    AdjustmentRequest,
    MovementPageResponse,
    MovementQuery,
    MovementResponse,
    ReceiptRequest,
    ReceiptResponse,
    ReconciliationPageResponse,
    ReconciliationQuery,
    ReconciliationResponse,
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


class ReceiptView(ApiView):
    permission_classes = (MayChangeStock,)

    @extend_schema(
        operation_id="inventory_receipts_create",
        tags=["inventory"],
        summary="Receive goods",
        request=ReceiptRequest,
        responses={201: ReceiptResponse},
    )
    def post(self, request: Request) -> Response:
        body = ReceiptRequest.parse(request)
        made = services.receive_skus(
            lines=[services.SkuLine(line["sku"], line["quantity"]) for line in body["lines"]],
            warehouse=body["warehouse"],
            reference=body.get("reference"),
            reason=body.get("reason", ""),
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
        )
        rows = selectors.movements().filter(pk__in=[movement.pk for movement in made])
        return Response(
            {"movements": MovementResponse(rows.order_by("id"), many=True).data},
            status=status.HTTP_201_CREATED,
        )


class ReconciliationView(ApiView):
    permission_classes = (MaySeeReconciliation,)

    @extend_schema(
        operation_id="inventory_reconciliation_list",
        tags=["inventory"],
        summary="List reconciliations and what they found, newest first",
        parameters=[ReconciliationQuery],
        responses={200: ReconciliationPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = ReconciliationQuery.parse_query(request)
        page = paginate(
            selectors.reconciliation_runs(scope=query.get("scope")), request=request, order=("-id",)
        )
        seen = selectors.with_findings(page.rows)
        return Response(page.answer(list(ReconciliationResponse(seen, many=True).data)))
