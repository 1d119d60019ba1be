"""Units that come in, come back and move between warehouses, over HTTP: for staff."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import signed_in_user
from inventory import selectors, services
from inventory.models import StockMovement
from inventory.permissions import MayChangeStock, MaySeeMovements, MaySeeTransfers
from inventory.serializers import (
    MovementPageResponse,
    MovementResponse,
    ReceiptRequest,
    ReceiptResponse,
    ReceivedQuery,
    ReturnRequest,
    TransferPageResponse,
    TransferQuery,
    TransferReceiptRequest,
    TransferRequest,
    TransferResponse,
)
from inventory.views.stock import ledger_page
from shop.http.pagination import paginate
from shop.http.serializers import NoQuery
from shop.http.views import ApiView


class ReceiptView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayChangeStock() if self.request.method == "POST" else MaySeeMovements()]

    @extend_schema(
        operation_id="inventory_receipts_list",
        tags=["inventory"],
        summary="List what came in, newest first",
        parameters=[ReceivedQuery],
        responses={200: MovementPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = ReceivedQuery.parse_query(request)
        return ledger_page(
            request,
            query,
            kind=StockMovement.Kind.RECEIPT,
            cause=f"receipt:{query['reference']}" if "reference" in query else None,
        )

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


class ReturnView(ApiView):
    def get_permissions(self) -> list[BasePermission]:
        return [MayChangeStock() if self.request.method == "POST" else MaySeeMovements()]

    @extend_schema(
        operation_id="inventory_returns_list",
        tags=["inventory"],
        summary="List what came back, newest first",
        parameters=[ReceivedQuery],
        responses={200: MovementPageResponse},
    )
    def get(self, request: Request) -> Response:
        query = ReceivedQuery.parse_query(request)
        return ledger_page(
            request,
            query,
            kind=StockMovement.Kind.RETURN,
            cause=f"sent-back:{query['reference']}" if "reference" in query else None,
        )

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
            selectors.transfers(state=query.get("state"), warehouse=query.get("warehouse")),
            request=request,
            order=("-id",),
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
            headers={"Location": f"/api/v1/inventory/transfers/{transfer.pk}"},
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
        NoQuery.parse_query(request)
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
