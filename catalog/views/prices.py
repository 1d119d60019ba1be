"""Prices over HTTP, for staff."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.errors import PriceNotFound
from catalog.permissions import MayChangePrices, MayDeletePrices
from catalog.selectors import variant_ids_of
from catalog.serializers.staff import (
    PriceBulkRequest,
    PriceBulkResponse,
    price_draft_of,
    price_outcome,
)
from catalog.views.editing import StaffView


class PriceBulkView(StaffView):
    may: ClassVar = {"POST": MayChangePrices}

    @extend_schema(
        operation_id="prices_bulk",
        tags=["Catalogue"],
        summary="Set or schedule many prices, with a result for each",
        request=PriceBulkRequest,
        responses={200: PriceBulkResponse},
    )
    def post(self, request: Request) -> Response:
        body = PriceBulkRequest.parse(request)
        dry_run = body.get("dry_run", False)
        ids = variant_ids_of(row["sku"] for row in body["prices"] if "sku" in row)
        drafts = [price_draft_of(row, ids) for row in body["prices"]]
        outcomes = services.set_prices_each(drafts=drafts, now=timezone.now(), dry_run=dry_run)
        results = [
            price_outcome(*each) for each in zip(body["prices"], drafts, outcomes, strict=True)
        ]
        return Response(PriceBulkResponse({"dry_run": dry_run, "results": results}).data)


class PriceView(StaffView):
    may: ClassVar = {"DELETE": MayDeletePrices}

    @extend_schema(
        operation_id="prices_delete",
        tags=["Catalogue"],
        summary="Withdraw a price",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, price_id: int) -> Response:
        if not services.withdraw_prices(price_ids=[price_id], now=timezone.now()):
            raise PriceNotFound("There is no such price.")
        return Response(status=status.HTTP_204_NO_CONTENT)
