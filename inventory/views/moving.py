"""Units that come in, come back and move between warehouses, over HTTP: for staff."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import signed_in_user
from inventory import selectors, services
from inventory.permissions import MayChangeStock, MaySeeTransfers
from inventory.serializers import (
    MovementResponse,
    ReceiptRequest,
    ReceiptResponse,
    ReturnRequest,
    TransferPageResponse,
    TransferQuery,
    TransferReceiptRequest,
    TransferRequest,
    TransferResponse,
)
from shop.http.pagination import paginate
from shop.http.views import ApiView


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
