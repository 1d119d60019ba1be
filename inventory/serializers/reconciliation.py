"""Shapes of what the looks at the books found."""

from typing import Any

from rest_framework import serializers

from inventory.models import ReconciliationFinding
from shop.http.serializers import ListQuery

# Whose books are looked at; the floors above keep theirs in the same table.
SCOPES = ("catalogue", "inventory", "orders", "payments")


class ReconciliationQuery(ListQuery):
    scope = serializers.ChoiceField(choices=SCOPES, required=False, help_text="Whose books.")


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
