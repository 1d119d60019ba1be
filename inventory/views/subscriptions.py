"""Waiting for a variant, over HTTP: for everybody."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import user_or_none
from inventory import services
from inventory.serializers import (
    SubscriptionRequest,
    SubscriptionResponse,
)
from shop.http.permissions import Public
from shop.http.views import ApiView


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
