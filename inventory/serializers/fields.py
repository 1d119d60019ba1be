"""Fields that take what JSON has and make nothing else of it."""

from typing import Any

from rest_framework import serializers


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
