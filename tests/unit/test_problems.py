from rest_framework import serializers

from shop import errors
from shop.http.json import dumps, loads
from shop.http.serializers import RequestSerializer
from shop.problems import STATUS_OF_KIND, catalogue, document, field_errors, refusal_for


class _Line(RequestSerializer):
    quantity = serializers.IntegerField(min_value=1)


class _Order(RequestSerializer):
    lines = _Line(many=True)


def test_nested_errors_point_at_the_member_that_is_wrong() -> None:
    body = _Order(data={"lines": [{"quantity": 1}, {"quantity": 0}]})

    assert not body.is_valid()
    assert [e.pointer for e in field_errors(body.errors)] == ["/lines/1/quantity"]


def test_a_pointer_is_escaped_as_rfc_6901_says() -> None:
    assert field_errors({"a/b~c": ["no"]})[0].pointer == "/a~1b~0c"


def test_unknown_members_are_refused_at_any_depth() -> None:
    body = _Order(data={"lines": [{"quantity": 1, "price": 5}]})

    assert not body.is_valid()
    problem = refusal_for(serializers.ValidationError(body.errors))

    assert problem is not None
    assert problem.code == "unknown_field"
    shown = document(problem, request_id="r")
    assert shown["status"] == 400
    assert shown["errors"][0]["pointer"] == "/lines/0/price"


def test_every_refusal_has_a_status_a_title_and_a_promise() -> None:
    for problem in catalogue():
        assert 400 <= problem["status"] < 600
        assert problem["title"], problem
        assert problem["description"], problem


def test_facts_become_members() -> None:
    class Short(errors.Conflict):
        """Too little."""

        code = "short_for_test"
        title = "Short"

    try:
        shown = document(Short("Two lines.", lines=[{"sku": "A"}]), request_id="r")
    finally:
        errors.Refusal.registry.pop("short_for_test")

    assert shown["lines"] == [{"sku": "A"}]
    assert shown["status"] == STATUS_OF_KIND["conflict"] == 409


def test_a_bug_is_no_refusal() -> None:
    assert refusal_for(KeyError("x")) is None


def test_times_are_utc_with_a_z() -> None:
    from_database = loads(b'{"a": 1}')
    assert from_database == {"a": 1}
    assert dumps({"ok": True}) == b'{"ok":true}'
