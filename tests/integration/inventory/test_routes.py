"""Stock over HTTP: who may come in, what is answered, what is refused."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from inventory.models import MOST_UNITS, Reservation, Stock, StockMovement
from inventory.serializers import MovementResponse, StockResponse
from inventory.services import StockLine, commit_stock, reserve_stock
from tests.make import inventory as make
from tests.make.accounts import make_staff, make_user, signed_in, superuser

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
STOCK = "/api/v1/inventory/stock"
MOVEMENTS = "/api/v1/inventory/movements"
ADJUSTMENTS = "/api/v1/inventory/adjustments"
RECEIPTS = "/api/v1/inventory/receipts"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(
        api,
        make_staff(
            "inventory.view_stock", "inventory.view_stockmovement", "inventory.add_stockmovement"
        ),
    )


def sell(stock: Stock, units: int, reference: str) -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, units)],
        reference=reference,
        expires_at=NOW + timedelta(minutes=15),
        now=NOW,
    )
    commit_stock(reference=reference, now=NOW)


def rows(api: APIClient, path: str, **query: str | int) -> list[dict[str, Any]]:
    answer = api.get(path, query)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "permission", "status"),
    [
        ("get", STOCK, "inventory.view_stock", 200),
        ("get", MOVEMENTS, "inventory.view_stockmovement", 200),
        ("post", ADJUSTMENTS, "inventory.add_stockmovement", 201),
        ("post", RECEIPTS, "inventory.add_stockmovement", 201),
    ],
)
@pytest.mark.parametrize(
    "who", ["nobody", "customer", "staff without it", "staff with it", "superuser"]
)
def test_lets_in_staff_with_the_permission_alone(
    api: APIClient, who: str, method: str, path: str, permission: str, status: int
) -> None:
    stock = make.stock(on_hand=5)
    people: dict[str, Callable[[], User | None]] = {
        "nobody": lambda: None,
        "customer": make_user,
        "staff without it": lambda: make_staff("catalog.view_product"),
        "staff with it": lambda: make_staff(permission),
        "superuser": superuser,
    }
    signed_in(api, people[who]())
    body = {
        ADJUSTMENTS: {
            "sku": stock.variant.sku,
            "warehouse": "main",
            "delta": 1,
            "reason": "Counted",
        },
        RECEIPTS: {"warehouse": "main", "lines": [{"sku": stock.variant.sku, "quantity": 1}]},
    }.get(path)

    answer = getattr(api, method)(path, body)

    is_in = who in {"staff with it", "superuser"}
    assert answer.status_code == (status if is_in else 401 if who == "nobody" else 403)
    stock.refresh_from_db()
    assert stock.on_hand == (6 if is_in and method == "post" else 5)


class TestStock:
    def test_has_the_rows_of_the_contract(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=9, backorder_limit=3, low_at=2)
        reserve_stock(
            lines=[StockLine(stock.variant_id, 4)], reference="order:1", expires_at=NOW, now=NOW
        )

        assert rows(clerk, STOCK) == [
            {
                "id": stock.pk,
                "sku": stock.variant.sku,
                "variant_id": stock.variant_id,
                "warehouse": "main",
                "on_hand": 9,
                "reserved": 4,
                "available": 5,
                "backorder_limit": 3,
                "low_at": 2,
            }
        ]

    def test_filters_by_sku_warehouse_and_few_units(self, clerk: APIClient) -> None:
        variant = make.bare_variant("FILTER-1")
        make.stock(variant=variant, on_hand=9)
        make.stock(variant=variant, on_hand=1, warehouse=make.make_warehouse("leeds"))
        make.stock(on_hand=0)

        assert len(rows(clerk, STOCK)) == 3
        assert {row["warehouse"] for row in rows(clerk, STOCK, sku="FILTER-1")} == {"main", "leeds"}
        assert [row["sku"] for row in rows(clerk, STOCK, warehouse="leeds")] == ["FILTER-1"]
        assert sorted(row["available"] for row in rows(clerk, STOCK, below=2)) == [0, 1]
        assert [row["on_hand"] for row in rows(clerk, STOCK, below=2, sku="FILTER-1")] == [1]
        assert rows(clerk, STOCK, sku="no such") == []

    def test_pages_by_sku_without_a_gap(self, clerk: APIClient) -> None:
        make.many_stocks(7, on_hand=1)
        first = clerk.get(STOCK, {"page_size": 3}).json()
        second = clerk.get(first["next"]).json()
        third = clerk.get(second["next"]).json()

        skus = [row["sku"] for page in (first, second, third) for row in page["results"]]

        assert skus == sorted(skus)
        assert len(set(skus)) == 7
        assert (first["previous"], third["next"]) == (None, None)
        assert clerk.get(third["previous"]).json()["results"] == second["results"]

    @pytest.mark.parametrize("path", [STOCK, MOVEMENTS])
    def test_takes_one_query_for_any_number_of_rows(self, clerk: APIClient, path: str) -> None:
        counts = []
        for size in (1, 50):
            make.many_stocks(size, on_hand=1)
            clerk.get(path)
            with CaptureQueriesContext(connection) as reading:
                assert rows(clerk, path, page_size=100)
            counts.append(len([q for q in reading if "inventory_" in q["sql"]]))

        assert counts == [1, 1]

    @pytest.mark.parametrize(
        "query",
        [
            {"below": "many"},
            {"below": "1e99"},
            {"below": str(10**30)},
            {"colour": "red"},
            {"page_size": 0},
            {"page_size": 101},
            {"cursor": "x"},
            {"sku": "a\x00b"},
        ],
    )
    def test_refuses_a_query_that_it_cannot_read(
        self, clerk: APIClient, query: dict[str, str | int]
    ) -> None:
        answer = clerk.get(STOCK, query)

        assert answer.status_code == 400
        assert answer["Content-Type"].startswith("application/problem+json")


class TestAdjustments:
    def test_answer_with_the_ledger_row(self, api: APIClient) -> None:
        stock = make.stock(on_hand=5)
        person = make_staff("inventory.add_stockmovement")
        signed_in(api, person)

        answer = api.post(
            ADJUSTMENTS,
            {"sku": stock.variant.sku, "warehouse": "main", "delta": -2, "reason": "Broken"},
        )

        assert answer.status_code == 201
        noted = StockMovement.objects.get(kind="ADJUSTMENT")
        assert answer.json() == {
            "id": noted.pk,
            "sku": stock.variant.sku,
            "variant_id": stock.variant_id,
            "warehouse": "main",
            "kind": "ADJUSTMENT",
            "delta_on_hand": -2,
            "delta_reserved": 0,
            "on_hand_after": 3,
            "reserved_after": 0,
            "reason": "Broken",
            "cause": noted.cause,
            "actor": str(person.public_id),
            "happened_at": answer.json()["happened_at"],
        }
        assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}Z", answer.json()["happened_at"])

    def test_with_one_key_happen_once(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=5)
        body = {"sku": stock.variant.sku, "warehouse": "main", "delta": -2, "reason": "Broken"}

        answers = [clerk.post(ADJUSTMENTS, body, HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2)]

        assert answers[0].content == answers[1].content
        stock.refresh_from_db()
        assert stock.on_hand == 3

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"delta": 0}, 400, "malformed_request"),
            ({"delta": 1.5}, 400, "malformed_request"),
            ({"delta": 1.0}, 400, "malformed_request"),
            ({"delta": "1"}, 400, "malformed_request"),
            ({"delta": True}, 400, "malformed_request"),
            ({"delta": None}, 400, "malformed_request"),
            ({"delta": MOST_UNITS + 1}, 400, "malformed_request"),
            ({"delta": -(10**40)}, 400, "malformed_request"),
            ({"delta": [1]}, 400, "malformed_request"),
            ({"reason": ""}, 400, "malformed_request"),
            ({"reason": 5}, 400, "malformed_request"),
            ({"reason": "a\x00b"}, 400, "malformed_request"),
            ({"reason": "x" * 501}, 400, "malformed_request"),
            ({"sku": None}, 400, "malformed_request"),
            ({"colour": "red"}, 400, "unknown_field"),
            ({"sku": "NO-SUCH"}, 404, "sku_not_found"),
            ({"warehouse": "nowhere"}, 404, "warehouse_not_found"),
            ({"delta": -5}, 409, "stock_below_reserved"),
            ({"delta": MOST_UNITS}, 409, "stock_out_of_range"),
        ],
    )
    def test_refused_leave_nothing_behind(
        self, clerk: APIClient, change: dict[str, Any], status: int, code: str
    ) -> None:
        stock = make.stock(on_hand=5)
        reserve_stock(
            lines=[StockLine(stock.variant_id, 1)], reference="order:1", expires_at=NOW, now=NOW
        )
        before = list(StockMovement.objects.values_list())

        answer = clerk.post(
            ADJUSTMENTS,
            {
                "sku": stock.variant.sku,
                "warehouse": "main",
                "delta": 1,
                "reason": "Counted",
                **change,
            },
        )

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert list(StockMovement.objects.values_list()) == before
        stock.refresh_from_db()
        assert (stock.on_hand, stock.reserved) == (5, 1)

    @pytest.mark.parametrize("body", ["[]", "1", "null", '{"delta": NaN}', "{", ""])
    def test_a_body_that_is_no_object_is_malformed(self, clerk: APIClient, body: str) -> None:
        answer = clerk.post(ADJUSTMENTS, body, content_type="application/json")

        assert answer.status_code == 400
        assert not StockMovement.objects.exists()


class TestReceipts:
    def test_answer_with_the_ledger_rows_and_count_once_per_reference(
        self, clerk: APIClient
    ) -> None:
        stock, other = make.stock(on_hand=5), make.stock(on_hand=0)
        body = {
            "warehouse": "main",
            "reference": "DN-1",
            "reason": "Delivered",
            "lines": [
                {"sku": stock.variant.sku, "quantity": 2},
                {"sku": other.variant.sku, "quantity": 3},
            ],
        }

        answers = [clerk.post(RECEIPTS, body) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert [row["on_hand_after"] for row in answers[0].json()["movements"]] == [7, 3]
        assert {row["reason"] for row in answers[0].json()["movements"]} == {"Delivered"}

    @pytest.mark.parametrize("kind", ["receipts", "returns"])
    @pytest.mark.parametrize("differs", ["quantity", "line", "warehouse"])
    def test_a_note_that_says_something_else_is_refused(
        self, clerk: APIClient, kind: str, differs: str
    ) -> None:
        stock, other = make.stock(on_hand=5), make.stock(on_hand=0)
        make.make_warehouse("north")
        line: dict[str, object] = {"sku": stock.variant.sku, "quantity": 2}
        first = {
            "warehouse": "main",
            "reference": "DN-1",
            "lines": [line],
            "reason": "By lorry",
            **({"to": "stock"} if kind == "returns" else {}),
        }
        path = f"/api/v1/inventory/{kind}"
        assert clerk.post(path, first).status_code == 201
        lines: dict[str, list[dict[str, object]]] = {
            "quantity": [{"sku": stock.variant.sku, "quantity": 3}],
            "line": [line, {"sku": other.variant.sku, "quantity": 1}],
            "warehouse": [line],
        }
        place = "north" if differs == "warehouse" else "main"

        answer = clerk.post(path, {**first, "warehouse": place, "lines": lines[differs]})

        if differs == "line":  # a note may grow: what it has had is counted once, the rest now
            assert answer.status_code == 201
            assert [row["on_hand_after"] for row in answer.json()["movements"]] == [7, 1]
            return
        assert (answer.status_code, answer.json()["code"]) == (409, "reference_reused")
        assert answer.json()["skus"] == [stock.variant.sku]
        assert (
            list(StockMovement.objects.values_list("cause", "delta_on_hand")).count(
                ("receipt:DN-1" if kind == "receipts" else "sent-back:DN-1", 2)
            )
            == 1
        )
        stock.refresh_from_db()
        assert stock.on_hand == 7
        assert not Stock.objects.filter(warehouse__code="north").exists()

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"lines": []}, 400),
            ({"lines": [{"sku": "X", "quantity": 0}]}, 400),
            ({"lines": [{"sku": "X", "quantity": 1, "price": 1}]}, 400),
            ({"lines": [{"sku": "X", "quantity": 1}] * 101}, 400),
            ({"lines": "X"}, 400),
            ({"lines": {"sku": "X"}}, 400),
            ({"reference": ""}, 400),
            ({"lines": [{"sku": "NO-SUCH", "quantity": 1}]}, 404),
            ({"warehouse": "nowhere"}, 404),
        ],
    )
    def test_refused_leave_nothing_behind(
        self, clerk: APIClient, change: dict[str, Any], status: int
    ) -> None:
        stock = make.stock(on_hand=0)

        answer = clerk.post(
            RECEIPTS,
            {
                "warehouse": "main",
                "lines": [{"sku": stock.variant.sku, "quantity": 1}],
                **change,
            },
        )

        assert answer.status_code == status, answer.content
        assert not StockMovement.objects.exists()


class TestMovements:
    def test_are_told_newest_first(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=5)
        sell(stock, 2, "order:1")

        told = rows(clerk, MOVEMENTS)

        assert [row["kind"] for row in told] == ["SALE", "RESERVATION", "RECEIPT"]
        assert [row["on_hand_after"] for row in told] == [3, 5, 5]
        assert [row["reserved_after"] for row in told] == [0, 2, 0]
        assert {row["actor"] for row in told} == {None}

    def test_are_filtered(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=5)
        make.stock(on_hand=1, warehouse=make.make_warehouse("leeds"))
        sell(stock, 2, "order:1")

        assert len(rows(clerk, MOVEMENTS)) == 4
        assert len(rows(clerk, MOVEMENTS, sku=stock.variant.sku)) == 3
        assert len(rows(clerk, MOVEMENTS, warehouse="leeds")) == 1
        assert len(rows(clerk, MOVEMENTS, kind="SALE")) == 1
        assert len(rows(clerk, MOVEMENTS, cause="order:1")) == 2
        assert len(rows(clerk, MOVEMENTS, after=NOW.isoformat(), before=after(NOW))) == 2
        assert rows(clerk, MOVEMENTS, before=NOW.isoformat()) == []

    def test_are_paged(self, clerk: APIClient) -> None:
        make.many_stocks(5, on_hand=1)
        first = clerk.get(MOVEMENTS, {"page_size": 3}).json()
        second = clerk.get(first["next"]).json()

        ids = [row["id"] for page in (first, second) for row in page["results"]]

        assert ids == sorted(ids, reverse=True)
        assert len(ids) == 5

    @pytest.mark.parametrize(
        "query", [{"kind": "THEFT"}, {"after": "yesterday"}, {"before": "0000-00-00"}, {"x": 1}]
    )
    def test_refuse_a_query_that_they_cannot_read(
        self, clerk: APIClient, query: dict[str, str | int]
    ) -> None:
        assert clerk.get(MOVEMENTS, query).status_code == 400


@pytest.mark.parametrize("path", [STOCK, MOVEMENTS, ADJUSTMENTS, RECEIPTS])
def test_other_methods_are_refused(clerk: APIClient, path: str) -> None:
    for method in ("put", "patch", "delete"):
        assert getattr(clerk, method)(path).status_code == 405


def after(moment: datetime) -> str:
    return (moment + timedelta(seconds=1)).isoformat()


def test_rows_fit_their_schema(clerk: APIClient) -> None:
    make.stock(on_hand=1)

    assert set(rows(clerk, STOCK)[0]) == set(StockResponse().fields)
    assert set(rows(clerk, MOVEMENTS)[0]) == set(MovementResponse().fields)
    assert json.dumps(rows(clerk, STOCK))
    assert not Reservation.objects.exists()
