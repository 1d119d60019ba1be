"""Whatever happens in whatever order, the books agree, and so does a model in plain Python."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import OutOfStock, ReservationOver, StockBelowReserved
from inventory.models import Reservation, Stock
from inventory.selectors import drifted_stock
from inventory.services import (
    Adjustment,
    ReceiptLine,
    StockLine,
    adjust_many,
    commit_stock,
    receive_stock,
    release_stock,
    reserve_stock,
    return_stock,
    write_off,
)
from tests.make import inventory as make

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
LIMITS = (0, 2)  # back-order limits of the two variants
REFERENCES = ("a", "b", "c", "d")


class Refused(Exception):
    """What the model says no to."""


@dataclass
class Shelf:
    on_hand: int
    limit: int
    owed: list[tuple[int, int]] = field(default_factory=list)  # number of the promise, units
    held: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def reserved(self) -> int:
        return sum(units for _, units in (*self.held.values(), *self.owed))

    def put(self, units: int) -> None:
        self.on_hand += units
        if units > 0:
            self.fill()

    def fill(self) -> None:
        self.owed.sort()  # who was promised first goes first, whoever paid first
        while self.owed and self.owed[0][1] <= self.on_hand:
            _, due = self.owed.pop(0)
            self.on_hand -= due


@dataclass
class Model:
    """What the services promise, said without a database."""

    shelves: list[Shelf]
    states: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[str, str, int]] = field(default_factory=set)  # kind, cause, variant

    def reserve(self, reference: str, wanted: dict[int, int]) -> None:
        if self.states.get(reference) == "RELEASED":
            raise Refused
        if reference in self.states or not wanted:
            return
        for number, units in wanted.items():
            shelf = self.shelves[number]
            if shelf.on_hand + shelf.limit - shelf.reserved < units:
                raise Refused
        for number, units in wanted.items():
            self.shelves[number].held[reference] = (len(self.states), units)
        self.states[reference] = "HELD"

    def commit(self, reference: str) -> None:
        if self.states.get(reference) == "RELEASED":
            raise Refused
        for shelf in self.shelves:
            if promise := shelf.held.pop(reference, None):
                shelf.owed.append(promise)
                shelf.fill()
        if reference in self.states:
            self.states[reference] = "COMMITTED"

    def release(self, reference: str) -> None:
        if self.states.get(reference) == "HELD":
            self.states[reference] = "RELEASED"
            for shelf in self.shelves:
                shelf.held.pop(reference, None)

    def change(self, kind: str, cause: str, deltas: dict[int, int]) -> None:
        new = {
            number: delta
            for number, delta in deltas.items()
            if delta and (kind, cause, number) not in self.seen
        }
        for number, delta in new.items():
            shelf = self.shelves[number]
            if shelf.on_hand + delta < max(0, shelf.reserved - shelf.limit):
                raise Refused
        for number, delta in new.items():
            self.shelves[number].put(delta)
            self.seen.add((kind, cause, number))


units = st.integers(1, 4)
lines = st.dictionaries(st.integers(0, 1), units, min_size=1)
reference = st.sampled_from(REFERENCES)
cause = st.sampled_from(("x", "y", "z"))
deltas = st.dictionaries(
    st.integers(0, 1), st.integers(-3, 3).filter(lambda delta: delta != 0), min_size=1
)
step = st.one_of(
    st.tuples(st.just("reserve"), reference, lines),
    st.tuples(st.just("commit"), reference),
    st.tuples(st.just("release"), reference),
    st.tuples(st.just("receive"), cause, lines),
    st.tuples(st.just("return"), cause, lines),
    st.tuples(st.just("adjust"), cause, deltas),
    st.tuples(st.just("write_off"), cause, lines),
)


def in_the_model(model: Model, name: str, key: str, given: dict[int, int]) -> None:
    match name:
        case "reserve":
            model.reserve(key, given)
        case "commit":
            model.commit(key)
        case "release":
            model.release(key)
        case "write_off":
            model.change(name, key, {number: -count for number, count in given.items()})
        case _:
            model.change(name, key, given)


def in_the_shop(stocks: list[Stock], name: str, key: str, given: dict[int, int]) -> None:
    counted = [StockLine(stocks[number].variant_id, count) for number, count in given.items()]
    what: dict[str, Any] = {"cause": key, "reason": "", "now": NOW}
    match name:
        case "reserve":
            reserve_stock(
                lines=counted, reference=key, expires_at=NOW + timedelta(minutes=15), now=NOW
            )
        case "commit":
            commit_stock(reference=key, now=NOW)
        case "release":
            release_stock(reference=key, now=NOW)
        case "receive":
            receive_stock(
                lines=[ReceiptLine(line.variant_id, line.quantity) for line in counted],
                warehouse="main",
                **what,
            )
        case "return":
            return_stock(lines=counted, **what)
        case "adjust":
            adjust_many(
                lines=[Adjustment(line.variant_id, line.quantity) for line in counted],
                warehouse="main",
                **what,
            )
        case "write_off":
            write_off(lines=counted, warehouse="main", **what)


@pytest.mark.django_db
@given(steps=st.lists(step, max_size=25))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_books_agree_with_the_model_after_each_step(steps: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        stocks = [make.stock(on_hand=4, backorder_limit=limit) for limit in LIMITS]
        model = Model([Shelf(4, limit) for limit in LIMITS])

        for name, key, *rest in steps:
            given_lines = rest[0] if rest else {}
            is_refused = shop_refuses = False
            try:
                in_the_model(model, name, key, given_lines)
            except Refused:
                is_refused = True
            try:
                in_the_shop(stocks, name, key, given_lines)
            except (OutOfStock, ReservationOver, StockBelowReserved):
                shop_refuses = True

            assert shop_refuses == is_refused
            for stock, shelf in zip(stocks, model.shelves, strict=True):
                stock.refresh_from_db()
                assert (stock.on_hand, stock.reserved) == (shelf.on_hand, shelf.reserved)
            assert drifted_stock() == []

        owed = Reservation.objects.filter(state="OWED").order_by("stock_id", "id")
        assert [row.quantity for row in owed] == [
            count for shelf in model.shelves for _, count in shelf.owed
        ]
        transaction.set_rollback(True)
