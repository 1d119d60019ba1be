"""Request shapes that refuse what they do not know, and money as clients see it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request

from shop.money import LARGEST_MINOR, Money, is_currency
from shop.privacy.cards import refuse_card_numbers

LARGEST_INTEGER = 2**31 - 1

_Strictly = TypeVar("_Strictly", bound="_Strict")

# Serializers that nobody uses at this moment, by class and whether they read a part. To make one
# is to copy each field that it declares, 249 countries included, and took longer than to use it.
_idle: dict[tuple[type["_Strict"], bool], list["_Strict"]] = defaultdict(list)


class _Strict(serializers.Serializer[Any]):
    """Refuses members that it has no field for, in itself and in serializers nested in it.

    Read with `validated`: then one serializer serves one request after the other. So whatever it
    learns of a request belongs into what `validate` returns, and never into the serializer.
    """

    @classmethod
    def validated(
        cls: type[_Strictly], given: Any, request: Request | None, *, partial: bool = False
    ) -> dict[str, Any]:
        """Return what was given as Python has it. Raises DRF's ValidationError."""
        idle = _idle[cls, partial]
        try:
            # Taken out, so no two threads ever have the same one.
            serializer = idle.pop()
        except IndexError:
            serializer = cls(partial=partial)
        serializer._context = {"request": request}
        serializer.initial_data = given
        try:
            serializer.is_valid(raise_exception=True)
            return dict(serializer.validated_data)
        finally:
            # Nothing of a request outlives it.
            for name in ("_context", "initial_data", "_validated_data", "_errors"):
                serializer.__dict__.pop(name, None)
            idle.append(serializer)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {
                        name: serializers.ErrorDetail(
                            "There is no field of this name.", code="unknown_field"
                        )
                        for name in unknown[:20]
                    }
                )
        return super().to_internal_value(data)


class RequestSerializer(_Strict):
    """The base of every `…Request`."""

    @classmethod
    def parse(cls, request: Request) -> dict[str, Any]:
        """Return the validated body. Raises DRF's ValidationError, answered as a 400 problem."""
        if isinstance(request.data, QueryDict):  # a form; JSON was looked through when it was read
            refuse_card_numbers(dict(request.data.lists()))
        return cls.validated(request.data, request)

    @classmethod
    def parse_json(cls, body: Any) -> dict[str, Any]:
        """Do as `parse` does with a body that `shop.http.json.read_body` read, without DRF."""
        return cls.validated(body, None)

    @classmethod
    def parse_partial(cls, request: Request) -> dict[str, Any]:
        """Return the members that a PATCH names, validated."""
        return cls.validated(request.data, request, partial=True)


class QuerySerializer(_Strict):
    """The base of every `…Query`: the query parameters of a GET.

    A parameter given twice is refused unless the serializer names it in `repeatable`.
    """

    repeatable: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def parse_query(cls, request: Request) -> dict[str, Any]:
        """Return the validated parameters. Raises DRF's ValidationError: a 400 problem."""
        given: dict[str, Any] = {}
        for name, values in request.query_params.lists():
            if name in cls.repeatable:
                given[name] = values
            elif len(values) == 1:
                given[name] = values[0]
            else:
                raise serializers.ValidationError(
                    {name: serializers.ErrorDetail("Give this once.", code="repeated")}
                )
        refuse_card_numbers(given)
        return cls.validated(given, request)


class NoQuery(QuerySerializer):
    """The query of a GET that takes none."""

    @classmethod
    def parse_query(cls, request: Request) -> dict[str, Any]:
        """Return nothing; hot reads ask nothing, and pay nothing for it. Raises as the others."""
        return super().parse_query(request) if request.query_params else {}


class ListQuery(QuerySerializer):
    """What every list takes."""

    page_size = serializers.IntegerField(
        min_value=1, max_value=100, required=False, help_text="Rows a page, 1 to 100."
    )
    cursor = serializers.CharField(
        max_length=1000, required=False, help_text="From `next` or `previous` of an answer."
    )


class TextField(serializers.CharField):
    """A text in JSON: nothing else is made into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class WholeNumberField(serializers.IntegerField):
    """A whole number in JSON: no string, no fraction, no truth value."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class TruthField(serializers.BooleanField):
    """`true` or `false` in JSON: no word and no number for it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class CurrencyField(serializers.CharField):
    """A currency that this shop has prices in."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=3, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if not is_currency(code):
            raise serializers.ValidationError(
                "This is not an ISO 4217 currency in capitals.", code="unknown_currency"
            )
        if code not in settings.SHOP_CURRENCIES:
            raise serializers.ValidationError(
                "This shop has no prices in that currency.", code="unknown_currency"
            )
        return code


class _MoneyShape(serializers.Serializer[Any]):
    amount = serializers.CharField()
    currency = serializers.CharField()


class MoneyField(serializers.Field[Money, Any, dict[str, str], Any]):
    """Money as `{"amount": "19.99", "currency": "GBP"}`, read and written.

    Reading refuses what is not written with exactly the currency's digits, unknown currencies and
    what no shop sells.
    """

    default_error_messages: ClassVar[dict[str, Any]] = {
        "shape": "Money is an object of `amount` (a decimal string) and `currency`.",
        "amount": "This is not an amount of that currency.",
        "negative": "This may not be negative.",
        "currency": "This is not an ISO 4217 currency in capitals.",
    }

    def __init__(self, *, may_be_negative: bool = False, **kwargs: Any) -> None:
        self.may_be_negative = may_be_negative
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> dict[str, str]:
        return dict(value) if isinstance(value, Mapping) else value.as_json()

    def to_internal_value(self, data: Any) -> Money:
        if (
            not isinstance(data, Mapping)
            or set(data) != {"amount", "currency"}
            or not all(isinstance(part, str) for part in data.values())
        ):
            self.fail("shape")
        if not is_currency(data["currency"]):
            self.fail("currency")
        try:
            money = Money.parse(data["amount"], data["currency"])
        except ValueError:
            self.fail("amount")
        # Decimal also reads 1_0.00, 1e1, spaces around it and digits of other scripts.
        if money.amount != data["amount"]:
            self.fail("amount")
        if abs(money.amount_minor) > LARGEST_MINOR:
            self.fail("amount")
        if money.amount_minor < 0 and not self.may_be_negative:
            self.fail("negative")
        return money
