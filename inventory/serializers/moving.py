"""Shapes of receipts, returns and transfers."""

from typing import Any

from rest_framework import serializers

from inventory.models import MOST_UNITS, StockTransfer
from inventory.serializers.fields import TextField, UnitsField
from inventory.serializers.stock import LedgerQuery, MovementResponse
from shop.http.serializers import ListQuery, RequestSerializer

MOST_LINES = 100  # of one receipt


class ReceiptLineRequest(RequestSerializer):
    sku = TextField(max_length=255)
    quantity = UnitsField(min_value=1, max_value=MOST_UNITS, help_text="Units.")


class ReceiptRequest(RequestSerializer):
    warehouse = TextField(max_length=40, help_text="Its code.")
    lines = serializers.ListField(child=ReceiptLineRequest(), min_length=1, max_length=MOST_LINES)
    reference = TextField(
        max_length=80,
        required=False,
        help_text="Number of the delivery note: what came in by it counts once.",
    )
    reason = TextField(max_length=500, required=False)


class ReceivedQuery(LedgerQuery):
    reference = serializers.CharField(
        max_length=80, required=False, help_text="What it came in by, as it was given."
    )


class ReceiptResponse(serializers.Serializer[Any]):
    movements = MovementResponse(many=True)


class ReturnRequest(RequestSerializer):
    lines = serializers.ListField(child=ReceiptLineRequest(), min_length=1, max_length=MOST_LINES)
    to = serializers.ChoiceField(
        choices=["stock", "quarantine"], help_text="Quarantine: kept apart, and not for sale."
    )
    warehouse = TextField(
        max_length=40, required=False, help_text="Its code; else the first. Of stock alone."
    )
    reference = TextField(
        max_length=80, required=False, help_text="What came back by it counts once."
    )
    reason = TextField(max_length=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["to"] == "quarantine" and "warehouse" in attrs:
            raise serializers.ValidationError(
                {"warehouse": serializers.ErrorDetail("Quarantine is a place of its own.", "given")}
            )
        return attrs


class TransferRequest(RequestSerializer):
    lines = serializers.ListField(child=ReceiptLineRequest(), min_length=1, max_length=MOST_LINES)
    reason = TextField(max_length=500, required=False)

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": TextField(max_length=40, help_text="Code of the warehouse that they leave."),
            "to": TextField(max_length=40, help_text="Code of the warehouse that they go to."),
            **super().get_fields(),
        }


class ArrivedLineRequest(RequestSerializer):
    sku = TextField(max_length=255)
    quantity = UnitsField(min_value=0, max_value=MOST_UNITS, help_text="Units.")


class TransferReceiptRequest(RequestSerializer):
    lines = serializers.ListField(
        child=ArrivedLineRequest(),
        required=False,
        max_length=MOST_LINES,
        help_text="What arrived; without it, everything. What it does not name did not arrive.",
    )
    note = TextField(max_length=500, required=False)


class TransferQuery(ListQuery):
    state = serializers.ChoiceField(choices=StockTransfer.State.choices, required=False)
    warehouse = serializers.CharField(
        max_length=40, required=False, help_text="Code of where they leave or arrive."
    )


class TransferLineResponse(serializers.Serializer[Any]):
    sku = serializers.CharField(source="variant.sku")
    variant_id = serializers.IntegerField()
    sent = serializers.IntegerField()
    received = serializers.IntegerField(allow_null=True)
    missing = serializers.IntegerField(
        allow_null=True, help_text="Sent and not received; null while they are on their way."
    )


class TransferResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=StockTransfer.State.choices)
    reason = serializers.CharField(allow_blank=True)
    note = serializers.CharField(allow_blank=True)
    dispatched_at = serializers.DateTimeField(format=None)
    received_at = serializers.DateTimeField(format=None, allow_null=True)
    lines = TransferLineResponse(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.CharField(source="source.code", help_text="A warehouse's code."),
            "to": serializers.CharField(source="destination.code", help_text="A warehouse's code."),
            **super().get_fields(),
        }


class TransferPageResponse(serializers.Serializer[Any]):
    results = TransferResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
