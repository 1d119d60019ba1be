"""What staff list and edit of stock over HTTP: by permission, by the tag of what they saw."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from inventory.models import MOST_UNITS, Stock, StockMovement, Warehouse
from inventory.services import StockLine, StockTerms, reserve_stock, set_stock_terms
from shop.models import OutboxMessage
from tests.concurrency import run_before
from tests.make import inventory as make
from tests.make.accounts import make_staff, make_user, signed_in, superuser

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
INVENTORY = "/api/v1/inventory"
WAREHOUSES = f"{INVENTORY}/warehouses"


@pytest.fixture
def boss(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


def rows(api: APIClient, path: str, **query: str | int) -> list[dict[str, Any]]:
    answer = api.get(f"{INVENTORY}/{path}", query)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def moved(api: APIClient, stock: Stock, *, reference: str = "") -> None:
    """Have each kind of document about this stock, over HTTP."""
    sku = stock.variant.sku
    lines = [{"sku": sku, "quantity": 2}]
    named = {"reference": reference} if reference else {}
    place = {"warehouse": stock.warehouse.code}
    bodies: dict[str, dict[str, Any]] = {
        "receipts": {**place, "lines": lines, **named},
        "returns": {**place, "lines": lines, "to": "stock", "reason": "Sent back", **named},
        "adjustments": {"sku": sku, **place, "delta": -1, "reason": "Broken"},
        "counts": {"sku": sku, **place, "counted": 9, "reason": "Counted"},
    }
    for path, body in bodies.items():
        answer = api.post(f"{INVENTORY}/{path}", body)
        assert answer.status_code == 201, answer.content


@pytest.mark.parametrize(
    ("method", "path", "permission", "status"),
    [
        ("get", "adjustments", "inventory.view_stockmovement", 200),
        ("get", "receipts", "inventory.view_stockmovement", 200),
        ("get", "returns", "inventory.view_stockmovement", 200),
        ("get", "counts", "inventory.view_stockcount", 200),
        ("post", "counts", "inventory.add_stockmovement", 201),
        ("get", "stock/{stock}", "inventory.view_stock", 200),
        ("patch", "stock/{stock}", "inventory.change_stock", 200),
        ("get", "warehouses", "inventory.view_warehouse", 200),
        ("post", "warehouses", "inventory.add_warehouse", 201),
        ("get", "warehouses/empty", "inventory.view_warehouse", 200),
        ("patch", "warehouses/empty", "inventory.change_warehouse", 200),
        ("delete", "warehouses/empty", "inventory.delete_warehouse", 204),
    ],
)
def test_lets_in_staff_with_the_permission_alone(
    api: APIClient, method: str, path: str, permission: str, status: int
) -> None:
    stock = make.stock(on_hand=5)
    make.make_warehouse("empty")
    bodies: dict[str, dict[str, Any]] = {
        "warehouses": {"code": "leeds", "name": "Leeds", "country": "GB"},
        "warehouses/empty": {"name": "Void"} if method == "patch" else {},
        "stock/{stock}": {"low_at": 3},
        "counts": {"sku": stock.variant.sku, "warehouse": "main", "counted": 4, "reason": "x"},
    }
    body = bodies.get(path, {})
    people: list[tuple[Callable[[], User | None], int]] = [
        (lambda: None, 401),
        (make_user, 403),
        (lambda: make_staff("catalog.view_product"), 403),
        (lambda: make_staff(permission), status),
    ]
    address = f"{INVENTORY}/{path.format(stock=stock.pk)}"

    for person, expected in people:
        before = _everything()
        signed_in(api, person())
        answer = getattr(api, method)(address, body if method in {"post", "patch"} else None)

        assert answer.status_code == expected, answer.content
        if expected >= 400:
            assert _everything() == before


def _everything() -> tuple[list[Any], list[Any], int]:
    return (
        list(Warehouse.objects.order_by("id").values_list()),
        list(Stock.objects.order_by("id").values_list()),
        StockMovement.objects.count(),
    )


class TestLists:
    def test_have_the_ledger_rows_of_their_kind(self, boss: APIClient) -> None:
        moved(boss, make.stock(on_hand=5), reference="DN-1")

        kinds = {
            path: {row["kind"] for row in rows(boss, path)}
            for path in ("receipts", "returns", "adjustments")
        }

        assert kinds == {
            "receipts": {"RECEIPT"},
            "returns": {"RETURN"},
            "adjustments": {"ADJUSTMENT"},
        }
        (counted,) = rows(boss, "counts")
        assert (counted["expected"], counted["counted"], counted["variance"]) == (8, 9, 1)

    @pytest.mark.parametrize("path", ["receipts", "returns", "adjustments", "counts"])
    def test_are_narrowed(self, boss: APIClient, path: str) -> None:
        stock = make.stock(on_hand=5)
        other = make.stock(on_hand=5, warehouse=make.make_warehouse("leeds"))
        moved(boss, stock, reference="DN-1")
        moved(boss, other)
        began = timezone.now() - timedelta(minutes=1)
        own = len(rows(boss, path, sku=stock.variant.sku))

        assert own == len(rows(boss, path, warehouse="main"))
        assert {row["sku"] for row in rows(boss, path, warehouse="leeds")} == {other.variant.sku}
        assert rows(boss, path, before=began.isoformat(), sku="NONE") == []
        assert len(rows(boss, path, after=began.isoformat(), sku=stock.variant.sku)) == own
        if path in {"receipts", "returns"}:
            (named,) = rows(boss, path, reference="DN-1")
            assert named["sku"] == stock.variant.sku
        assert boss.get(f"{INVENTORY}/{path}", {"colour": "red"}).status_code == 400

    def test_of_transfers_are_narrowed_to_a_warehouse(self, boss: APIClient) -> None:
        stock = make.stock(on_hand=5)
        for code in ("leeds", "york"):
            make.make_warehouse(code)
            boss.post(
                f"{INVENTORY}/transfers",
                {
                    "from": "main",
                    "to": code,
                    "lines": [{"sku": stock.variant.sku, "quantity": 1}],
                },
            )

        assert [row["to"] for row in rows(boss, "transfers", warehouse="york")] == ["york"]
        assert len(rows(boss, "transfers", warehouse="main")) == 2

    @pytest.mark.parametrize("path", ["receipts", "returns", "adjustments", "counts", "warehouses"])
    def test_take_one_query_for_any_number_of_rows(self, boss: APIClient, path: str) -> None:
        counts = []
        for size in (1, 12):
            for number in range(size):
                place = make.make_warehouse(f"place-{number}")
                moved(boss, make.stock(on_hand=5, warehouse=place))
            with CaptureQueriesContext(connection) as reading:
                assert len(rows(boss, path, page_size=100)) >= size
            counts.append(len([q for q in reading if "inventory_" in q["sql"]]))

        assert counts == [1, 1]


class TestTerms:
    def test_are_changed_by_who_saw_them(self, boss: APIClient) -> None:
        stock = make.stock(on_hand=5, low_at=2)
        address = f"{INVENTORY}/stock/{stock.pk}"
        seen = boss.get(address)
        assert seen.json()["id"] == stock.pk

        changed = boss.patch(address, {"backorder_limit": 7}, headers={"If-Match": seen["ETag"]})

        assert changed.status_code == 200
        assert (changed.json()["backorder_limit"], changed.json()["low_at"]) == (7, 2)
        assert changed["ETag"] != seen["ETag"]
        stale = boss.patch(address, {"low_at": 9}, headers={"If-Match": seen["ETag"]})
        assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
        stock.refresh_from_db()
        assert (stock.backorder_limit, stock.low_at) == (7, 2)

    def test_have_a_tag_that_sales_leave_alone(self, boss: APIClient) -> None:
        stock = make.stock(on_hand=5)
        address = f"{INVENTORY}/stock/{stock.pk}"
        tag = boss.get(address)["ETag"]

        reserve_stock(
            lines=[StockLine(stock.variant_id, 1)],
            reference="order:1",
            expires_at=timezone.now() + timedelta(minutes=15),
            now=timezone.now(),
        )

        assert boss.get(address)["ETag"] == tag
        assert boss.patch(address, {"low_at": 1}, headers={"If-Match": tag}).status_code == 200

    def test_under_what_is_promised_are_refused(self, boss: APIClient) -> None:
        stock = make.stock(on_hand=1, backorder_limit=5)
        reserve_stock(
            lines=[StockLine(stock.variant_id, 4)], reference="order:1", expires_at=NOW, now=NOW
        )

        refused = boss.patch(f"{INVENTORY}/stock/{stock.pk}", {"backorder_limit": 2})

        assert (refused.status_code, refused.json()["code"]) == (409, "stock_below_reserved")
        stock.refresh_from_db()
        assert stock.backorder_limit == 5

    @pytest.mark.parametrize(
        "body",
        [
            {"backorder_limit": -1},
            {"low_at": MOST_UNITS + 1},
            {"low_at": "3"},
            {"low_at": None},
            {"on_hand": 3},
        ],
    )
    def test_that_cannot_be_are_refused(self, boss: APIClient, body: dict[str, Any]) -> None:
        stock = make.stock(on_hand=5)

        assert boss.patch(f"{INVENTORY}/stock/{stock.pk}", body).status_code == 400
        assert boss.patch(f"{INVENTORY}/stock/999999", {"low_at": 1}).status_code == 404
        assert boss.get(f"{INVENTORY}/stock/{10**19}").status_code == 404

    @pytest.mark.django_db(transaction=True)
    def test_changed_by_another_in_between_are_not_overwritten(self, boss: APIClient) -> None:
        stock = make.stock(on_hand=5)
        address = f"{INVENTORY}/stock/{stock.pk}"
        tag = boss.get(address)["ETag"]
        rival = partial(
            set_stock_terms,
            terms=[StockTerms(stock.variant_id, backorder_limit=3)],
            warehouse="main",
            now=NOW,
        )

        with run_before("inventory.services.adjustments.locked_levels", rival):
            late = boss.patch(address, {"backorder_limit": 9}, headers={"If-Match": tag})

        assert late.status_code == 412
        stock.refresh_from_db()
        assert stock.backorder_limit == 3


class TestWarehouses:
    BODY = {"code": "leeds", "name": "Leeds", "country": "GB"}

    def test_are_opened_read_changed_and_closed(self, boss: APIClient) -> None:
        opened = boss.post(WAREHOUSES, {**self.BODY, "priority": 3})
        assert opened.status_code == 201
        assert opened.json() == {**self.BODY, "priority": 3, "is_active": True}
        one = f"{WAREHOUSES}/leeds"
        assert boss.get(one).json() == opened.json()
        assert boss.get(one)["ETag"] == opened["ETag"]

        changed = boss.patch(one, {"priority": 7}, headers={"If-Match": opened["ETag"]})
        assert changed.json() == {**opened.json(), "priority": 7}
        for method, body in (("patch", {"name": "X"}), ("delete", None)):
            stale = getattr(boss, method)(one, body, headers={"If-Match": opened["ETag"]})
            assert stale.status_code == 412

        assert boss.delete(one, headers={"If-Match": changed["ETag"]}).status_code == 204
        assert boss.get(one).status_code == 404

    def test_are_listed_by_priority(self, boss: APIClient) -> None:
        make.make_warehouse("late", priority=90)
        make.make_warehouse("early", priority=1)
        Warehouse.objects.filter(code="late").update(is_active=False)

        codes = [row["code"] for row in rows(boss, "warehouses")]

        assert codes[0] == "early"
        assert codes[-1] == "late"
        assert "late" not in {row["code"] for row in rows(boss, "warehouses", is_active="true")}

    def test_that_were_used_stay(self, boss: APIClient) -> None:
        make.stock(on_hand=1)

        refused = boss.delete(f"{WAREHOUSES}/main")

        assert (refused.status_code, refused.json()["code"]) == (409, "warehouse_in_use")
        assert Warehouse.objects.filter(code="main").exists()

    def test_that_begin_or_cease_to_sell_are_announced(self, boss: APIClient) -> None:
        stock = make.stock(on_hand=1)
        OutboxMessage.objects.all().delete()

        boss.patch(f"{WAREHOUSES}/main", {"is_active": False})

        message = OutboxMessage.objects.get()
        assert message.topic == "inventory.availability_changed"
        assert message.payload["variant_ids"] == [stock.variant_id]

        boss.patch(f"{WAREHOUSES}/main", {"is_active": False})
        assert OutboxMessage.objects.count() == 1

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"code": "main"}, 409, "warehouse_exists"),
            ({"code": "quarantine"}, 422, "quarantine_not_for_sale"),
            ({"code": "no spaces"}, 400, "malformed_request"),
            ({"code": 5}, 400, "malformed_request"),
            ({"country": "XX"}, 400, "malformed_request"),
            ({"name": ""}, 400, "malformed_request"),
            ({"priority": -1}, 400, "malformed_request"),
            ({"priority": 40_000}, 400, "malformed_request"),
            ({"is_active": "yes"}, 400, "malformed_request"),
            ({"colour": "red"}, 400, "unknown_field"),
        ],
    )
    def test_refused_leave_nothing_behind(
        self, boss: APIClient, change: dict[str, Any], status: int, code: str
    ) -> None:
        make.make_warehouse("main")
        before = list(Warehouse.objects.order_by("id").values_list())

        answer = boss.post(WAREHOUSES, {**self.BODY, **change})

        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
        assert list(Warehouse.objects.order_by("id").values_list()) == before

    def test_of_quarantine_never_sell(self, boss: APIClient) -> None:
        assert boss.post(WAREHOUSES, {**self.BODY, "code": "quarantine", "is_active": False})

        refused = boss.patch(f"{WAREHOUSES}/quarantine", {"is_active": True})

        assert refused.status_code == 422
        assert not Warehouse.objects.get(code="quarantine").is_active
