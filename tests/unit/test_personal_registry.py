"""The registry of personal fields is whole, and what reads it shows nothing that it should not."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from shop.privacy import DataClass, mask, registry
from shop.privacy.registry import Table, audit, field_of, names_never_logged, tables

NEVER_SHOWN = {DataClass.CONTACT, DataClass.SECRET}
# Names that a secret of ours shares with something that a client is given or chose itself.
SHOWN_ON_PURPOSE = {"key", "payload", "password"}


def findings() -> list[str]:
    return audit(iter(apps.get_models(include_auto_created=True)), get_user_model())


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> dict[str, Table]:
    """Return declarations that a test may spoil."""
    mine = dict(tables())
    monkeypatch.setattr(registry, "tables", lambda: mine)
    return mine


def test_every_text_of_every_table_has_a_class() -> None:
    assert findings() == []


def test_a_text_without_a_class_is_found(
    declared: dict[str, Table], capsys: pytest.CaptureFixture[str]
) -> None:
    declared["cart.ShippingZone"] = Table("cart.ShippingZone", plain="countries")
    del declared["orders.Return"]

    assert findings() == [
        "cart.ShippingZone.name is not classified",
        "orders.Return.reason is not classified",
        "orders.Return.reference is not classified",
    ]
    with pytest.raises(SystemExit) as ended:
        call_command("pii_audit")
    assert ended.value.code == 1
    assert "cart.ShippingZone.name is not classified" in capsys.readouterr().err


def test_what_is_declared_and_gone_is_found(declared: dict[str, Table]) -> None:
    declared["cart.ShippingZone"] = Table("cart.ShippingZone", plain="name countries nick")
    declared["cart.Gone"] = Table("cart.Gone")

    assert findings() == [
        "cart.ShippingZone.nick is declared and not there",
        "cart.Gone is declared and no table",
    ]


def test_a_table_of_somebody_s_says_whose_rows_they_are(declared: dict[str, Table]) -> None:
    fields = declared["accounts.Address"].personal
    declared["accounts.Address"] = Table("accounts.Address", plain="country", personal=fields)

    assert findings() == [
        "accounts.Address has a key to a person and does not say whose rows they are"
    ]


def test_the_audit_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("pii_audit", "--list")

    told = capsys.readouterr().out
    assert "orders.Order.email: contact, blank; as long as the account" in told
    assert "catalog.Product.title" not in told


def test_a_field_that_nobody_declared_counts_as_secret() -> None:
    assert field_of("orders.Order", "nickname").data_class is DataClass.SECRET
    assert field_of("orders.Nothing", "name").data_class is DataClass.SECRET


def test_no_answer_of_the_api_has_a_member_that_is_never_shown() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    hidden = {
        name
        for table in tables().values()
        for name, personal in table.fields.items()
        if personal.data_class in NEVER_SHOWN
    } - SHOWN_ON_PURPOSE
    assert {"email", "phone", "token_hash", "access_token_hash"} <= hidden

    shown = {
        f"{name}.{member}"
        for path in schema["paths"].values()
        for operation in path.values()
        for answer in operation["responses"].values()
        for name, member in _members(schema, answer)
        if member in hidden
    }

    # A guest's own cart: what they come back with.
    assert shown == {"CartResponse.token"}


def _members(schema: dict[str, Any], answer: Any) -> Iterator[tuple[str, str]]:
    waiting, seen = [answer], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        if not isinstance(value, dict):
            continue
        if (name := str(value.get("$ref", "")).rpartition("/")[2]) and name not in seen:
            seen.add(name)
            known = schema["components"]["schemas"].get(name, {})
            yield from ((name, member) for member in known.get("properties", {}))
            waiting.append(known)
        waiting.extend(value.values())


def test_log_lines_hold_no_name_of_a_personal_field() -> None:
    names = names_never_logged()

    assert {"email", "phone", "full_name", "password", "line1", "shipping_address"} <= names
    assert not {"title", "sku", "status", "reason", "currency"} & names


@pytest.mark.parametrize(
    ("value", "data_class", "shown"),
    [
        ("jane@example.com", DataClass.CONTACT, "j***@e***.com"),
        ("+447700900123", DataClass.CONTACT, "…0123"),
        ("12 St James's Square", DataClass.ADDRESS, "1***"),
        ({"name": "Ada", "city": "London", "phone": "+44770", "country": "GB"},
         DataClass.ADDRESS, "A***, London, GB"),
        ("Ada Byron", DataClass.NAME, "***"),
        ("", DataClass.CONTACT, ""),
        (None, DataClass.ADDRESS, ""),
    ],
)  # fmt: skip
def test_masks(value: object, data_class: DataClass, shown: str) -> None:
    assert mask(value, data_class) == shown
