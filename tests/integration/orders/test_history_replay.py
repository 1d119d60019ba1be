"""Replaying a history: each kind of invoice by the services, once, whatever happens meanwhile."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.models import Price, Product, Variant
from inventory.models import Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import StockLine, reserve_stock
from orders.models import (
    AccountAdjustment,
    Cancellation,
    CancellationLine,
    CreditNote,
    CreditNoteLine,
    LineKind,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    Refund,
    Return,
    ReturnLine,
    UnstockedWriteOff,
)
from orders.services import history as history_services
from orders.services import history_workers
from orders.services.history import (
    not_yet_replayed,
    only_replay,
    prepare_ground,
    receive_opening_stock,
    replay_invoice,
)
from orders.services.history_input import read_history
from shop.models import OutboxMessage
from tests.make import history as make

pytestmark = pytest.mark.django_db


def replay(path: Path, *options: str, code: int = 0) -> dict[str, Any]:
    """Run the command as a shell would, check its exit code, and return its summary."""
    out = io.StringIO()
    left_with = 0
    try:
        call_command(
            "replay_history",
            str(path),
            "--format",
            "online_retail_csv",
            "--json",
            # In this process, whose transaction no other one sees.
            "--workers=1",
            *options,
            stdout=out,
            stderr=io.StringIO(),
        )
    except SystemExit as end:
        left_with = int(end.code or 0)
    assert left_with == code
    summary: dict[str, Any] = json.loads(out.getvalue())
    return summary


def on_hand() -> dict[str, int]:
    return dict(Stock.objects.values_list("variant__sku", "on_hand"))


def order(number: str) -> Order:
    return Order.objects.get(external_ref=f"online_retail:{number}")


# Sales -------------------------------------------------------------------------------------------


def test_a_sale_becomes_a_paid_order_of_its_own_date(tmp_path: Path) -> None:
    path = make.file(
        tmp_path,
        make.row("536365", "85123A", 6, "2.55", customer="17850.0"),
        make.row("536365", "85123A", 2, "2.10", customer="17850.0"),
        make.row("536365", "22423", 3, "0.0", customer="17850.0"),
        make.row("536365", "POST", 1, "18.00", customer="17850.0"),
    )
    summary = replay(path)
    assert summary["replayed"] == {
        "sale": 1,
        "write_off": 0,
        "cancellation": 0,
        "adjustment": 0,
    }
    sold = order("536365")
    at = datetime(2011, 2, 1, 10, tzinfo=UTC)
    assert (sold.placed_at, sold.confirmed_at, sold.channel) == (at, at, "HISTORY")
    assert (sold.status, sold.payment_status) == ("COMPLETED", "PAID")
    assert (sold.total_minor, sold.currency, sold.country) == (1530 + 420 + 1800, "GBP", "GB")
    assert sold.customer is not None
    assert sold.customer.external_ref == "17850"
    assert not sold.customer.has_usable_password()
    assert list(
        sold.lines.order_by("position").values_list(
            "sku", "quantity", "unit_price_minor", "total_minor", "kind", "is_free"
        )
    ) == [
        ("85123A", 6, 255, 1530, LineKind.GOODS, False),
        ("85123A", 2, 210, 420, LineKind.GOODS, False),
        ("22423", 3, 0, 0, LineKind.GOODS, True),
        ("POST", 1, 1800, 1800, LineKind.FEE, False),
    ]
    payment = sold.payments.get()
    assert (payment.provider, payment.status, payment.captured_minor) == (
        "manual",
        Payment.Status.CAPTURED,
        3750,
    )
    assert {event.happened_at for event in sold.events.all()} == {at}
    assert on_hand() == {"85123A": 0, "22423": 0}
    assert summary["opening_units"] == 11
    assert not Variant.objects.filter(sku="POST").exists()
    assert {m.happened_at for m in StockMovement.objects.all()} == {at}


def test_nobody_is_written_to(tmp_path: Path) -> None:
    replay(make.file(tmp_path, make.row("1", "22423", 1, customer="17850.0")))
    topics = set(OutboxMessage.objects.values_list("topic", flat=True))
    assert topics <= {"inventory.availability_changed", "catalog.product_changed"}


def test_a_guest_is_nobody(tmp_path: Path) -> None:
    replay(make.file(tmp_path, make.row("1", "22423", 1)))
    assert order("1").customer is None
    assert order("1").access_token_hash == ""
    assert not User.objects.exists()


def test_an_order_of_free_units_alone_is_an_order(tmp_path: Path) -> None:
    replay(make.file(tmp_path, make.row("1", "22423", 5, "0.0", description="")))
    assert (order("1").status, order("1").total_minor) == ("COMPLETED", 0)
    assert on_hand() == {"22423": 0}


def test_a_price_under_half_a_penny_is_not_free(tmp_path: Path) -> None:
    replay(make.file(tmp_path, make.row("1", "PADS", 1, "0.001", customer="1.0")))
    line = OrderLine.objects.get()
    assert (line.total_minor, line.is_free, line.kind) == (0, False, LineKind.FEE)


def test_codes_that_differ_by_case_are_two_articles(tmp_path: Path) -> None:
    replay(
        make.file(tmp_path, make.row("1", "85123A", 1, "2.95"), make.row("1", "85123a", 2, "6.63"))
    )
    assert on_hand() == {"85123A": 0, "85123a": 0}
    assert Product.objects.count() == 2


def test_articles_stay_off_the_shop_window_until_somebody_puts_them_there(tmp_path: Path) -> None:
    replay(make.file(tmp_path, make.row("1", "22423", 1, "0"), make.row("1", "22424", 1, "9.95")))
    assert set(Product.objects.values_list("status", "published_at")) == {("ACTIVE", None)}
    product = Product.objects.get(variants__sku="22424")
    assert product.title == "THE 22424"
    assert product.category is not None
    assert product.category.name == "Wholesale history"
    prices = dict(Price.objects.values_list("variant__sku", "amount_minor"))
    assert prices == {"22424": 995}


def test_a_sku_that_the_shop_has_is_taken_as_it_is(tmp_path: Path) -> None:
    from_before = replay(make.file(tmp_path, make.row("1", "22423", 1, "9.00"), name="a.csv"))
    assert from_before["opening_units"] == 1
    Product.objects.update(title="The merchant's own title")
    replay(make.file(tmp_path, make.row("2", "22423", 4, "7.00"), name="b.csv"))
    assert Product.objects.get().title == "The merchant's own title"
    assert on_hand() == {"22423": 0}


def test_a_place_without_a_country_code_keeps_its_name(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row("1", "22423", 1, country="Channel Islands"),
            make.row("2", "22423", 1, country="EIRE"),
        )
    )
    assert (order("1").country, order("2").country) == ("ZZ", "IE")
    assert (order("1").shipping_address or {})["region"] == "Channel Islands"
    assert order("2").shipping_address is None


def test_queries_do_not_grow_with_lines(tmp_path: Path) -> None:
    rows = [make.row("1", "10000", 1), make.row("2", "10000", 1)]
    rows += [make.row("3", str(10000 + n % 900), 1 + n % 3) for n in range(1200)]
    history = read_history(make.file(tmp_path, *rows))
    now = history.invoices[0].happened_at
    ground = prepare_ground(history=history, now=now)
    receive_opening_stock(invoices=history.invoices, ground=ground, now=now)
    counts = []
    for invoice in history.invoices:
        with CaptureQueriesContext(connection) as queries:
            replay_invoice(invoice=invoice, ground=ground)
        counts.append(len(queries))
    # The second is the measure: the first may warm something up.
    assert counts[2] <= counts[1] + 1  # more than 1,000 lines go in two statements


# Write-offs and adjustments ----------------------------------------------------------------------


def test_a_write_off_takes_stock_with_the_clerks_words(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row("536589", "21777", -10, "0.0", description="mouldy thrown away"),
            make.row("536590", "21778", -3, "0.0", description=""),
            make.row("536591", "DCGS0055", -9, "0.0", description="lost"),
        )
    )
    gone = StockMovement.objects.filter(kind=StockMovement.Kind.WRITE_OFF).order_by("id")
    assert [(m.stock.variant.sku, m.delta_on_hand, m.reason) for m in gone] == [
        ("21777", -10, "mouldy thrown away"),
        ("21778", -3, "Written off, no reason given"),
    ]
    assert on_hand() == {"21777": 0, "21778": 0}
    unstocked = UnstockedWriteOff.objects.get()
    assert (unstocked.sku, unstocked.quantity, unstocked.reason) == ("DCGS0055", 9, "lost")
    assert not Variant.objects.filter(sku="DCGS0055").exists()


def test_one_write_off_may_name_an_article_twice(tmp_path: Path) -> None:
    path = make.file(
        tmp_path,
        make.row("1", "21777", -10, "0.0", description="damaged"),
        make.row("1", "21777", -5, "0.0", description="damaged"),
        make.row("1", "21777", -1, "0.0", description="lost"),
    )
    replay(path)
    replay(path)
    gone = StockMovement.objects.filter(kind=StockMovement.Kind.WRITE_OFF).order_by("id")
    assert [(m.delta_on_hand, m.reason) for m in gone] == [(-15, "damaged"), (-1, "lost")]


def test_bad_debt_is_money_alone(tmp_path: Path) -> None:
    path = make.file(
        tmp_path,
        make.row("A563185", "B", 1, "11062.06", description="Adjust bad debt"),
        make.row("A563186", "B", 1, "-11062.06", description="Adjust bad debt"),
        make.row("A563187", "B", 1, "-11062.06", description="Adjust bad debt"),
    )
    replay(path)
    replay(path)
    assert list(AccountAdjustment.objects.order_by("id").values_list("amount_minor", "reason")) == [
        (1106206, "Adjust bad debt"),
        (-1106206, "Adjust bad debt"),
        (-1106206, "Adjust bad debt"),
    ]
    assert not Stock.objects.exists()
    assert not Order.objects.exists()


# Cancellations -----------------------------------------------------------------------------------


def sold_then(tmp_path: Path, *rows: str) -> None:
    """Replay two sales of 10 units at 1.00 and 1.50 to customer 7, then these rows."""
    replay(
        make.file(
            tmp_path,
            make.row("1", "22423", 10, "1.00", customer="7.0", at="2011-02-01 09:00:00"),
            make.row("2", "22423", 10, "1.50", customer="7.0", at="2011-02-01 09:30:00"),
            *rows,
        )
    )


def cancelled_lines() -> list[tuple[str | None, int, int]]:
    return [
        (
            line.order_line.order.external_ref if line.order_line else None,
            line.quantity,
            line.amount_minor,
        )
        for line in CancellationLine.objects.select_related("order_line__order").order_by("id")
    ]


def test_a_cancellation_goes_back_to_what_was_sold_at_its_price(tmp_path: Path) -> None:
    sold_then(tmp_path, make.row("C3", "22423", -4, "1.00", customer="7.0"))
    refund = Refund.objects.get()
    assert (refund.order, refund.amount_minor, refund.status) == (order("1"), 400, "SUCCEEDED")
    assert refund.settled_at == datetime(2011, 2, 1, 10, tzinfo=UTC)
    assert order("1").payment_status == "PARTIALLY_REFUNDED"
    back = Return.objects.get()
    assert (back.order, back.lines.get().quantity) == (order("1"), 4)
    assert on_hand() == {"22423": 4}
    assert not CreditNote.objects.exists()


def test_the_latest_sale_comes_first_where_the_price_tells_nothing(tmp_path: Path) -> None:
    sold_then(tmp_path, make.row("C3", "22423", -12, "1.25", customer="7.0"))
    assert cancelled_lines() == [
        ("online_retail:2", 10, 1250),
        ("online_retail:1", 2, 250),
    ]
    assert Refund.objects.count() == 2


def test_never_more_comes_back_than_was_sold(tmp_path: Path) -> None:
    sold_then(
        tmp_path,
        make.row("C3", "22423", -15, "1.00", customer="7.0"),
        make.row("C4", "22423", -9, "1.00", customer="7.0"),
    )
    assert cancelled_lines() == [
        ("online_retail:1", 10, 1000),
        ("online_retail:2", 5, 500),
        ("online_retail:2", 5, 500),
        (None, 4, 400),
    ]
    note = CreditNote.objects.get()
    assert (note.external_ref, note.total_minor) == ("online_retail:C4", 400)
    assert note.customer == order("1").customer
    assert on_hand() == {"22423": 24}
    assert order("1").payment_status == "REFUNDED"


def test_never_more_money_goes_back_than_came(tmp_path: Path) -> None:
    sold_then(tmp_path, make.row("C3", "22423", -20, "2.00", customer="7.0"))
    # 15.00 and 10.00 were paid: seven and five units at 2.00 fit into that.
    assert cancelled_lines() == [
        ("online_retail:2", 7, 1400),
        ("online_retail:1", 5, 1000),
        (None, 8, 1600),
    ]
    assert on_hand() == {"22423": 20}


def test_rows_of_one_cancellation_do_not_take_the_same_units_twice(tmp_path: Path) -> None:
    sold_then(
        tmp_path,
        make.row("C3", "22423", -8, "1.00", customer="7.0"),
        make.row("C3", "22423", -8, "1.00", customer="7.0"),
    )
    assert cancelled_lines() == [
        ("online_retail:1", 8, 800),
        ("online_retail:1", 2, 200),
        ("online_retail:2", 6, 600),
    ]
    assert ReturnLine.objects.count() == 2
    assert Refund.objects.get(order=order("1")).lines.get().quantity == 10


@pytest.mark.parametrize(
    "row",
    [
        make.row("C3", "22423", -4, customer="8.0"),  # another customer
        make.row("C3", "22423", -4),  # a guest
        make.row("C3", "22424", -4, customer="7.0"),  # another code
        make.row("C3", "22423", -4, customer="7.0", at="2011-01-31 10:00:00"),  # before the sale
    ],
)
def test_what_matches_no_sale_is_credited_alone(tmp_path: Path, row: str) -> None:
    sold_then(tmp_path, row)
    assert not Refund.objects.exists()
    note = CreditNote.objects.get()
    assert note.total_minor == 400
    receipt = StockMovement.objects.get(
        kind=StockMovement.Kind.RECEIPT, cause=f"credit_note:{note.pk}"
    )
    assert receipt.delta_on_hand == 4


def test_stock_is_locked_in_one_go_before_any_comes_back(tmp_path: Path) -> None:
    """Two returns that each lock theirs could deadlock with a sale of both articles."""
    path = make.file(
        tmp_path,
        make.row("1", "22424", 10, customer="7.0", at="2011-02-01 09:00:00"),
        make.row("2", "22423", 10, customer="7.0", at="2011-02-01 09:30:00"),
        make.row("C3", "22424", -1, customer="7.0"),
        make.row("C3", "22423", -1, customer="7.0"),
    )
    history = read_history(path)
    now = history.invoices[0].happened_at
    ground = prepare_ground(history=history, now=now)
    receive_opening_stock(invoices=history.invoices, ground=ground, now=now)
    for sale in history.invoices[:2]:
        replay_invoice(invoice=sale, ground=ground)
    with CaptureQueriesContext(connection) as queries:
        replay_invoice(invoice=history.invoices[2], ground=ground)
    assert Return.objects.count() == 2
    of_stock = [q["sql"] for q in queries.captured_queries if '"inventory_stock"' in q["sql"]]
    assert of_stock[0].endswith(' FOR NO KEY UPDATE OF "inventory_stock"')
    assert all(str(variant_id) in of_stock[0] for variant_id in ground.variant_ids.values())


def test_fees_are_given_back_like_goods_but_without_stock(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row("1", "POST", 2, "18.00", customer="7.0"),
            make.row("C2", "POST", -1, "18.00", customer="7.0"),
            make.row("C3", "D", -1, "27.50", customer="7.0", description="Discount"),
        )
    )
    assert Refund.objects.get().amount_minor == 1800
    assert CreditNoteLine.objects.get().kind == LineKind.FEE
    assert not Stock.objects.exists()


def test_free_units_come_back_without_money(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row("1", "22423", 3, "0.0", customer="7.0"),
            make.row("C2", "22423", -3, "0.0", customer="7.0"),
        )
    )
    assert Return.objects.get().lines.get().quantity == 3
    assert not Refund.objects.exists()


def test_a_huge_order_may_be_taken_back_within_minutes(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row(
                "581483", "23843", 80995, "2.08", customer="16446.0", at="2011-12-09 09:15:00"
            ),
            make.row(
                "C581484", "23843", -80995, "2.08", customer="16446.0", at="2011-12-09 09:27:00"
            ),
        )
    )
    assert order("581483").payment_status == "REFUNDED"
    assert Refund.objects.get().amount_minor == 16846960
    assert on_hand() == {"23843": 80995}


def test_thirds_of_a_penny_are_given_back_to_the_penny(tmp_path: Path) -> None:
    replay(
        make.file(
            tmp_path,
            make.row("1", "22423", 1, "0.335", customer="7.0", at="2011-02-01 08:00:00"),
            make.row("2", "22423", 1, "0.335", customer="7.0", at="2011-02-01 08:01:00"),
            make.row("3", "22423", 1, "0.335", customer="7.0", at="2011-02-01 08:02:00"),
            make.row("C4", "22423", -3, "0.335", customer="7.0"),
        )
    )
    # 1.005 is 1.01; each sale brought 0.34.
    assert [amount for _, _, amount in cancelled_lines()] == [34, 33, 34]


# Again, and again ---------------------------------------------------------------------------------

STORY = (
    make.row("1", "22423", 10, "1.00", customer="7.0", at="2011-02-01 09:00:00"),
    make.row("1", "22424", 2, "3.00", customer="7.0", at="2011-02-01 09:00:00"),
    make.row("1", "POST", 1, "18.00", customer="7.0", at="2011-02-01 09:00:00"),
    make.row("2", "22423", 5, "1.10", at="2011-02-01 09:10:00"),
    make.row("C3", "22423", -12, "1.00", customer="7.0", at="2011-02-01 09:20:00"),
    make.row("C3", "POST", -1, "18.00", customer="7.0", at="2011-02-01 09:20:00"),
    make.row("4", "22424", -1, "0.0", description="lost", at="2011-02-01 09:30:00"),
    make.row("4", "DCGS1", -1, "0.0", description="lost", at="2011-02-01 09:30:00"),
    make.row("A5", "B", 1, "-9.99", description="Adjust bad debt", at="2011-02-01 09:40:00"),
    make.row("6", "22423", 9, "1.10", customer="8.0", at="2011-02-01 09:50:00"),
)


def state() -> dict[str, object]:
    """Return all that a replay leaves, without what is made up anew each time."""
    return {
        "orders": list(
            Order.objects.order_by("external_ref").values_list(
                "external_ref", "total_minor", "status", "payment_status", "placed_at"
            )
        ),
        "lines": list(
            OrderLine.objects.order_by("order__external_ref", "position").values_list(
                "order__external_ref", "sku", "quantity", "total_minor"
            )
        ),
        "events": sorted(OrderEvent.objects.values_list("order__external_ref", "kind")),
        "payments": sorted(Payment.objects.values_list("order__external_ref", "captured_minor")),
        "refunds": sorted(Refund.objects.values_list("order__external_ref", "amount_minor")),
        "returns": sorted(
            ReturnLine.objects.values_list("order_line__order__external_ref", "quantity")
        ),
        "notes": sorted(CreditNoteLine.objects.values_list("sku", "quantity", "total_minor")),
        "cancellations": cancelled_lines(),
        "unstocked": sorted(UnstockedWriteOff.objects.values_list("sku", "quantity")),
        "adjustments": sorted(AccountAdjustment.objects.values_list("sku", "amount_minor")),
        "stock": on_hand(),
        "reserved": sum(Stock.objects.values_list("reserved", flat=True)),
        "received": sum(
            StockMovement.objects.filter(kind=StockMovement.Kind.RECEIPT).values_list(
                "delta_on_hand", flat=True
            )
        ),
        "moved": sorted(
            StockMovement.objects.exclude(kind=StockMovement.Kind.RECEIPT).values_list(
                "stock__variant__sku", "kind", "delta_on_hand", "delta_reserved"
            )
        ),
        "reservations": sorted(Reservation.objects.values_list("quantity", "state")),
        "customers": sorted(str(user.external_ref) for user in User.objects.all()),
        "products": sorted(Product.objects.values_list("slug", "title", "version")),
    }


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = make.file(tmp_path, *STORY)
    first = replay(path)
    before, movements = state(), StockMovement.objects.count()
    again = replay(path)
    assert state() == before
    assert StockMovement.objects.count() == movements
    assert (first["already_known"], again["already_known"]) == (0, 6)
    assert again["replayed"] == dict.fromkeys(again["replayed"], 0)
    assert drifted_stock() == []


# Each statement in between takes two replays: 1 tries them all, and is for a quiet hour.
KILLED_EVERY = int(os.environ.get("REPLAY_KILLED_EVERY", "17"))


class Killed(BaseException):
    """The process ends here: nothing more is sent to the database."""


def killer(at: int) -> Callable[..., object]:
    """Return a wrapper of queries that ends everything when the one of that number comes."""
    left = at

    def run(
        execute: Callable[..., object], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> object:
        nonlocal left
        # A rollback is what the database does by itself when the connection is gone.
        if not sql.startswith(("ROLLBACK", "RELEASE")) and "advisory_unlock" not in sql:
            left -= 1
            if left <= 0:
                raise Killed
        return execute(sql, params, many, context)

    return run


def test_killed_anywhere_and_begun_again_it_ends_the_same(tmp_path: Path) -> None:
    path = make.file(tmp_path, *STORY)
    with rolled_back(), CaptureQueriesContext(connection) as queries:
        replay(path)
        expected = state()
    assert (expected["stock"], expected["received"]) == ({"22423": 3, "22424": 0}, 20)
    for at in range(2, len(queries), KILLED_EVERY):
        with rolled_back():
            with contextlib.suppress(Killed), connection.execute_wrapper(killer(at)):
                replay(path)
            replay(path)
            assert state() == expected, f"killed at query {at}"


class rolled_back:  # noqa: N801 — reads as what it does
    """Run a block in a transaction and undo it."""

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        # As Django marks its own: a durable block may be the outermost one below it.
        self._atomic._from_testcase = True  # type: ignore[attr-defined]  # private
        self._atomic.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(kind, error, trace)


def test_days_may_be_replayed_one_after_the_other(tmp_path: Path) -> None:
    path = make.file(
        tmp_path,
        make.row("1", "22423", 10, customer="7.0", at="2011-02-01 10:00:00"),
        make.row("C2", "22423", -4, customer="7.0", at="2011-02-02 10:00:00"),
        make.row("3", "22423", 9, customer="7.0", at="2011-02-03 10:00:00"),
    )
    first = replay(path, "--to", "2011-02-01")
    assert (first["invoices"]["sale"], first["opening_units"]) == (1, 10)
    second = replay(path, "--from", "2011-02-02", "--to", "2011-02-02")
    assert (second["replayed"]["cancellation"], second["opening_units"]) == (1, 0)
    assert Refund.objects.count() == 1
    rest = replay(path)
    assert (rest["already_known"], rest["opening_units"]) == (2, 5)
    assert on_hand() == {"22423": 0}
    assert drifted_stock() == []


def test_an_article_that_came_back_before_the_second_half_needs_less(tmp_path: Path) -> None:
    replay(make.file(tmp_path, make.row("C1", "22423", -6, customer="7.0"), name="a.csv"))
    second = replay(make.file(tmp_path, make.row("2", "22423", 10, customer="7.0"), name="b.csv"))
    assert second["opening_units"] == 4


def test_a_shopper_who_buys_meanwhile_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make.file(
        tmp_path,
        make.row("1", "22423", 3, at="2011-02-01 10:00:00"),
        make.row("2", "22423", 4, at="2011-02-01 11:00:00"),
        make.row("3", "22423", -1, "0.0", at="2011-02-01 12:00:00"),
    )
    shoppers = iter(["once"])

    def after_a_shopper(**asked: Any) -> object:
        if next(shoppers, None):
            now = datetime(2026, 11, 2, tzinfo=UTC)
            variant = Variant.objects.get(sku="22423")
            reserve_stock(
                lines=[StockLine(variant.pk, 6)], reference="shopper", expires_at=now, now=now
            )
        return replay_invoice(**asked)

    monkeypatch.setattr(history_workers, "replay_invoice", after_a_shopper)
    assert replay(path)["opening_units"] == 8 + 6
    assert on_hand() == {"22423": 6}


def test_a_second_replay_at_once_is_refused(tmp_path: Path) -> None:
    path = make.file(tmp_path, *STORY)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [history_services._REPLAY_LOCK])
        summary = replay(path, code=1)
        assert "Another replay" in summary["why"]
        # The server learns of a closed connection a moment later, and keeps its locks until then.
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [history_services._REPLAY_LOCK])
    finally:
        other.close()
    assert not Order.objects.exists()


# What is wrong -----------------------------------------------------------------------------------


def test_bad_rows_are_told_and_stop_no_other(tmp_path: Path) -> None:
    path = make.file(
        tmp_path,
        make.row("1", "22423", 1, "dear"),
        make.row("1", "22424", 1, "1.00"),
        make.row("2", "22424", 1, "1.00"),
    )
    summary = replay(path, code=1)
    assert [(bad["file"], bad["line"], bad["column"]) for bad in summary["bad_rows"]] == [
        ("2011-02-01.csv", 2, "UnitPrice")
    ]
    assert [o.external_ref for o in Order.objects.all()] == ["online_retail:2"]


def test_what_cannot_be_read_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such file"):
        call_command("replay_history", str(tmp_path / "absent"), "--format", "online_retail_csv")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("replay_history", str(tmp_path), "--format", "other")
    with pytest.raises(CommandError, match="is not a day"):
        call_command(
            "replay_history", str(tmp_path), "--format", "online_retail_csv", "--from", "today"
        )


def test_people_read_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    call_command(
        "replay_history",
        str(make.file(tmp_path, *STORY)),
        "--format",
        "online_retail_csv",
        "--workers=1",
        stdout=out,
        stderr=io.StringIO(),
    )
    assert out.getvalue().startswith(
        "Replayed 6 invoices (3 sales, 1 cancellations, 1 write-offs, 1 adjustments) in "
    )


def test_an_empty_history_is_done_at_once(tmp_path: Path) -> None:
    assert replay(make.file(tmp_path))["invoices"]["sale"] == 0
    assert not Product.objects.exists()


@pytest.fixture(autouse=True)
def _nothing_is_left_locked() -> Iterator[None]:
    yield
    with only_replay():
        assert not_yet_replayed([]) == []
    assert Cancellation.objects.count() >= 0
