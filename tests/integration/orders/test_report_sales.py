"""The report adds up what the shop's own tables hold, whoever put it there."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.services import StockLine, write_off
from orders.models import Channel, LineKind, Order
from orders.selectors.reports import Period, sales_by
from orders.services import DraftLine, OrderDraft, place_order
from orders.services.aftersales import ReturnPart, receive_return, refund_order
from orders.services.cancelling import cancel_order
from orders.services.paying import record_sale
from tests.make import history as make
from tests.make import inventory as make_inventory

pytestmark = pytest.mark.django_db

COLUMNS = (
    "month,sale_invoices,cancel_invoices,gross,cancelled,units_sold,units_back,"
    "units_written_off,free_units,customers,other"
)


def replay(path: Path) -> None:
    call_command(
        "replay_history",
        str(path),
        "--format",
        "online_retail_csv",
        "--workers=1",
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )


def report(*options: str) -> str:
    out = io.StringIO()
    call_command("sales_report", *options, stdout=out)
    return out.getvalue()


def rows(*options: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report("--format", "csv", *options))))


@pytest.fixture
def story(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row("1", "22423", 10, "1.25", customer="7.0", at="2011-01-31 23:59:00"),
            make.row("2", "22423", 3, "0.335", customer="7.0", at="2011-02-01 00:00:00"),
            make.row("2", "POST", 2, "18.00", customer="7.0", at="2011-02-01 00:00:00"),
            make.row("2", "PADS", 1, "0.001", customer="7.0", at="2011-02-01 00:00:00"),
            make.row("3", "22424", 5, "0.0", at="2011-02-02 10:00:00"),
            make.row("C4", "22423", -12, "1.25", customer="7.0", at="2011-02-06 10:00:00"),
            make.row("C5", "D", -1, "4.00", customer="9.0", at="2011-02-07 10:00:00"),
            make.row("6", "22424", -2, "0.0", at="2011-02-07 11:00:00"),
            make.row("7", "DCGS1", -3, "0.0", at="2011-02-07 12:00:00"),
            make.row("A8", "B", 1, "-11062.06", at="2011-03-01 12:00:00"),
        )
    )


@pytest.mark.usefixtures("story")
def test_months_have_the_columns_and_sums_of_the_wholesaler() -> None:
    assert report("--by", "month", "--format", "csv").splitlines() == [
        COLUMNS,
        "2011-01,1,0,12.50,0,10,0,0,0,1,0",
        "2011-02,2,2,37.01,-19.00,6,13,5,5,2,0",
        "2011-03,0,0,0,0,0,0,0,0,0,-11062.06",
    ]


@pytest.mark.usefixtures("story")
def test_weeks_begin_on_monday_and_days_at_midnight() -> None:
    weeks = rows("--by", "week")
    assert [(row["week"], row["sale_invoices"], row["cancel_invoices"]) for row in weeks] == [
        ("2011-01-31", "3", "1"),
        ("2011-02-07", "0", "1"),
        ("2011-02-28", "0", "0"),
    ]
    days = rows("--by", "day")
    assert [row["day"] for row in days] == [
        "2011-01-31",
        "2011-02-01",
        "2011-02-02",
        "2011-02-06",
        "2011-02-07",
        "2011-03-01",
    ]


@pytest.mark.usefixtures("story")
def test_days_can_be_chosen() -> None:
    chosen = rows("--by", "day", "--from", "2011-02-01", "--to", "2011-02-06")
    assert [row["day"] for row in chosen] == ["2011-02-01", "2011-02-02", "2011-02-06"]


@pytest.mark.usefixtures("story")
def test_json_and_a_table_tell_the_same() -> None:
    told: list[dict[str, Any]] = json.loads(report("--format", "json"))
    assert told[1]["gross"] == "37.01"
    assert told[1]["units_back"] == 13
    assert "37.01" in report("--format", "table")
    assert "2011-02" in report()


@pytest.mark.usefixtures("story")
def test_another_currency_has_its_own_report() -> None:
    euros = rows("--currency", "EUR")
    # Stock has no currency: what was written off is told in each.
    assert {row["gross"] for row in euros} == {"0"}
    with pytest.raises(CommandError, match="not an ISO 4217 currency"):
        report("--currency", "XYZ")


@pytest.mark.usefixtures("story")
def test_queries_do_not_grow() -> None:
    with CaptureQueriesContext(connection) as few:
        sales_by(Period.MONTH, currency="GBP")
    with CaptureQueriesContext(connection) as many:
        sales_by(Period.DAY, currency="GBP")
    assert len(few) == len(many)


# What the shop itself sold -----------------------------------------------------------------------

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def draft(variant_id: int, *, quantity: int = 3, shipping: int = 0) -> OrderDraft:
    return OrderDraft(
        currency="GBP",
        country="GB",
        email="jo@example.org",
        channel=Channel.STAFF,
        shipping_minor=shipping,
        lines=(
            DraftLine(
                variant_id=variant_id,
                sku="X",
                title="X",
                quantity=quantity,
                unit_price_minor=500,
                total_minor=500 * quantity,
                kind=LineKind.GOODS,
            ),
        ),
    )


def sold(*, shipping: int = 0) -> Order:
    variant = make_inventory.stock(on_hand=10, now=NOW).variant
    return record_sale(
        draft=draft(variant.pk, shipping=shipping),
        now=NOW,
        expires_at=NOW + timedelta(minutes=15),
    ).order


def only_row() -> dict[str, str]:
    (row,) = rows("--by", "day")
    return row


def test_orders_of_the_shop_count_with_their_shipping() -> None:
    sold(shipping=499)
    assert only_row()["gross"] == "19.99"
    assert only_row()["customers"] == "0"  # a guest


def test_an_unpaid_order_counts_nowhere() -> None:
    variant = make_inventory.stock(on_hand=10, now=NOW).variant
    place_order(draft=draft(variant.pk), provider="manual", token="", now=NOW, expires_at=NOW)
    assert sales_by(Period.DAY, currency="GBP") == []


def test_a_refund_and_a_return_count_where_they_happened() -> None:
    order = sold()
    line = order.lines.get()
    later = NOW + timedelta(days=1)
    receive_return(order=order, lines=[ReturnPart(line.pk, 1)], reason="", reference="r", now=later)
    refund_order(order=order, amount_minor=500, reason="", reference="r", now=later)
    first, second = sales_by(Period.DAY, currency="GBP")
    assert (first.gross_minor, first.units_sold, first.cancel_invoices) == (1500, 3, 0)
    assert second.start == date(2026, 11, 3)
    assert (second.cancelled_minor, second.units_back, second.cancel_invoices) == (-500, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_order_was_sold_and_came_back() -> None:
    order = sold()
    Order.objects.filter(pk=order.pk).update(number="AAAAAAAAAA")
    cancel_order(number="AAAAAAAAAA", reason="", now=NOW)
    row = only_row()
    assert (row["gross"], row["cancelled"]) == ("15.00", "-15.00")
    assert (row["units_sold"], row["units_back"], row["cancel_invoices"]) == ("3", "3", "1")


def test_every_write_off_counts() -> None:
    stock = make_inventory.stock(on_hand=10, now=NOW)
    write_off(
        lines=[StockLine(stock.variant_id, 4)],
        warehouse=stock.warehouse.code,
        cause="broken",
        reason="broken",
        now=NOW,
    )
    assert only_row()["units_written_off"] == "4"
