"""Shapes of stock, its corrections and its ledger."""

from typing import Any

from rest_framework import serializers

from inventory.models import MOST_UNITS, StockMovement
from inventory.serializers.fields import TextField, UnitsField
from shop.http.serializers import ListQuery, RequestSerializer

MOST_ROWS = 1000  # of one list of stock


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
    id = serializers.IntegerField()
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


class StockTermsRequest(RequestSerializer):
    """On which terms stock is sold. What is not named stays."""

    backorder_limit = UnitsField(
        min_value=0, max_value=MOST_UNITS, help_text="Units promised beyond what is on hand."
    )
    low_at = UnitsField(
        min_value=0, max_value=MOST_UNITS, help_text="At so many units or fewer, stock is low."
    )


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


class LedgerQuery(ListQuery):
    """What narrows a list of one kind of ledger rows, or of counts."""

    sku = serializers.CharField(max_length=255, required=False)
    warehouse = serializers.CharField(max_length=40, required=False, help_text="Its code.")
    after = serializers.DateTimeField(required=False, help_text="From this moment on.")
    before = serializers.DateTimeField(required=False, help_text="Earlier than this moment.")


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


class CountPageResponse(serializers.Serializer[Any]):
    results = CountResponse(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


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
