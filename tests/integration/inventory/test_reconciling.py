"""Each kind of fault is found and named, and none is made up."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from inventory.models import Reservation, Stock, StockMovement
from inventory.selectors import CHECKS, drifted_stock
from inventory.services import (
    ReceiptLine,
    StockLine,
    commit_stock,
    receive_stock,
    release_stock,
    reserve_stock,
)
from tests.concurrency import in_background
from tests.make import inventory as make

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)


def traded() -> Stock:
    """Return a stock that everything has happened to: 7 on hand, 2 of them held."""
    stock = make.stock(on_hand=10)
    for number, units in enumerate([3, 1, 2], start=1):
        reserve_stock(
            lines=[StockLine(stock.variant_id, units)],
            reference=f"{stock.pk}:{number}",
            expires_at=timezone.now() + timedelta(minutes=15),
            now=NOW,
        )
    commit_stock(reference=f"{stock.pk}:1", now=NOW)
    release_stock(reference=f"{stock.pk}:2", now=NOW)
    return stock


def sealed_off(statement: str, *values: str | int) -> None:
    """Do by hand what no service does, with the guards of the database put aside."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE inventory_stockmovement DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE inventory_stockmovement ENABLE TRIGGER USER")


def set_counter(column: str, by: int) -> Callable[[Stock], None]:
    return lambda stock: sealed_off(
        f"UPDATE inventory_stock SET {column} = {column} + %s WHERE id = %s",  # noqa: S608
        by,
        stock.pk,
    )


def delete_movement(kind: str) -> Callable[[Stock], None]:
    return lambda stock: sealed_off(
        "DELETE FROM inventory_stockmovement WHERE stock_id = %s AND kind = %s", stock.pk, kind
    )


