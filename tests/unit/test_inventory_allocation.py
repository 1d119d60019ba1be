"""Which warehouse gives what, and what shoppers read: rules without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.selectors import Level, shown_to_shoppers
from inventory.services.stock import _allocated


def level(
    stock_id: int,
    *,
    on_hand: int = 0,
    reserved: int = 0,
    backorder_limit: int = 0,
    country: str = "GB",
    priority: int = 10,
    is_active: bool = True,
    variant_id: int = 1,
) -> Level:
    return Level(
        stock_id=stock_id,
        variant_id=variant_id,
        warehouse_id=stock_id,
        country=country,
        priority=priority,
        is_active=is_active,
        on_hand=on_hand,
        reserved=reserved,
        backorder_limit=backorder_limit,
        low_at=5,
    )


@pytest.mark.parametrize(
    ("levels", "units", "taken"),
    [
        ([level(1, on_hand=5)], 5, {1: 5}),
        ([level(1, on_hand=5)], 6, None),
        ([], 1, None),
        # the same country first, though the other has more
        ([level(1, on_hand=9, country="FR"), level(2, on_hand=3)], 4, {2: 3, 1: 1}),
        # then where most is
        ([level(1, on_hand=3), level(2, on_hand=5)], 4, {2: 4}),
        # then by priority, then by age
        ([level(1, on_hand=5), level(2, on_hand=5, priority=1)], 4, {2: 4}),
        ([level(2, on_hand=5), level(1, on_hand=5)], 4, {1: 4}),
        # what is here before what is to come, wherever it lies
        ([level(1, backorder_limit=9), level(2, on_hand=1, country="FR")], 3, {2: 1, 1: 2}),
        # one stock may give both
        ([level(1, on_hand=1, backorder_limit=9)], 3, {1: 3}),
        # more promised than on hand: only the rest of the limit
        ([level(1, on_hand=1, reserved=3, backorder_limit=3)], 1, {1: 1}),
        ([level(1, on_hand=1, reserved=3, backorder_limit=3)], 2, None),
        # an inactive warehouse gives nothing
        ([level(1, on_hand=9, is_active=False)], 1, None),
    ],
)
def test_units_are_taken_by_the_rule(
    levels: list[Level], units: int, taken: dict[int, int] | None
) -> None:
    assert _allocated({1: units}, levels, "GB") == taken


def test_one_short_line_refuses_all() -> None:
    levels = [level(1, on_hand=9), level(2, on_hand=1, variant_id=2)]

    assert _allocated({1: 1, 2: 2}, levels, None) is None


@given(
    levels=st.lists(
        st.builds(
            level,
            st.integers(1, 10**6),
            on_hand=st.integers(0, 9),
            backorder_limit=st.integers(0, 4),
            country=st.sampled_from(["GB", "FR"]),
            is_active=st.booleans(),
        ),
        unique_by=lambda built: built.stock_id,
        max_size=5,
    ),
    units=st.integers(1, 40),
)
def test_it_gives_exactly_what_is_asked_or_nothing(levels: list[Level], units: int) -> None:
    taken = _allocated({1: units}, levels, "GB")

    available = {place.stock_id: place.available for place in levels}
    if taken is None:
        assert sum(available.values()) < units
    else:
        assert sum(taken.values()) == units
        assert all(0 < part <= available[stock_id] for stock_id, part in taken.items())


def test_shoppers_read_the_sum_of_all_warehouses_that_sell() -> None:
    levels = [
        level(1, on_hand=3, reserved=1),
        level(2, on_hand=2),
        level(3, on_hand=9, is_active=False),
    ]

    shown = shown_to_shoppers(levels)

    assert (shown.state, shown.quantity) == ("low_stock", 4)


def test_units_owed_in_one_warehouse_do_not_hide_those_of_another() -> None:
    levels = [level(1, on_hand=0, reserved=4, backorder_limit=4), level(2, on_hand=6)]

    shown = shown_to_shoppers(levels)

    assert (shown.state, shown.quantity) == ("in_stock", 6)
