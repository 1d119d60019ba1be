"""What staff see and do in the admin: counters change by the services alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Stock, StockMovement, Warehouse
from inventory.services import StockLine, reserve_stock
from shop.models import OutboxMessage
from tests.make import inventory as make
from tests.make.accounts import make_staff, superuser

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)


@pytest.fixture
def clerk(client: Client) -> Client:
    client.force_login(superuser())
    return client


def hold(stocks: list[Stock], reference: str) -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, 1) for stock in stocks],
        reference=reference,
        expires_at=NOW + timedelta(minutes=15),
        now=NOW,
    )


@pytest.mark.parametrize("table", ["warehouse", "stock", "reservation", "stockmovement"])
def test_lists_take_the_same_queries_for_any_number_of_rows(clerk: Client, table: str) -> None:
    path = reverse(f"admin:inventory_{table}_changelist")
    counts = []
    for size in (1, 30):
        hold(make.many_stocks(size, on_hand=2), f"order:{size}")
        for number in range(size):
            make.make_warehouse(f"w{size}-{number}")
        clerk.get(path)
        with CaptureQueriesContext(connection) as reading:
            answer = clerk.get(path)
        assert answer.status_code == 200
        counts.append(len(reading))

    assert counts[0] == counts[1]


def test_stock_is_found_by_sku_and_filtered(clerk: Client) -> None:
    sku = make.stock(on_hand=2, variant=make.bare_variant("FIND-ME")).variant.sku
    other = make.stock(on_hand=50).variant.sku
    path = reverse("admin:inventory_stock_changelist")

    def shows(query: str) -> tuple[bool, bool]:
        page = clerk.get(f"{path}{query}").content.decode()
        return sku in page, other in page

    assert shows("") == (True, True)
    assert shows("?q=FIND") == (True, False)
    assert shows("?state=low") == (True, False)
    assert shows("?state=in") == (False, True)
    assert shows("?state=out") == (False, False)
    assert shows("?state=owed") == (False, False)
    assert shows(f"?warehouse__id__exact={Warehouse.objects.get().pk}") == (True, True)


def test_the_terms_are_edited_and_the_counters_are_not(clerk: Client) -> None:
    stock = make.stock(on_hand=5)
    path = reverse("admin:inventory_stock_change", args=[stock.pk])
    assert clerk.get(path).status_code == 200

    answer = clerk.post(path, {"backorder_limit": 7, "low_at": 1, "on_hand": 999, "reserved": 3})

    assert answer.status_code == 302
    stock.refresh_from_db()
    assert (stock.on_hand, stock.reserved) == (5, 0)
    assert (stock.backorder_limit, stock.low_at) == (7, 1)


def test_a_limit_below_what_is_promised_is_refused(clerk: Client) -> None:
    stock = make.stock(on_hand=0, backorder_limit=5)
    hold([stock], "order:1")

    answer = clerk.post(
        reverse("admin:inventory_stock_change", args=[stock.pk]),
        {"backorder_limit": 0, "low_at": 1},
    )

    assert "promised already" in answer.content.decode()
    stock.refresh_from_db()
    assert (stock.backorder_limit, stock.low_at) == (5, 5)


def test_an_adjustment_goes_through_the_service(clerk: Client) -> None:
    stock = make.stock(on_hand=5)
    path = reverse("admin:inventory_stock_adjust", args=[stock.pk])
    assert stock.variant.sku in clerk.get(path).content.decode()

    answer = clerk.post(path, {"delta": -2, "reason": "Dropped"})

    assert answer.status_code == 302
    noted = StockMovement.objects.get(kind="ADJUSTMENT")
    assert (noted.delta_on_hand, noted.reason, noted.on_hand_after) == (-2, "Dropped", 3)
    assert noted.actor_id is not None


@pytest.mark.parametrize(
    ("entered", "told"),
    [
        ({"delta": -6, "reason": "Dropped"}, "More units are promised than would be left"),
        ({"delta": -6, "reason": ""}, "This field is required"),
        ({"delta": 0, "reason": "Nothing"}, "malformed"),
    ],
)
def test_an_adjustment_that_cannot_be_says_why(
    clerk: Client, entered: dict[str, str | int], told: str
) -> None:
    stock = make.stock(on_hand=5)

    answer = clerk.post(reverse("admin:inventory_stock_adjust", args=[stock.pk]), entered)

    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not StockMovement.objects.filter(kind="ADJUSTMENT").exists()


def test_adjusting_needs_its_permission(client: Client) -> None:
    stock = make.stock(on_hand=5)
    client.force_login(make_staff("inventory.view_stock", "inventory.change_stock"))

    answer = client.post(
        reverse("admin:inventory_stock_adjust", args=[stock.pk]), {"delta": 1, "reason": "x"}
    )

    assert answer.status_code == 403
    assert not StockMovement.objects.filter(kind="ADJUSTMENT").exists()


@pytest.mark.parametrize("table", ["reservation", "stockmovement"])
def test_holds_and_ledger_are_for_reading(clerk: Client, table: str) -> None:
    stock = make.stock(on_hand=5)
    hold([stock], "order:1")
    rows: dict[str, Model] = {
        "reservation": stock.reservations.get(),
        "stockmovement": stock.movements.get(kind="RESERVATION"),
    }
    row = rows[table]

    assert clerk.get(reverse(f"admin:inventory_{table}_add")).status_code == 403
    assert clerk.get(reverse(f"admin:inventory_{table}_change", args=[row.pk])).status_code == 200
    for action in ("change", "delete"):
        path = reverse(f"admin:inventory_{table}_{action}", args=[row.pk])
        assert clerk.post(path, {"post": "yes", "quantity": 9}).status_code == 403


def test_the_ledger_tells_change_and_balance_in_one_cell(clerk: Client) -> None:
    hold([make.stock(on_hand=5)], "order:1")

    shown = clerk.get(reverse("admin:inventory_stockmovement_changelist")).content.decode()

    assert "+1 → 1" in shown  # reserved
    assert "+5 → 5" in shown  # on hand, received


def test_a_warehouse_that_closes_is_announced(clerk: Client) -> None:
    stock = make.stock(on_hand=5)
    OutboxMessage.objects.all().delete()
    place = stock.warehouse

    answer = clerk.post(
        reverse("admin:inventory_warehouse_change", args=[place.pk]),
        {"code": place.code, "name": place.name, "country": "GB", "priority": 10},
    )

    assert answer.status_code == 302
    place.refresh_from_db()
    assert place.is_active is False
    message = OutboxMessage.objects.get(topic="inventory.availability_changed")
    assert message.payload["variant_ids"] == [stock.variant_id]