FAULTS: list[tuple[str, Callable[[Stock], None], set[str]]] = [
    (
        "a unit too many on hand",
        set_counter("on_hand", 1),
        {"on_hand_is_ledger_sum", "ledger_ends_at_the_counters"},
    ),
    (
        "a unit too few on hand",
        set_counter("on_hand", -1),
        {"on_hand_is_ledger_sum", "ledger_ends_at_the_counters"},
    ),
    (
        "a promise too many",
        set_counter("reserved", 1),
        {
            "reserved_is_ledger_sum",
            "reserved_is_open_reservations",
            "ledger_ends_at_the_counters",
        },
    ),
    (
        "a lost sale",
        delete_movement("SALE"),
        {
            "on_hand_is_ledger_sum",
            "reserved_is_ledger_sum",
            "ledger_chain_unbroken",
            "reservations_are_in_the_ledger",
        },
    ),
    (
        "a lost receipt",
        delete_movement("RECEIPT"),
        {"on_hand_is_ledger_sum", "ledger_chain_unbroken"},
    ),
    (
        "an edited balance",
        lambda stock: sealed_off(
            "UPDATE inventory_stockmovement SET on_hand_after = 9"
            " WHERE stock_id = %s AND kind = 'RELEASE'",
            stock.pk,
        ),
        # The row itself does not follow from the one before it, or the next from it.
        {"ledger_chain_unbroken", "ledger_ends_at_the_counters"},
    ),
    (
        "a leaked reservation",
        lambda stock: sealed_off(
            "UPDATE inventory_reservation SET state = 'HELD' WHERE reference = %s", f"{stock.pk}:2"
        ),
        {"reserved_is_open_reservations", "reservations_are_in_the_ledger"},
    ),
    (
        "a lost reservation",
        lambda stock: sealed_off(
            "DELETE FROM inventory_reservation WHERE reference = %s", f"{stock.pk}:3"
        ),
        {"reserved_is_open_reservations", "reservations_are_in_the_ledger"},
    ),
    (
        "a hold that nobody ended",
        lambda stock: sealed_off(
            "UPDATE inventory_reservation SET expires_at = '2026-01-01' WHERE reference = %s",
            f"{stock.pk}:3",
        ),
        {"no_hold_overdue"},
    ),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("fault", "checks"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_found_where_it_is_and_nowhere_else(
    fault: Callable[[Stock], None], checks: set[str]
) -> None:
    sound, stock = traded(), traded()
    assert drifted_stock(now=timezone.now()) == []

    fault(stock)

    found = drifted_stock(now=timezone.now())
    assert {drift.check for drift in found} <= checks
    assert {drift.check for drift in found}
    assert {drift.sku for drift in found} == {stock.variant.sku}
    assert drifted_stock(sku=stock.variant.sku, now=timezone.now()) == found
    assert drifted_stock(sku=sound.variant.sku, now=timezone.now()) == []


@pytest.mark.django_db
def test_a_count_that_is_off_says_what_was_expected() -> None:
    stock = traded()
    set_counter("on_hand", 2)(stock)

    drift = next(d for d in drifted_stock() if d.check == "on_hand_is_ledger_sum")

    assert (drift.warehouse, drift.expected, drift.found) == ("main", 7, 9)


@pytest.mark.django_db
def test_counters_out_of_range_are_found_even_without_the_constraint() -> None:
    stock = traded()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE inventory_stock"
            " DROP CONSTRAINT stock_reserved_within_on_hand_and_backorder"
        )
    set_counter("reserved", 90)(stock)

    assert "counters_in_range" in {drift.check for drift in drifted_stock()}


@pytest.mark.django_db
class TestCommand:
    def test_says_that_there_is_nothing_and_exits_well(self) -> None:
        traded()
        out = StringIO()

        call_command("reconcile_inventory", stdout=out)

        assert f"{len(CHECKS)} checks, nothing to be found" in out.getvalue()

    def test_lists_findings_and_exits_with_one(self) -> None:
        stock = traded()
        set_counter("on_hand", 2)(stock)
        out = StringIO()

        with pytest.raises(SystemExit) as ended:
            call_command("reconcile_inventory", stdout=out)

        assert ended.value.code == 1
        assert f"on_hand_is_ledger_sum: {stock.variant.sku} in main: expected 7, found 9" in (
            out.getvalue()
        )

    def test_prints_json(self) -> None:
        stock = traded()
        set_counter("on_hand", 2)(stock)
        out = StringIO()

        with pytest.raises(SystemExit):
            call_command("reconcile_inventory", "--json", "--sku", stock.variant.sku, stdout=out)

        told = json.loads(out.getvalue())
        assert told["ok"] is False
        assert told["checks"] == [check.name for check in CHECKS]
        assert told["findings"][0] == {
            "check": "on_hand_is_ledger_sum",
            "sku": stock.variant.sku,
            "warehouse": "main",
            "subject": "on hand",
            "expected": 7,
            "found": 9,
            "detail": "sum of the ledger",
        }

    def test_knows_no_other_sku(self) -> None:
        with pytest.raises(CommandError, match="no SKU"):
            call_command("reconcile_inventory", "--sku", "NO-SUCH")


@pytest.mark.django_db(transaction=True)
def test_all_checks_see_one_moment_of_a_busy_shop() -> None:
    stock = make.stock(on_hand=1000)

    def trade() -> None:
        for number in range(60):
            reserve_stock(
                lines=[StockLine(stock.variant_id, 1)],
                reference=f"order:{number}",
                expires_at=timezone.now() + timedelta(minutes=15),
                now=NOW,
            )
            commit_stock(reference=f"order:{number}", now=NOW)
            receive_stock(
                lines=[ReceiptLine(stock.variant_id, 1)],
                warehouse="main",
                cause=f"delivery:{number}",
                reason="",
                now=NOW,
            )

    looks = 0
    with in_background(trade) as trading:
        while not trading.done():
            assert drifted_stock(now=timezone.now()) == []
            looks += 1
        trading.result()

    assert looks > 1
    assert Reservation.objects.filter(state="COMMITTED").count() == 60
    assert StockMovement.objects.count() == 181


@pytest.mark.django_db(transaction=True)
def test_looking_changes_nothing_and_is_not_able_to() -> None:
    stock = traded()

    with transaction.atomic():
        Stock.objects.filter(pk=stock.pk).locked().get()
        with in_background(lambda: drifted_stock(now=timezone.now())) as looking:
            assert looking.result(timeout=60) == []  # it waits for no lock
