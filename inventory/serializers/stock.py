"""Shapes of what staff ask and are told about stock."""

from typing import Any

from rest_framework import serializers

from inventory.models import MOST_UNITS, ReconciliationFinding, StockMovement, StockTransfer
from shop.http.serializers import ListQuery, RequestSerializer

MOST_LINES = 100  # of one receipt
MOST_ROWS = 1000  # of one list of stock


class UnitsField(serializers.IntegerField):
    """A whole number in JSON: no string, no fraction, no truth value."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class TextField(serializers.CharField):
    """A text in JSON: nothing else is made into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StockQuery(ListQuery):
    sku = serializers.CharField(max_length=255, required=False)
    warehouse = serializers.CharField(max_length=40, required=False, help_text="Its code.")
    below = serializers.IntegerField(
        min_value=-MOST_UNITS,
        max_value=MOST_UNITS,
        required=False,
        help_text="Only stock with fewer units available than this.",
    )


class StockResponse(serializers.Serializer[Any]):
    sku = serializers.CharField()
    variant_id = serializers.IntegerField()
    warehouse = serializers.CharField(source="code", help_text="Its code.")
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField(
        help_text="On hand and not reserved; below 0 when back-orders are promised."
    )
    backorder_limit = serializers.IntegerField()
    low_at = serializers.IntegerField()


class StockPageResponse(serializers.Serializer[Any]):
    results = StockResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class AdjustmentRequest(RequestSerializer):
    sku = TextField(max_length=255)
    warehouse = TextField(max_length=40, help_text="Its code.")
    delta = UnitsField(
        min_value=-MOST_UNITS, max_value=MOST_UNITS, help_text="Units; more or fewer, not 0."
    )
    reason = TextField(max_length=500)

    def validate_delta(self, value: int) -> int:
        if value == 0:
            raise serializers.ValidationError("This changes nothing.", code="zero")
        return value


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


class MovementQuery(ListQuery):
    sku = serializers.CharField(max_length=255, required=False)
    warehouse = serializers.CharField(max_length=40, required=False, help_text="Its code.")
    kind = serializers.ChoiceField(choices=StockMovement.Kind.choices, required=False)
    cause = serializers.CharField(max_length=100, required=False)
    after = serializers.DateTimeField(required=False, help_text="From this moment on.")
    before = serializers.DateTimeField(required=False, help_text="Earlier than this moment.")


class MovementResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    sku = serializers.CharField(source="stock.variant.sku")
    variant_id = serializers.IntegerField(source="stock.variant_id")
    warehouse = serializers.CharField(source="stock.warehouse.code", help_text="Its code.")
    kind = serializers.ChoiceField(choices=StockMovement.Kind.choices)
    delta_on_hand = serializers.IntegerField()
    delta_reserved = serializers.IntegerField()
    on_hand_after = serializers.IntegerField()
    reserved_after = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True)
    cause = serializers.CharField(help_text="What brought it about; counts once per kind.")
    actor = serializers.UUIDField(allow_null=True, help_text="Id of the account that did it.")
    happened_at = serializers.DateTimeField(format=None)  # the renderer writes moments


class MovementPageResponse(serializers.Serializer[Any]):
    results = MovementResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ReceiptResponse(serializers.Serializer[Any]):
    movements = MovementResponse(many=True)


class ReconciliationQuery(ListQuery):
    scope = serializers.CharField(max_length=40, required=False, help_text="Such as inventory.")


class FindingResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="The check that found it.")
    reference = serializers.CharField(help_text="Where it is.")
    expected = serializers.CharField()
    found = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=ReconciliationFinding.State.choices)
    first_seen_at = serializers.DateTimeField(format=None)
    last_seen_at = serializers.DateTimeField(format=None)
    resolved_at = serializers.DateTimeField(format=None, allow_null=True)
    resolution = serializers.CharField(allow_blank=True, help_text="How it ended.")


class ReconciliationResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="run.id")
    scope = serializers.CharField(source="run.scope")
    started_at = serializers.DateTimeField(source="run.started_at", format=None)
    seconds = serializers.FloatField(source="run.seconds")
    checks = serializers.ListField(source="run.checks", child=serializers.CharField())
    found = serializers.IntegerField(source="run.found")
    new = serializers.IntegerField(source="run.new")
    resolved = serializers.IntegerField(source="run.resolved")
    findings = FindingResponse(
        many=True, help_text="What it saw, as it stands now; a hundred at most."
    )


class ReconciliationPageResponse(serializers.Serializer[Any]):
    results = ReconciliationResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class CountRequest(RequestSerializer):
    sku = TextField(max_length=255)
    warehouse = TextField(max_length=40, help_text="Its code.")
    counted = UnitsField(min_value=0, max_value=MOST_UNITS, help_text="Units that lie there.")
    reason = TextField(max_length=500)


class CountResponse(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    sku = serializers.CharField(source="stock.variant.sku")
    variant_id = serializers.IntegerField(source="stock.variant_id")
    warehouse = serializers.CharField(source="stock.warehouse.code", help_text="Its code.")
    expected = serializers.IntegerField()
    counted = serializers.IntegerField()
    variance = serializers.IntegerField(help_text="Counted less expected.")
    reason = serializers.CharField(allow_blank=True)
    movement_id = serializers.IntegerField(
        allow_null=True, help_text="The ledger row of the variance; null when there is none."
    )
    counted_at = serializers.DateTimeField(format=None)


class StockRowRequest(RequestSerializer):
    sku = TextField(max_length=255)
    warehouse = TextField(max_length=40, help_text="Its code.")
    on_hand = UnitsField(min_value=0, max_value=MOST_UNITS, help_text="Units.")


class StockBulkRequest(RequestSerializer):
    rows = serializers.ListField(child=StockRowRequest(), min_length=1, max_length=MOST_ROWS)
    reason = TextField(max_length=500, required=False)
    dry_run = serializers.BooleanField(
        required=False, help_text="Only tell what would become of each row."
    )


class StockRowResponse(serializers.Serializer[Any]):
    sku = serializers.CharField()
    warehouse = serializers.CharField(help_text="Its code.")
    outcome = serializers.ChoiceField(choices=["updated", "unchanged", "failed"])
    before = serializers.IntegerField(
        allow_null=True, help_text="Null when there is no such place."
    )
    on_hand = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_blank=True, help_text="Why it failed.")
    detail = serializers.CharField(allow_blank=True)


class StockBulkResponse(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    results = StockRowResponse(many=True, help_text="One for each row, in their order.")


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


class SubscriptionRequest(RequestSerializer):
    variant_id = UnitsField(min_value=1, max_value=2**63 - 1)
    email = serializers.EmailField(
        required=False, max_length=254, help_text="Guests give one; customers have one."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_customer = self.context["request"].user.is_authenticated
        if is_customer and "email" in attrs:
            raise serializers.ValidationError(
                {"email": serializers.ErrorDetail("Your account has one.", "given")}
            )
        if not is_customer and "email" not in attrs:
            raise serializers.ValidationError(
                {"email": serializers.ErrorDetail("Where should we write to?", "required")}
            )
        return attrs


class SubscriptionResponse(serializers.Serializer[Any]):
    detail = serializers.CharField()
