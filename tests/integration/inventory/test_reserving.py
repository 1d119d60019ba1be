"""Holding stock, and letting it leave or come free again."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from inventory.errors import OutOfStock, ReservationOver
from inventory.models import PurchaseLimit, Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock, expired_references
from inventory.services import (
    ReceiptLine,
    StockLine,
    commit_stock,
    receive_stock,
    refuse_short_lines,
    release_stock,
    reserve_stock,
)
from shop.models import OutboxMessage
from tests.make import inventory as make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)


def reserve(reference: str, *lines: tuple[Stock, int], country: str | None = None) -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, units) for stock, units in lines],
        reference=reference,
        expires_at=LATER,
        now=NOW,
        country=country,
    )


def counters(stock: Stock) -> tuple[int, int]:
    stock.refresh_from_db()
    return stock.on_hand, stock.reserved


def ledger(stock: Stock) -> list[tuple[str, int, int, int, int]]:
    return list(
        StockMovement.objects.filter(stock=stock)
        .order_by("id")
        .values_list("kind", "delta_on_hand", "delta_reserved", "on_hand_after", "reserved_after")
    )


def everything() -> list[list[tuple[object, ...]]]:
    """All that a refusal must leave as it was."""
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Stock, Reservation, StockMovement, OutboxMessage)
    ]


def test_a_held_unit_is_promised_and_still_on_hand() -> None:
    stock = make.stock(on_hand=5)

    reserve("order:1", (stock, 2))

    assert counters(stock) == (5, 2)
    assert ledger(stock) == [("RECEIPT", 5, 0, 5, 0), ("RESERVATION", 0, 2, 5, 2)]
    held = Reservation.objects.get()
    assert (held.reference, held.quantity, held.state) == ("order:1", 2, "HELD")
    assert (held.expires_at, held.created_at) == (LATER, NOW)


def test_a_committed_unit_has_left() -> None:
    stock = make.stock(on_hand=5)
    reserve("order:1", (stock, 2))

    commit_stock(reference="order:1", now=NOW)

    assert counters(stock) == (3, 0)
    assert ledger(stock)[-1] == ("SALE", -2, -2, 3, 0)
    assert Reservation.objects.get().state == "COMMITTED"


def test_a_released_unit_can_be_had_by_another() -> None:
    stock = make.stock(on_hand=2)
    reserve("order:1", (stock, 2))

    release_stock(reference="order:1", now=NOW)

    assert counters(stock) == (2, 0)
    assert ledger(stock)[-1] == ("RELEASE", 0, -2, 2, 0)
    reserve("order:2", (stock, 2))
    assert counters(stock) == (2, 2)


def test_lines_of_one_variant_are_summed() -> None:
    stock = make.stock(on_hand=5)

    reserve("order:1", (stock, 2), (stock, 3))

    assert counters(stock) == (5, 5)
    assert Reservation.objects.get().quantity == 5


def test_a_refusal_names_every_short_line_and_changes_nothing() -> None:
    enough, short, none = make.stock(on_hand=9), make.stock(on_hand=1), make.stock(on_hand=0)
    before = everything()

    with pytest.raises(OutOfStock) as refused:
        reserve("order:1", (enough, 9), (short, 2), (none, 1))

    assert refused.value.facts["lines"] == [
        {"variant_id": short.variant_id, "sku": short.variant.sku, "requested": 2, "available": 1},
        {"variant_id": none.variant_id, "sku": none.variant.sku, "requested": 1, "available": 0},
    ]
    assert everything() == before


def test_a_variant_without_stock_and_one_that_does_not_exist_are_out_of_stock() -> None:
    variant = make.bare_variant()

    with pytest.raises(OutOfStock) as refused:
        reserve_stock(
            lines=[StockLine(variant.pk, 1), StockLine(variant.pk + 999, 1)],
            reference="order:1",
            expires_at=LATER,
            now=NOW,
        )

    assert [line["available"] for line in refused.value.facts["lines"]] == [0, 0]
    assert refused.value.facts["lines"][0]["sku"] == variant.sku


def test_a_refusal_leaves_the_callers_transaction_usable() -> None:
    stock = make.stock(on_hand=1)

    with transaction.atomic():
        with pytest.raises(OutOfStock):
            reserve("order:1", (stock, 2))
        reserve("order:1", (stock, 1))

    assert counters(stock) == (1, 1)


@pytest.mark.parametrize("units", [0, -1])
def test_a_line_of_no_units_is_a_bug_of_the_caller(units: int) -> None:
    stock = make.stock(on_hand=1)

    with pytest.raises(ValueError, match="not a quantity"):
        reserve("order:1", (stock, units))


def test_more_than_an_integer_holds_is_out_of_stock() -> None:
    stock = make.stock(on_hand=1)

    with pytest.raises(OutOfStock):
        reserve("order:1", (stock, 2**31), (stock, 2**62))


def test_an_order_without_stock_lines_holds_nothing() -> None:
    reserve("order:1")
    commit_stock(reference="order:1", now=NOW)
    release_stock(reference="order:1", now=NOW)

    assert not Reservation.objects.exists()


class TestRepeating:
    def test_a_reference_keeps_what_it_holds_whatever_the_lines(self) -> None:
        stock, other = make.stock(on_hand=2), make.stock(on_hand=5)
        reserve("order:1", (stock, 2))
        before = everything()

        reserve("order:1", (stock, 2))  # there is nothing left, and it does not matter
        reserve("order:1", (stock, 1), (other, 4))

        assert everything() == before

    def test_a_sale_happens_once(self) -> None:
        stock = make.stock(on_hand=5)
        reserve("order:1", (stock, 2))
        commit_stock(reference="order:1", now=NOW)
        before = everything()

        commit_stock(reference="order:1", now=NOW)
        reserve("order:1", (stock, 2))
        release_stock(reference="order:1", now=NOW)

        assert everything() == before

    def test_a_release_happens_once_and_is_final(self) -> None:
        stock = make.stock(on_hand=5)
        reserve("order:1", (stock, 2))
        release_stock(reference="order:1", now=NOW)
        before = everything()

        release_stock(reference="order:1", now=NOW)
        with pytest.raises(ReservationOver):
            commit_stock(reference="order:1", now=NOW)
        with pytest.raises(ReservationOver):
            reserve("order:1", (stock, 2))
        with pytest.raises(ReservationOver):
            reserve("order:1", (stock, 6))

        assert everything() == before

    def test_a_reference_that_never_held_anything_has_nothing_to_commit_or_release(self) -> None:
        make.stock(on_hand=5)
        before = everything()

        commit_stock(reference="order:404", now=NOW)
        release_stock(reference="order:404", now=NOW)

        assert everything() == before


class TestStatements:
    @pytest.mark.parametrize("size", [1, 3, 100])
    def test_takes_the_same_few_for_any_number_of_lines(self, size: int) -> None:
        stocks = [make.stock(on_hand=50) for _ in range(size)]
        lines = [(stock, 2) for stock in stocks]

        # Two: look and lock; hold, count and note. Nothing is announced: shoppers read "10".
        with CaptureQueriesContext(
            connection,
        ) as reserving:
            reserve("order:1", *lines)
        # One: claim, lock, settle, count and note.
        with CaptureQueriesContext(connection) as committing:
            commit_stock(reference="order:1", now=NOW)
        reserve("order:2", *lines)
        # One, likewise.
        with CaptureQueriesContext(connection) as releasing:
            release_stock(reference="order:2", now=NOW)

        assert [len(reserving), len(committing), len(releasing)] == [2, 1, 1]
        assert drifted_stock() == []

    @pytest.mark.parametrize("size", [1, 100])
    def test_one_more_announces_what_shoppers_notice(self, size: int) -> None:
        lines = [(make.stock(on_hand=2), 2) for _ in range(size)]

        with CaptureQueriesContext(connection) as reserving:
            reserve("order:1", *lines)

        assert len(reserving) == 3

    def test_a_refusal_takes_two_and_locks_nothing(self) -> None:
        lines = [(make.stock(on_hand=1), 2) for _ in range(20)]

        with CaptureQueriesContext(connection) as reserving, pytest.raises(OutOfStock):
            reserve("order:1", *lines)
        with CaptureQueriesContext(connection) as looking, pytest.raises(OutOfStock):
            refuse_short_lines(lines=[StockLine(stock.variant_id, 2) for stock, _ in lines])

        assert [len(reserving), len(looking)] == [2, 1]

    def test_no_look_where_plenty_was_left_and_the_hold_refuses_all_the_same(self) -> None:
        stock = make.stock(on_hand=200)
        lines = [StockLine(stock.variant_id, 100)]
        reserve("order:1", (stock, 60))
        Stock.objects.filter(pk=stock.pk).update(reserved=150)  # as by another process

        with CaptureQueriesContext(connection) as looking:
            refuse_short_lines(lines=lines, now=NOW)
        with pytest.raises(OutOfStock):
            reserve("order:2", (stock, 100))
        # A refusal ends it.
        with pytest.raises(OutOfStock):
            refuse_short_lines(lines=lines, now=NOW)

        assert len(looking) == 0
        assert counters(stock) == (200, 150)

    @pytest.mark.parametrize(
        ("left", "units", "seconds", "looks"),
        [
            (100, 1, 4.9, False),
            (100, 1, 5.1, True),  # nothing is believed for longer
            (36, 1, 0.9, False),
            (36, 1, 1.1, True),  # others may have come near the end of it
            (36, 36, 0.0, False),
            (36, 37, 0.0, True),  # more than there was
        ],
    )
    def test_how_long_plenty_is_plenty(
        self, left: int, units: int, seconds: float, looks: bool
    ) -> None:
        stock = make.stock(on_hand=left + 1)
        now = time.monotonic()
        with mock.patch("time.monotonic", return_value=now):
            reserve("order:1", (stock, 1))

        with (
            mock.patch("time.monotonic", return_value=now + seconds),
            CaptureQueriesContext(connection) as looking,
            suppress(OutOfStock),
        ):
            refuse_short_lines(lines=[StockLine(stock.variant_id, units)], now=NOW)

        assert (len(looking) > 0) == looks

    def test_fewer_than_plenty_are_looked_at_and_so_is_what_has_terms(self) -> None:
        few, bound = make.stock(on_hand=20), make.stock(on_hand=500)
        PurchaseLimit.objects.create(variant_id=bound.variant_id, units=400, updated_at=NOW)
        reserve("order:1", (few, 1), (bound, 1))

        with CaptureQueriesContext(connection) as looking:
            refuse_short_lines(lines=[StockLine(few.variant_id, 1)], now=NOW)
        with CaptureQueriesContext(connection) as looking_too:
            refuse_short_lines(lines=[StockLine(bound.variant_id, 1)], now=NOW)

        assert (len(looking), len(looking_too) > 0) == (1, True)

    def test_a_thousand_lines_at_once(self) -> None:
        stocks = make.many_stocks(1100, on_hand=7)

        reserve("order:1", *[(stock, 3) for stock in stocks])
        commit_stock(reference="order:1", now=NOW)

        assert set(Stock.objects.values_list("on_hand", "reserved")) == {(4, 0)}
        assert StockMovement.objects.count() == 3 * 1100
        assert drifted_stock() == []


class TestSeveralWarehouses:
    def test_the_same_country_goes_first_then_where_most_is(self) -> None:
        variant = make.bare_variant()
        far = make.stock(
            variant=variant, on_hand=90, warehouse=make.make_warehouse("lyon", country="FR")
        )
        few = make.stock(variant=variant, on_hand=2)
        most = make.stock(variant=variant, on_hand=4, warehouse=make.make_warehouse("leeds"))

        reserve("order:1", (few, 5), country="GB")

        assert [counters(stock)[1] for stock in (far, few, most)] == [0, 1, 4]

    def test_the_next_country_helps_out(self) -> None:
        variant = make.bare_variant()
        near = make.stock(variant=variant, on_hand=2)
        far = make.stock(
            variant=variant, on_hand=9, warehouse=make.make_warehouse("lyon", country="FR")
        )

        reserve("order:1", (near, 5), country="GB")

        assert [counters(stock)[1] for stock in (near, far)] == [2, 3]

    def test_priority_decides_between_equals(self) -> None:
        variant = make.bare_variant()
        second = make.stock(
            variant=variant, on_hand=5, warehouse=make.make_warehouse("b", priority=20)
        )
        first = make.stock(
            variant=variant, on_hand=5, warehouse=make.make_warehouse("a", priority=1)
        )

        reserve("order:1", (first, 5))

        assert [counters(stock)[1] for stock in (first, second)] == [5, 0]

    def test_what_an_inactive_one_has_is_not_sold(self) -> None:
        stock = make.stock(on_hand=5)
        stock.warehouse.is_active = False
        stock.warehouse.save(update_fields=["is_active"])

        with pytest.raises(OutOfStock):
            reserve("order:1", (stock, 1))


class TestBackOrders:
    def test_units_that_are_here_go_before_those_to_come(self) -> None:
        variant = make.bare_variant()
        to_come = make.stock(variant=variant, on_hand=0, backorder_limit=50)
        here = make.stock(
            variant=variant, on_hand=3, warehouse=make.make_warehouse("lyon", country="FR")
        )

        reserve("order:1", (here, 5), country="GB")

        assert [counters(stock) for stock in (to_come, here)] == [(0, 2), (3, 3)]

    def test_no_more_is_promised_than_the_limit(self) -> None:
        stock = make.stock(on_hand=1, backorder_limit=2)
        reserve("order:1", (stock, 3))

        with pytest.raises(OutOfStock) as refused:
            reserve("order:2", (stock, 1))

        assert refused.value.facts["lines"][0]["available"] == 0

    def test_a_sold_unit_that_is_not_here_is_owed_until_it_comes(self) -> None:
        stock = make.stock(on_hand=1, backorder_limit=5)
        reserve("order:1", (stock, 3))

        commit_stock(reference="order:1", now=NOW)
        commit_stock(reference="order:1", now=NOW)
        assert counters(stock) == (1, 3)
        assert Reservation.objects.get().state == "OWED"
        assert drifted_stock() == []

        receive_stock(
            lines=[ReceiptLine(stock.variant_id, 4)],
            warehouse="main",
            cause="delivery:1",
            reason="",
            now=NOW,
        )
        assert counters(stock) == (2, 0)
        assert Reservation.objects.get().state == "COMMITTED"
        assert ledger(stock)[-2:] == [("RECEIPT", 4, 0, 5, 3), ("SALE", -3, -3, 2, 0)]
        assert drifted_stock() == []

    def test_those_who_waited_longest_are_served_first(self) -> None:
        stock = make.stock(on_hand=0, backorder_limit=9)
        for number, units in enumerate([2, 5, 1], start=1):
            reserve(f"order:{number}", (stock, units))
            commit_stock(reference=f"order:{number}", now=NOW)

        for delivery, owed in enumerate([["order:2", "order:3"], ["order:2", "order:3"], []]):
            receive_stock(
                lines=[ReceiptLine(stock.variant_id, 3)],
                warehouse="main",
                cause=f"delivery:{delivery}",
                reason="",
                now=NOW,
            )
            waiting = Reservation.objects.filter(state="OWED").order_by("id")
            assert list(waiting.values_list("reference", flat=True)) == owed
            assert drifted_stock() == []

        assert counters(stock) == (1, 0)

    def test_units_that_an_older_back_order_waits_for_stay_for_it(self) -> None:
        stock = make.stock(on_hand=4, backorder_limit=9)
        for number, units in enumerate([6, 2], start=1):
            reserve(f"order:{number}", (stock, units))
            commit_stock(reference=f"order:{number}", now=NOW)

        assert counters(stock) == (4, 8)
        assert set(Reservation.objects.values_list("state", flat=True)) == {"OWED"}
        receive(stock, 2)
        assert counters(stock) == (0, 2)
        assert list(Reservation.objects.order_by("id").values_list("state", flat=True)) == [
            "COMMITTED",
            "OWED",
        ]
        assert drifted_stock() == []

    def test_who_was_promised_first_goes_first_although_another_paid_before(self) -> None:
        stock = make.stock(on_hand=4, backorder_limit=9)
        reserve("order:1", (stock, 2))
        reserve("order:2", (stock, 6))
        commit_stock(reference="order:2", now=NOW)

        commit_stock(reference="order:1", now=NOW)

        assert counters(stock) == (2, 6)
        row = StockMovement.objects.latest("id")
        assert (row.kind, row.cause, row.reason) == ("SALE", "order:1", "")
        assert drifted_stock() == []


def receive(stock: Stock, units: int) -> None:
    receive_stock(
        lines=[ReceiptLine(stock.variant_id, units)],
        warehouse="main",
        cause="delivery",
        reason="",
        now=NOW,
    )


def test_holds_past_their_end_are_listed_oldest_first() -> None:
    stock = make.stock(on_hand=9)
    for number, minutes in enumerate([10, 5, 30], start=1):
        reserve_stock(
            lines=[StockLine(stock.variant_id, 1)],
            reference=f"order:{number}",
            expires_at=NOW + timedelta(minutes=minutes),
            now=NOW,
        )
    moment = NOW + timedelta(minutes=15)

    assert expired_references(moment) == ["order:2", "order:1"]
    assert expired_references(moment, limit=1) == ["order:2"]
    release_stock(reference="order:2", now=moment)
    commit_stock(reference="order:1", now=moment)
    assert expired_references(moment) == []


class TestTheDatabaseItself:
    def test_refuses_to_promise_more_than_there_is(self) -> None:
        stock = make.stock(on_hand=1)

        with pytest.raises(IntegrityError, match="stock_reserved_within"), transaction.atomic():
            Stock.objects.filter(pk=stock.pk).update(reserved=2)

    @pytest.mark.parametrize("column", ["on_hand", "reserved", "backorder_limit", "low_at"])
    def test_refuses_a_counter_below_nothing(self, column: str) -> None:
        stock = make.stock(on_hand=1)

        with pytest.raises(IntegrityError, match="stock_"), transaction.atomic():
            Stock.objects.filter(pk=stock.pk).update(**{column: -1})

    def test_refuses_to_edit_the_ledger(self) -> None:
        make.stock(on_hand=1)

        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            StockMovement.objects.update(reason="never happened")

    def test_refuses_to_delete_from_the_ledger(self) -> None:
        make.stock(on_hand=1)

        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            StockMovement.objects.all().delete()

    def test_refuses_to_empty_the_ledger_outside_of_tests(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_functiondef('inventory_refuse_ledger_change'::regproc)")
            (source,) = cursor.fetchone()
        # The one exception is by the name of a test's database.
        assert "TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%'" in source

    def test_keeps_room_for_counters_to_change_in_place(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'inventory_stock'")
            assert cursor.fetchone() == (["fillfactor=50"],)


def test_a_look_at_the_stock_is_planned_once_for_many_calls() -> None:
    lines = [StockLine(make.stock(on_hand=9).variant_id, 1) for _ in range(3)]

    def look(times: int) -> tuple[int, int]:
        for _ in range(times):
            refuse_short_lines(lines=lines, now=NOW)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(custom_plans), sum(generic_plans) FROM pg_prepared_statements"
                " WHERE statement LIKE '%%s.backorder_limit - s.reserved) FILTER%%'"
            )
            custom, generic = cursor.fetchone()
            return custom, generic

    # The driver prepares what came five times, and the server tries five plans of their own.
    custom, generic = look(12)
    assert look(5) == (custom, generic + 5)
