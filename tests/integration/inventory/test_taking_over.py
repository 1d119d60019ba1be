"""A hold past its end is free for others: taken over in the reserve itself, never oversold.

Each guard was taken away once to see these fail: with `SKIP LOCKED` gone, a commit and a take-over
that cross deadlock; without the check of one released line in `commit_stock`, a part is sold twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inventory.errors import OutOfStock, ReservationOver
from inventory.models import Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import (
    StockLine,
    commit_stock,
    refuse_short_lines,
    release_stock,
    reserve_stock,
)
from tests.concurrency import in_background, run_before, run_together
from tests.integration.inventory.test_races import waits
from tests.make import inventory as make

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)  # when holds made now have ended


def reserving(reference: str, *lines: tuple[Stock, int], now: datetime = NOW) -> Callable[[], None]:
    return partial(
        reserve_stock,
        lines=[StockLine(stock.variant_id, units) for stock, units in lines],
        reference=reference,
        expires_at=now + timedelta(minutes=15),
        now=now,
    )


def counters(stock: Stock) -> tuple[int, int]:
    stock.refresh_from_db()
    return stock.on_hand, stock.reserved


def states() -> dict[str, str]:
    return dict(Reservation.objects.values_list("reference", "state"))


@pytest.mark.django_db
class TestTakingOver:
    def test_the_oldest_and_no_more_than_are_needed(self) -> None:
        stock = make.stock(on_hand=6)
        for minutes, reference in enumerate(["a", "b", "c"]):
            reserving(reference, (stock, 2), now=NOW + timedelta(seconds=minutes))()

        reserving("new", (stock, 3), now=LATER + timedelta(minutes=1))()

        assert states() == {"a": "RELEASED", "b": "RELEASED", "c": "HELD", "new": "HELD"}
        assert counters(stock) == (6, 5)
        taken = StockMovement.objects.filter(reason="Taken over after its end").order_by("id")
        assert [(row.kind, row.cause, row.reserved_after) for row in taken] == [
            ("RELEASE", "a", 4),
            ("RELEASE", "b", 2),
        ]
        assert drifted_stock() == []

    def test_leaves_holds_alone_while_there_is_other_stock(self) -> None:
        stock = make.stock(on_hand=6)
        reserving("a", (stock, 2))()

        reserving("new", (stock, 4), now=LATER)()

        assert states() == {"a": "HELD", "new": "HELD"}

    def test_does_not_touch_what_is_held_still(self) -> None:
        stock = make.stock(on_hand=2)
        reserving("a", (stock, 2))()

        with pytest.raises(OutOfStock) as refused:
            reserving("new", (stock, 1), now=LATER - timedelta(seconds=1))()

        assert refused.value.facts["lines"][0]["available"] == 0
        assert states() == {"a": "HELD"}

    def test_is_all_or_nothing(self) -> None:
        stock, other = make.stock(on_hand=2), make.stock(on_hand=2)
        reserving("a", (stock, 2))()
        before = list(StockMovement.objects.values_list())

        with pytest.raises(OutOfStock) as refused:
            reserving("new", (stock, 2), (other, 3), now=LATER)()

        assert [line["variant_id"] for line in refused.value.facts["lines"]] == [other.variant_id]
        assert states() == {"a": "HELD"}
        assert list(StockMovement.objects.values_list()) == before

    def test_is_not_done_with_what_was_sold_or_is_owed(self) -> None:
        stock = make.stock(on_hand=1, backorder_limit=1)
        reserving("sold", (stock, 1))()
        reserving("owed", (stock, 1))()
        commit_stock(reference="sold", now=NOW)
        commit_stock(reference="owed", now=NOW)

        with pytest.raises(OutOfStock):
            reserving("new", (stock, 1), now=LATER)()

        assert states() == {"sold": "COMMITTED", "owed": "OWED"}

    def test_a_look_without_a_lock_counts_it_too(self) -> None:
        stock = make.stock(on_hand=2)
        reserving("a", (stock, 2))()
        lines = [StockLine(stock.variant_id, 1)]

        refuse_short_lines(lines=lines, now=LATER)
        with pytest.raises(OutOfStock):
            refuse_short_lines(lines=lines, now=NOW)
        with pytest.raises(OutOfStock):
            refuse_short_lines(lines=lines)

    def test_a_hold_that_nobody_wanted_is_sold_after_its_end(self) -> None:
        stock = make.stock(on_hand=2)
        reserving("a", (stock, 2))()

        commit_stock(reference="a", now=LATER)

        assert counters(stock) == (0, 0)

    def test_of_which_a_part_was_taken_over_nothing_is_sold(self) -> None:
        stock, other = make.stock(on_hand=2), make.stock(on_hand=2)
        reserving("a", (stock, 2), (other, 2))()
        reserving("new", (stock, 1), now=LATER)()

        with pytest.raises(ReservationOver):
            commit_stock(reference="a", now=LATER)

        assert (counters(stock), counters(other)) == ((2, 1), (2, 2))
        release_stock(reference="a", now=LATER)
        assert (counters(stock), counters(other)) == ((2, 1), (2, 0))
        assert drifted_stock() == []

    @pytest.mark.parametrize("size", [1, 20])
    def test_takes_the_same_queries_for_any_number_of_holds_and_lines(self, size: int) -> None:
        stocks = make.many_stocks(size, on_hand=3)
        for number in range(3):
            reserving(f"a{number}", *[(stock, 1) for stock in stocks])()

        with CaptureQueriesContext(connection) as made:
            reserving("new", *[(stock, 2) for stock in stocks], now=LATER)()

        # Look; what is there; lock; take over; hold. No news: shoppers see the same.
        assert len(made) == 5
        assert {counters(stock) for stock in stocks} == {(3, 3)}
        assert drifted_stock() == []


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_takers_of_one_hold(self) -> None:
        stock = make.stock(on_hand=1)
        reserving("a", (stock, 1))()

        outcome = waits(
            reserving("second", (stock, 1), now=LATER), reserving("first", (stock, 1), now=LATER)
        )

        assert isinstance(outcome, OutOfStock)
        assert states() == {"a": "RELEASED", "first": "HELD"}
        assert drifted_stock() == []

    def test_fifty_takers_of_ten_holds(self) -> None:
        stock = make.stock(on_hand=10)
        for number in range(10):
            reserving(f"a{number}", (stock, 1))()

        outcomes = run_together(
            [reserving(f"b{number}", (stock, 1), now=LATER) for number in range(50)], workers=10
        )

        assert outcomes.count(None) == 10
        assert sum(isinstance(outcome, OutOfStock) for outcome in outcomes) == 40
        assert counters(stock) == (10, 10)
        assert drifted_stock() == []

    def test_a_hold_that_is_just_being_sold_is_passed_over_and_not_waited_for(self) -> None:
        stock = make.stock(on_hand=1)
        reserving("a", (stock, 1))()

        with transaction.atomic():
            Reservation.objects.select_for_update().get(reference="a")  # as a commit begins
            with in_background(reserving("new", (stock, 1), now=LATER)) as taking:
                assert isinstance(taking.exception(timeout=60), OutOfStock)
            commit_stock(reference="a", now=LATER)

        assert states() == {"a": "COMMITTED"}
        assert counters(stock) == (0, 0)
        assert drifted_stock() == []

    def test_who_pays_while_a_taker_is_at_it_is_told(self) -> None:
        stock = make.stock(on_hand=1)
        reserving("a", (stock, 1))()

        outcome = waits(
            partial(commit_stock, reference="a", now=LATER),
            reserving("new", (stock, 1), now=LATER),
        )

        assert isinstance(outcome, ReservationOver)
        assert states() == {"a": "RELEASED", "new": "HELD"}
        assert counters(stock) == (1, 1)
        assert drifted_stock() == []

    def test_who_paid_just_before_the_lock_keeps_it(self) -> None:
        stock = make.stock(on_hand=1)
        reserving("a", (stock, 1))()

        with (
            run_before(
                "inventory.services.stock._look_and_lock",
                partial(commit_stock, reference="a", now=LATER),
            ),
            pytest.raises(OutOfStock),
        ):
            reserving("new", (stock, 1), now=LATER)()

        assert states() == {"a": "COMMITTED"}
        assert counters(stock) == (0, 0)
        assert drifted_stock() == []
