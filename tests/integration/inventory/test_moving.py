"""Counts, transfers, lists of stock and what came back: each with its ledger rows, or nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from inventory.errors import TransferOver
from inventory.models import Stock, StockCount, StockMovement, StockTransfer, Warehouse
from inventory.selectors import available_units_now, drifted_stock
from inventory.services import (
    SkuLine,
    StockLine,
    StockRow,
    dispatch_transfer,
    receive_transfer,
    reserve_stock,
    set_stock,
)
from tests.integration.inventory.test_races import waits
from tests.make import inventory as make
from tests.make.accounts import make_staff, make_user, signed_in, superuser

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
COUNTS = "/api/v1/inventory/counts"
TRANSFERS = "/api/v1/inventory/transfers"
BULK = "/api/v1/inventory/stock/bulk"
RETURNS = "/api/v1/inventory/returns"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, make_staff("inventory.add_stockmovement", "inventory.view_stocktransfer"))


def hold(stock: Stock, units: int) -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, units)],
        reference=f"order:{stock.pk}",
        expires_at=timezone.now() + timedelta(minutes=15),
        now=timezone.now(),
    )


def on_hand(stock: Stock) -> int:
    stock.refresh_from_db()
    return stock.on_hand


def books() -> list[Any]:
    """Everything that a refusal must leave as it was."""
    return [
        list(Stock.objects.order_by("id").values_list()),
        list(StockMovement.objects.order_by("id").values_list()),
        list(StockTransfer.objects.order_by("id").values_list()),
        StockCount.objects.count(),
        Warehouse.objects.count(),
    ]


def kinds(cause: str) -> list[tuple[str, str, int, int]]:
    return list(
        StockMovement.objects.filter(cause__startswith=cause)
        .order_by("id")
        .values_list("kind", "stock__warehouse__code", "delta_on_hand", "on_hand_after")
    )


@pytest.mark.django_db
@pytest.mark.parametrize("path", [COUNTS, TRANSFERS, BULK, RETURNS, f"{TRANSFERS}/1/receive"])
@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("customer", 403), ("clerk", 403)])
def test_writing_is_for_those_who_may(api: APIClient, path: str, who: str, status: int) -> None:
    people: dict[str, Callable[[], User | None]] = {
        "nobody": lambda: None,
        "customer": make_user,
        "clerk": lambda: make_staff("inventory.view_stock", "inventory.view_stocktransfer"),
    }
    signed_in(api, people[who]())

    assert api.post(path, {}).status_code == status


@pytest.mark.django_db
class TestCounts:
    def test_correct_the_difference_and_are_recorded(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=10)

        answer = clerk.post(COUNTS, count_body(stock, 7))

        assert answer.status_code == 201, answer.content
        noted = StockMovement.objects.get(kind="COUNT")
        assert answer.json() == {
            "id": answer.json()["id"],
            "sku": stock.variant.sku,
            "variant_id": stock.variant_id,
            "warehouse": "main",
            "expected": 10,
            "counted": 7,
            "variance": -3,
            "reason": "Weekly",
            "movement_id": noted.pk,
            "counted_at": answer.json()["counted_at"],
        }
        assert (noted.delta_on_hand, noted.on_hand_after) == (-3, 7)
        assert on_hand(stock) == 7
        assert drifted_stock() == []

    def test_without_a_difference_are_recorded_all_the_same(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=10)

        answer = clerk.post(COUNTS, count_body(stock, 10))

        assert (answer.json()["variance"], answer.json()["movement_id"]) == (0, None)
        assert not StockMovement.objects.filter(kind="COUNT").exists()

    def test_with_one_key_happen_once(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=10)

        answers = [
            clerk.post(COUNTS, count_body(stock, 7), HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)
        ]

        assert answers[0].content == answers[1].content
        assert StockCount.objects.count() == 1

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"counted": -1}, 400),
            ({"counted": "7"}, 400),
            ({"counted": True}, 400),
            ({"reason": ""}, 400),
            ({"colour": "red"}, 400),
            ({"sku": "NO-SUCH"}, 404),
            ({"warehouse": "nowhere"}, 404),
            ({"counted": 3}, 409),
        ],
    )
    def test_refused_leave_nothing_behind(
        self, clerk: APIClient, change: dict[str, Any], status: int
    ) -> None:
        stock = make.stock(on_hand=10)
        hold(stock, 4)
        before = books()

        assert clerk.post(COUNTS, {**count_body(stock, 5), **change}).status_code == status
        assert books() == before


def count_body(stock: Stock, counted: int) -> dict[str, Any]:
    return {
        "sku": stock.variant.sku,
        "warehouse": "main",
        "counted": counted,
        "reason": "Weekly",
    }


@pytest.mark.django_db
class TestTransfers:
    def test_leave_one_place_and_arrive_at_the_other_with_what_is_missing(
        self, clerk: APIClient
    ) -> None:
        make.make_warehouse("leeds")
        stock, other = make.stock(on_hand=10), make.stock(on_hand=10)
        body = transfer_body((stock, 6), (other, 2))

        sent = clerk.post(TRANSFERS, body)

        assert sent.status_code == 201, sent.content
        told = sent.json()
        assert (told["from"], told["to"], told["state"]) == ("main", "leeds", "IN_TRANSIT")
        assert [line["received"] for line in told["lines"]] == [None, None]
        assert (on_hand(stock), on_hand(other)) == (4, 8)
        assert available_units_now([stock.variant_id]) == {stock.variant_id: 4}  # in neither

        came = clerk.post(
            f"{TRANSFERS}/{told['id']}/receive",
            {"lines": [{"sku": stock.variant.sku, "quantity": 5}], "note": "One broken"},
        )

        assert came.status_code == 200, came.content
        assert [(line["received"], line["missing"]) for line in came.json()["lines"]] == [
            (5, 1),
            (0, 2),
        ]
        assert (came.json()["state"], came.json()["note"]) == ("RECEIVED", "One broken")
        assert kinds(f"transfer:{told['id']}") == [
            ("TRANSFER_OUT", "main", -6, 4),
            ("TRANSFER_OUT", "main", -2, 8),
            ("TRANSFER_IN", "leeds", 5, 5),
        ]
        assert available_units_now([stock.variant_id]) == {stock.variant_id: 9}
        assert drifted_stock() == []

    def test_arrive_in_whole_when_nothing_else_is_said(self, clerk: APIClient) -> None:
        make.make_warehouse("leeds")
        stock = make.stock(on_hand=10)
        sent = clerk.post(TRANSFERS, transfer_body((stock, 6))).json()

        came = clerk.post(f"{TRANSFERS}/{sent['id']}/receive", {}).json()

        assert [(line["received"], line["missing"]) for line in came["lines"]] == [(6, 0)]
        assert clerk.get(f"{TRANSFERS}/{sent['id']}").json() == came

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"to": "main"}, 400, "malformed_request"),
            ({"lines": []}, 400, "malformed_request"),
            ({"from": None}, 400, "malformed_request"),
            ({"via": "york"}, 400, "unknown_field"),
            ({"to": "nowhere"}, 404, "warehouse_not_found"),
            ({"lines": [{"sku": "NO-SUCH", "quantity": 1}]}, 404, "sku_not_found"),
            ({"units": 7}, 409, "stock_below_reserved"),
        ],
    )
    def test_that_are_refused_leave_nothing_behind(
        self, clerk: APIClient, change: dict[str, Any], status: int, code: str
    ) -> None:
        make.make_warehouse("leeds")
        stock = make.stock(on_hand=10)
        hold(stock, 4)
        before = books()
        units = change.pop("units", 1)

        answer = clerk.post(TRANSFERS, {**transfer_body((stock, units)), **change})

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert books() == before

    @pytest.mark.parametrize(
        ("lines", "status", "code"),
        [
            ([{"sku": "SENT", "quantity": 7}], 422, "not_in_transfer"),
            ([{"sku": "SENT", "quantity": 6}, {"sku": "OTHER", "quantity": 1}], 422, None),
            ([{"sku": "SENT", "quantity": -1}], 400, "malformed_request"),
            ([{"sku": "NO-SUCH", "quantity": 1}], 404, "sku_not_found"),
        ],
    )
    def test_of_which_more_arrives_than_was_sent_are_refused(
        self, clerk: APIClient, lines: list[dict[str, Any]], status: int, code: str | None
    ) -> None:
        make.make_warehouse("leeds")
        stock = make.stock(on_hand=10, variant=make.bare_variant("SENT"))
        make.bare_variant("OTHER")
        sent = clerk.post(TRANSFERS, transfer_body((stock, 6))).json()
        before = books()

        answer = clerk.post(f"{TRANSFERS}/{sent['id']}/receive", {"lines": lines})

        assert answer.status_code == status
        assert code is None or answer.json()["code"] == code
        assert books() == before

    def test_arrive_once(self, clerk: APIClient) -> None:
        make.make_warehouse("leeds")
        stock = make.stock(on_hand=10)
        sent = clerk.post(TRANSFERS, transfer_body((stock, 6))).json()
        path = f"{TRANSFERS}/{sent['id']}/receive"
        assert clerk.post(path, {}).status_code == 200
        before = books()

        again = clerk.post(path, {})

        assert (again.status_code, again.json()["code"]) == (409, "transfer_already_received")
        assert clerk.post(f"{TRANSFERS}/{10**30}/receive", {}).status_code == 404
        assert books() == before

    @pytest.mark.parametrize("size", [1, 20])
    def test_take_the_same_queries_for_any_number_of_lines(self, size: int) -> None:
        make.make_warehouse("leeds")
        stocks = make.many_stocks(size, on_hand=5)
        lines = [SkuLine(stock.variant.sku, 2) for stock in stocks]
        with CaptureQueriesContext(connection) as sending:
            sent = dispatch_transfer(
                lines=lines, source="main", destination="leeds", reason="", now=NOW
            )
        with CaptureQueriesContext(connection) as receiving:
            receive_transfer(transfer_id=sent.pk, lines=None, note="", now=NOW)

        # Savepoint, 2 warehouses, variants; rows, lock; transfer, lines; change; news; release.
        assert len(sending) == 11
        # Savepoint, transfer, lines; lines set; rows, lock; change; warehouse; transfer; news.
        assert len(receiving) == 10

    def test_are_listed_in_few_queries(self, clerk: APIClient) -> None:
        make.make_warehouse("leeds")
        counts = []
        for size in (1, 12):
            for stock in make.many_stocks(size, on_hand=5):
                clerk.post(TRANSFERS, transfer_body((stock, 1)))
            with CaptureQueriesContext(connection) as made:
                page = clerk.get(f"{TRANSFERS}?page_size=10&state=IN_TRANSIT").json()
            counts.append(len([q for q in made if "inventory_" in q["sql"]]))

        assert counts == [2, 2]
        assert len(page["results"]) == 10
        assert len(clerk.get(page["next"]).json()["results"]) == 3
        assert clerk.get(f"{TRANSFERS}?state=RECEIVED").json()["results"] == []
        assert clerk.get(f"{TRANSFERS}?state=LOST").status_code == 400


def transfer_body(*lines: tuple[Stock, int]) -> dict[str, Any]:
    return {
        "from": "main",
        "to": "leeds",
        "lines": [{"sku": stock.variant.sku, "quantity": units} for stock, units in lines],
    }


@pytest.mark.django_db(transaction=True)
def test_a_transfer_that_two_receive_arrives_once() -> None:
    make.make_warehouse("leeds")
    stock = make.stock(on_hand=10)
    sent = dispatch_transfer(
        lines=[SkuLine(stock.variant.sku, 6)],
        source="main",
        destination="leeds",
        reason="",
        now=NOW,
    )
    receive = partial(receive_transfer, transfer_id=sent.pk, lines=None, note="", now=NOW)

    assert isinstance(waits(receive, receive), TransferOver)

    assert StockMovement.objects.filter(kind="TRANSFER_IN").count() == 1
    assert available_units_now([stock.variant_id]) == {stock.variant_id: 10}


@pytest.mark.django_db
class TestBulk:
    def test_tells_what_became_of_each_row_and_lets_none_stop_another(
        self, clerk: APIClient
    ) -> None:
        make.make_warehouse("leeds")
        stock, same, held = make.stock(on_hand=5), make.stock(on_hand=6), make.stock(on_hand=5)
        hold(held, 4)
        rows = [
            row(stock.variant.sku, 9),
            row(same.variant.sku, 6),
            row(held.variant.sku, 3),
            row("NO-SUCH", 1),
            row(stock.variant.sku, 1, warehouse="nowhere"),
            row(stock.variant.sku, 2),
            row(stock.variant.sku, 4, warehouse="leeds"),
        ]

        answer = clerk.post(BULK, {"rows": rows, "reason": "Stock take"})

        assert answer.status_code == 200, answer.content
        assert [
            (told["outcome"], told["before"], told["on_hand"], told["code"])
            for told in answer.json()["results"]
        ] == [
            ("updated", 5, 9, ""),
            ("unchanged", 6, 6, ""),
            ("failed", 5, 5, "stock_below_reserved"),
            ("failed", None, None, "sku_not_found"),
            ("failed", None, None, "warehouse_not_found"),
            ("failed", 5, 5, "repeated"),
            ("updated", 0, 4, ""),
        ]
        assert (on_hand(stock), on_hand(same), on_hand(held)) == (9, 6, 5)
        assert kinds("bulk:") == [("ADJUSTMENT", "main", 4, 9), ("ADJUSTMENT", "leeds", 4, 4)]
        assert drifted_stock() == []

    def test_tried_dry_tells_the_same_and_writes_nothing(self, clerk: APIClient) -> None:
        make.make_warehouse("leeds")
        stock = make.stock(on_hand=5)
        before = books()
        rows = [row(stock.variant.sku, 9), row(stock.variant.sku, 4, warehouse="leeds")]

        tried = clerk.post(BULK, {"rows": rows, "dry_run": True}).json()

        assert books() == before
        assert tried["dry_run"] is True
        assert clerk.post(BULK, {"rows": rows}).json()["results"] == tried["results"]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"rows": []},
            {"rows": [{"sku": "A", "warehouse": "main", "on_hand": -1}]},
            {"rows": [{"sku": "A", "warehouse": "main"}]},
            {"rows": [{"sku": "A", "warehouse": "main", "on_hand": 1, "reserved": 1}]},
            {"rows": [{"sku": "A", "warehouse": "main", "on_hand": 1}] * 1001},
        ],
    )
    def test_refuses_a_list_that_it_cannot_read(
        self, clerk: APIClient, body: dict[str, Any]
    ) -> None:
        before = books()

        assert clerk.post(BULK, body).status_code == 400
        assert books() == before

    @pytest.mark.parametrize("size", [1, 1000])
    def test_takes_the_same_queries_for_any_number_of_rows(self, size: int) -> None:
        rows = [
            StockRow(stock.variant.sku, "main", 8) for stock in make.many_stocks(size, on_hand=5)
        ]

        with CaptureQueriesContext(connection) as made:
            results = set_stock(rows=rows, reason="", now=NOW)

        assert {result.outcome for result in results} == {"updated"}
        # Savepoint, variants, warehouses; rows, lock; change; news; release.
        assert len(made) == 8


def row(sku: str, units: int, *, warehouse: str = "main") -> dict[str, Any]:
    return {"sku": sku, "warehouse": warehouse, "on_hand": units}


@pytest.mark.django_db
class TestReturns:
    def test_go_back_on_sale_once_per_reference(self, clerk: APIClient) -> None:
        stock = make.stock(on_hand=5)
        body = {
            "to": "stock",
            "reference": "RMA-1",
            "reason": "Unused",
            "lines": [{"sku": stock.variant.sku, "quantity": 2}],
        }

        answers = [clerk.post(RETURNS, body) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 201], answers[0].content
        assert answers[0].json() == answers[1].json()
        assert on_hand(stock) == 7
        assert kinds("sent-back:RMA-1") == [("RETURN", "main", 2, 7)]

    def test_in_quarantine_are_not_for_sale_until_they_are_transferred(
        self, clerk: APIClient
    ) -> None:
        stock = make.stock(on_hand=5)

        answer = clerk.post(
            RETURNS,
            {
                "to": "quarantine",
                "reason": "Opened",
                "lines": [{"sku": stock.variant.sku, "quantity": 2}],
            },
        )

        (told,) = answer.json()["movements"]
        assert (told["kind"], told["warehouse"], told["on_hand_after"]) == (
            "RETURN",
            "quarantine",
            2,
        )
        assert available_units_now([stock.variant_id]) == {stock.variant_id: 5}

        sent = clerk.post(
            TRANSFERS, {**transfer_body((stock, 2)), "from": "quarantine", "to": "main"}
        )
        clerk.post(f"{TRANSFERS}/{sent.json()['id']}/receive", {})

        assert available_units_now([stock.variant_id]) == {stock.variant_id: 7}
        assert drifted_stock() == []

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"to": "shelf"}, 400),
            ({"to": "quarantine", "warehouse": "main"}, 400),
            ({"lines": []}, 400),
            ({"warehouse": "nowhere"}, 404),
            ({"to": "quarantine", "lines": [{"sku": "NO-SUCH", "quantity": 1}]}, 404),
        ],
    )
    def test_refused_leave_nothing_behind(
        self, clerk: APIClient, change: dict[str, Any], status: int
    ) -> None:
        stock = make.stock(on_hand=5)
        before = books()
        body = {
            "to": "stock",
            "reason": "Unused",
            "lines": [{"sku": stock.variant.sku, "quantity": 2}],
        }

        assert clerk.post(RETURNS, {**body, **change}).status_code == status
        assert books() == before


@pytest.mark.django_db
def test_the_admin_shows_counts_and_transfers_and_changes_none(
    client: Client, clerk: APIClient
) -> None:
    client.force_login(superuser())
    make.make_warehouse("leeds")
    stock = make.stock(on_hand=5)
    clerk.post(COUNTS, count_body(stock, 4))
    sent = clerk.post(TRANSFERS, transfer_body((stock, 1))).json()

    for table in ("stockcount", "stocktransfer"):
        assert client.get(reverse(f"admin:inventory_{table}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:inventory_{table}_add")).status_code == 403
    page = client.get(reverse("admin:inventory_stocktransfer_change", args=[sent["id"]]))
    assert page.status_code == 200
    assert stock.variant.sku in page.content.decode()
