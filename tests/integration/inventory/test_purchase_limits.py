"""How many of a variant one buyer may have, decided under the lock of its stock.

Guards taken away once to see these fail: without the sum over the buyer's reservations everything
is sold to one; with the sum read before the lock, two at once both get the last unit of a limit.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from inventory.errors import OutOfStock, PurchaseLimitExceeded
from inventory.models import PurchaseLimit, Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import (
    StockLine,
    adjust_stock,
    commit_stock,
    forget_purchase,
    refuse_short_lines,
    release_stock,
    reserve_stock,
)
from tests.concurrency import run_together
from tests.integration.inventory.test_races import waits
from tests.make import inventory as make
from tests.make import sales

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
ADA, BOB = "a" * 64, "b" * 64


def buying(
    reference: str,
    *lines: tuple[Stock, int],
    buyer: str = ADA,
    now: datetime = NOW,
    replaces: str = "",
) -> Callable[[], None]:
    return partial(
        reserve_stock,
        lines=[StockLine(stock.variant_id, units) for stock, units in lines],
        reference=reference,
        expires_at=now + timedelta(minutes=15),
        now=now,
        buyer=buyer,
        replaces=replaces,
    )


def limited(units: int, *, on_hand: int = 10, window_days: int | None = None) -> Stock:
    stock = make.stock(on_hand=on_hand)
    sales.purchase_limit(stock.variant, units, window_days=window_days, now=NOW)
    return stock


def held() -> set[str]:
    return set(Reservation.objects.exclude(state="RELEASED").values_list("reference", flat=True))


@pytest.mark.django_db
class TestALimit:
    def test_refuses_one_buyer_what_another_may_have(self) -> None:
        stock = limited(2)
        buying("order:1", (stock, 1))()
        ledger = StockMovement.objects.count()

        with pytest.raises(PurchaseLimitExceeded) as refused:
            buying("order:2", (stock, 2))()

        assert refused.value.facts == {
            "lines": [
                {
                    "variant_id": stock.variant_id,
                    "sku": stock.variant.sku,
                    "requested": 2,
                    "limit": 2,
                    "already_bought": 1,
                }
            ]
        }
        assert (held(), StockMovement.objects.count()) == ({"order:1"}, ledger)
        buying("order:3", (stock, 2), buyer=BOB)()
        buying("order:4", (stock, 1))()
        assert held() == {"order:1", "order:3", "order:4"}
        assert drifted_stock() == []

    def test_names_every_line_that_breaks_one(self) -> None:
        one, two, free = limited(1), limited(3), make.stock()

        with pytest.raises(PurchaseLimitExceeded) as refused:
            buying("order:1", (one, 2), (two, 4), (free, 5))()

        lines = {line["variant_id"]: line["limit"] for line in refused.value.facts["lines"]}
        assert lines == {one.variant_id: 1, two.variant_id: 3}
        assert held() == set()

    def test_counts_what_was_sold_and_is_owed_and_not_what_was_released(self) -> None:
        stock = make.stock(on_hand=3, backorder_limit=5)
        sales.purchase_limit(stock.variant, 4, now=NOW)
        for reference, units in (("sold", 1), ("owed", 3)):
            buying(reference, (stock, units))()
            if reference == "owed":
                adjust_stock(
                    sku=stock.variant.sku, warehouse="main", delta=-1, reason="lost", now=NOW
                )
            commit_stock(reference=reference, now=NOW)
        assert set(Reservation.objects.values_list("state", flat=True)) == {"COMMITTED", "OWED"}

        with pytest.raises(PurchaseLimitExceeded) as refused:
            buying("more", (stock, 1))()
        assert refused.value.facts["lines"][0]["already_bought"] == 4

        buying("bobs", (stock, 1), buyer=BOB)()
        release_stock(reference="bobs", now=NOW)
        buying("bobs again", (stock, 3), buyer=BOB)()

    def test_counts_no_more_what_came_back(self) -> None:
        stock = limited(1)
        buying("order:1", (stock, 1))()
        commit_stock(reference="order:1", now=NOW)

        forget_purchase(references=["order:1", "order:1:again"])

        buying("order:2", (stock, 1))()
        assert drifted_stock() == []

    def test_looks_back_as_far_as_its_window(self) -> None:
        stock = limited(1, window_days=30)
        buying("order:1", (stock, 1))()
        commit_stock(reference="order:1", now=NOW)

        with pytest.raises(PurchaseLimitExceeded):
            buying("order:2", (stock, 1), now=NOW + timedelta(days=30, seconds=-1))()
        buying("order:3", (stock, 1), now=NOW + timedelta(days=30, seconds=1))()

    def test_counts_a_hold_past_its_end_until_somebody_has_it(self) -> None:
        stock = limited(1, on_hand=1)
        buying("order:1", (stock, 1))()
        later = NOW + timedelta(hours=1)

        with pytest.raises(PurchaseLimitExceeded):
            buying("order:2", (stock, 1), now=later)()
        buying("order:3", (stock, 1), buyer=BOB, now=later)()

        with pytest.raises(OutOfStock):  # the limit would let her: it was taken over
            buying("order:4", (stock, 1), now=later)()

    def test_lets_the_same_reference_come_again(self) -> None:
        stock = limited(1)
        buying("order:1", (stock, 1))()

        buying("order:1", (stock, 1))()

        assert Reservation.objects.count() == 1

    def test_does_not_count_what_is_replaced(self) -> None:
        stock = limited(1)
        buying("order:1", (stock, 1))()

        buying("order:1:again", (stock, 1), replaces="order:1")()

        assert held() == {"order:1", "order:1:again"}

    def test_binds_nobody_who_is_not_named(self) -> None:
        stock = limited(1)

        buying("history:1", (stock, 2), buyer="")()
        buying("history:2", (stock, 2), buyer="")()

        assert len(held()) == 2

    def test_is_told_by_a_look_without_a_lock(self) -> None:
        stock = limited(1)
        buying("order:1", (stock, 1))()
        lines = [StockLine(stock.variant_id, 1)]

        with pytest.raises(PurchaseLimitExceeded):
            refuse_short_lines(lines=lines, now=NOW, buyer=ADA)
        refuse_short_lines(lines=lines, now=NOW, buyer=BOB)
        refuse_short_lines(lines=lines, now=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 20])
def test_terms_cost_one_query_for_any_number_of_lines(
    size: int, django_assert_num_queries: Callable[..., object]
) -> None:
    stocks = make.many_stocks(size, on_hand=50)
    for stock in stocks:
        sales.purchase_limit(stock.variant, 2, now=NOW)

    # Lock the stock; read the terms; hold.
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        buying("order:1", *[(stock, 1) for stock in stocks])()


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_the_last_unit_of_a_limit_is_had_once(self) -> None:
        stock = limited(1)

        outcome = waits(buying("order:2", (stock, 1)), buying("order:1", (stock, 1)))

        assert isinstance(outcome, PurchaseLimitExceeded)
        assert outcome.facts["lines"][0]["already_bought"] == 1
        assert held() == {"order:1"}

    def test_who_set_the_first_limit_of_a_variant_without_stock_both_succeed(self) -> None:
        # Control: there is no stock to queue up at, and one of them used to get a 500.
        variant = make.bare_variant()

        made = run_together([partial(sales.purchase_limit, variant, units) for units in (2, 3)])

        assert [one for one in made if isinstance(one, BaseException)] == []
        assert PurchaseLimit.objects.get().units in {2, 3}

    def test_also_when_it_lies_in_two_warehouses(self) -> None:
        stock = limited(1, on_hand=1)
        make.stock(
            variant=stock.variant, on_hand=1, warehouse=make.make_warehouse("far", country="DE")
        )

        outcome = waits(buying("order:2", (stock, 1)), buying("order:1", (stock, 1)))

        assert isinstance(outcome, PurchaseLimitExceeded)
        assert held() == {"order:1"}
