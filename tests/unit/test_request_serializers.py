"""One serializer serves many requests, and none of them can tell."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from rest_framework import serializers
from rest_framework.request import Request

from shop.http.serializers import MoneyField, RequestSerializer

REQUEST = cast(Request, object())


class Inner(RequestSerializer):
    name = serializers.CharField(max_length=5)
    tags = serializers.ListField(child=serializers.CharField(), default=list)


class Outer(RequestSerializer):
    inner = Inner()
    note = serializers.CharField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        assert self.context["request"] is REQUEST
        return attrs


def test_a_request_leaves_nothing_for_the_next() -> None:
    first = Outer.validated({"inner": {"name": "Ada"}, "note": "x"}, REQUEST)
    first["inner"]["tags"].append("hers")

    assert Outer.validated({"inner": {"name": "Bob"}}, REQUEST) == {
        "inner": {"name": "Bob", "tags": []}
    }


def test_a_refused_request_is_refused_alone_and_as_a_new_serializer_would() -> None:
    wrong = {"inner": {"name": "Augusta", "age": 36}, "colour": "red"}
    new = Outer(data=wrong, context={"request": REQUEST})
    assert not new.is_valid()

    for _ in range(2):
        with pytest.raises(serializers.ValidationError) as refused:
            Outer.validated(wrong, REQUEST)
        assert refused.value.detail == new.errors
    assert Outer.validated({"inner": {"name": "Ada"}}, REQUEST)["inner"]["name"] == "Ada"


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_a_body_that_is_no_object_is_refused_as_ever(body: object) -> None:
    new = Outer(data=body, context={"request": REQUEST})
    assert not new.is_valid()

    with pytest.raises(serializers.ValidationError) as refused:
        Outer.validated(body, REQUEST)

    assert refused.value.detail == new.errors


def test_a_part_does_not_make_the_whole_a_part() -> None:
    assert Outer.validated({"note": "x"}, REQUEST, partial=True) == {"note": "x"}
    with pytest.raises(serializers.ValidationError):
        Outer.validated({"note": "x"}, REQUEST)


def test_threads_do_not_mix_their_requests_up() -> None:
    def name_of(number: int) -> str:
        body = {"inner": {"name": str(number)}}
        return str(Outer.validated(body, REQUEST)["inner"]["name"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(name_of, range(2000))) == [str(number) for number in range(2000)]


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("19.99", "GBP"), ("-0.05", "EUR"), ("0.00", "GBP"), ("100", "JPY"), ("1.234", "KWD")],
)
def test_money_is_read_as_it_is_written(amount: str, currency: str) -> None:
    money = MoneyField(may_be_negative=True).run_validation(
        {"amount": amount, "currency": currency}
    )

    assert money.as_json() == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    "amount",
    ["1", "1.0", "1.000", "1e2", "1E+2", "1_0.00", " 1.00", "1.00 ", "+1.00", "01.00", ".50",
     "\uff11.00", "-0.00", "NaN", "Infinity", "1,00", ""],
)  # fmt: skip
def test_money_written_in_another_way_is_refused(amount: str) -> None:
    with pytest.raises(serializers.ValidationError) as refused:
        MoneyField(may_be_negative=True).run_validation({"amount": amount, "currency": "GBP"})

    assert refused.value.get_codes() == ["amount"]
