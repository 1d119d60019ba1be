"""Stock over HTTP: for staff, but for those who wait for some."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import signed_in_user, user_or_none
from inventory import selectors, services
from inventory.permissions import (
    MayChangeStock,
    MaySeeMovements,
    MaySeeReconciliation,
    MaySeeStock,
    MaySeeTransfers,
)
from inventory.serializers import (
    AdjustmentRequest,
    CountRequest,
    CountResponse,
    MovementPageResponse,
    MovementQuery,
    MovementResponse,
    ReceiptRequest,
    ReceiptResponse,
    ReconciliationPageResponse,
    ReconciliationQuery,
    ReconciliationResponse,
    ReturnRequest,
    StockBulkRequest,
    StockBulkResponse,
    StockPageResponse,
    StockQuery,
    StockResponse,
    SubscriptionRequest,
    SubscriptionResponse,
    TransferPageResponse,
    TransferQuery,
    TransferReceiptRequest,
    TransferRequest,
    TransferResponse,
)
from shop.http.pagination import paginate
from shop.http.permissions import Public
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


class TransfersView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayChangeStock() if self.request.method == "POST" else MaySeeTransfers()]

    @extend_schema(
        operation_id="inventory_transfers_list",
        tags=["inventory"],
        summary="List transfers, newest first",
        parameters=[TransferQuery],
        responses={200: TransferPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = TransferQuery.parse_query(request)
        page = paginate(
            selectors.transfers(state=query.get("state")), request=request, order=("-id",)
        )
        return Response(page.answer(list(TransferResponse(page.rows, many=True).data)))

    @extend_schema(
        operation_id="inventory_transfers_create",
        tags=["inventory"],
        summary="Let units leave for another warehouse",
        request=TransferRequest,
        responses={201: TransferResponse},
    )
    def post(self, request: Request) -> Response:
        body = TransferRequest.parse(request)
        transfer = services.dispatch_transfer(
            lines=[services.SkuLine(line["sku"], line["quantity"]) for line in body["lines"]],
            source=body["from"],
            destination=body["to"],
            reason=body.get("reason", ""),
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
        )
        return Response(
            TransferResponse(selectors.transfer_of(transfer.pk)).data,
            status=status.HTTP_201_CREATED,
        )


class TransferView(ApiView):
    permission_classes = (MaySeeTransfers,)

    @extend_schema(
        operation_id="inventory_transfers_retrieve",
        tags=["inventory"],
        summary="Read a transfer",
        responses={200: TransferResponse},
    )
    def get(self, request: Request, transfer_id: int) -> Response:
        return Response(TransferResponse(selectors.transfer_of(transfer_id)).data)


class TransferReceiptView(ApiView):
    permission_classes = (MayChangeStock,)

    @extend_schema(
        operation_id="inventory_transfers_receive",
        tags=["inventory"],
        summary="Receive a transfer, in whole or with units missing",
        request=TransferReceiptRequest,
        responses={200: TransferResponse},
    )
    def post(self, request: Request, transfer_id: int) -> Response:
        body = TransferReceiptRequest.parse(request)
        lines = body.get("lines")
        services.receive_transfer(
            transfer_id=transfer_id,
            lines=None
            if lines is None
            else [services.SkuLine(line["sku"], line["quantity"]) for line in lines],
            note=body.get("note", ""),
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
        )
        return Response(TransferResponse(selectors.transfer_of(transfer_id)).data)


class ReturnView(ApiView):
    permission_classes = (MayChangeStock,)

    @extend_schema(
        operation_id="inventory_returns_create",
        tags=["inventory"],
        summary="Put what came back on hand, for sale or in quarantine",
        request=ReturnRequest,
        responses={201: ReceiptResponse},
    )
    def post(self, request: Request) -> Response:
        body = ReturnRequest.parse(request)
        made = services.take_back(
            lines=[services.SkuLine(line["sku"], line["quantity"]) for line in body["lines"]],
            warehouse=body.get("warehouse"),
            to_quarantine=body["to"] == "quarantine",
            reference=body.get("reference"),
            reason=body["reason"],
            now=timezone.now(),
            actor_id=signed_in_user(request).pk,
        )
        rows = selectors.movements().filter(pk__in=[movement.pk for movement in made])
        return Response(
            {"movements": MovementResponse(rows.order_by("id"), many=True).data},
            status=status.HTTP_201_CREATED,
        )


class SubscriptionView(ApiView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="inventory_subscriptions_create",
        tags=["inventory"],
        summary="Have a mail sent, once, when a variant is available again",
        description="The answer is the same whoever asks, and whatever they asked before.",
        request=SubscriptionRequest,
        responses={202: SubscriptionResponse},
    )
    def post(self, request: Request) -> Response:
        body = SubscriptionRequest.parse(request)
        services.subscribe_to_stock(
            variant_id=body["variant_id"],
            customer=user_or_none(request),
            email=body.get("email", ""),
            now=timezone.now(),
        )
        return Response(
            {"detail": "You will get one mail when it is available."},
            status=status.HTTP_202_ACCEPTED,
        )
