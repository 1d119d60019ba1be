"""Two at once. Each race is held open at a chosen point; none of these hangs on luck.

Each guard was taken away once to see them fail. Without the row lock of `reserve_stock` the CHECK
refuses instead (no clean `OutOfStock`) and twins hold twice; with the rows locked in the order of
the basket, baskets deadlock; without the claim of the reservations, a commit and a release that
cross both count.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from inventory.errors import OutOfStock, ReferenceReused, ReservationOver
from inventory.models import Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import (
    ReceiptLine,
    SkuLine,
    StockLine,
    adjust_stock,
    commit_stock,
    receive_skus,
    receive_stock,
    release_stock,
    reserve_stock,
    statements,
)
from tests.concurrency import in_background, run_before, run_together
from tests.make import inventory as make

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)


def reserving(reference: str, *lines: tuple[Stock, int]) -> Callable[[], None]:
    return partial(
        reserve_stock,
        lines=[StockLine(stock.variant_id, units) for stock, units in lines],
        reference=reference,
        expires_at=NOW + timedelta(minutes=15),
        now=NOW,
    )


def counters(stock: Stock) -> tuple[int, int]:
    stock.refresh_from_db()
    return stock.on_hand, stock.reserved


def waits(call: Callable[[], Any], first: Callable[[], Any]) -> Any:
    """Run `first` and, before its transaction ends, `call`; return what comes of `call` then."""
    with ExitStack() as background:
        with transaction.atomic():
            first()
            waiting = background.enter_context(in_background(call))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)  # it waits for the first to commit
        return waiting.exception(timeout=60)


def test_the_last_unit_is_sold_once() -> None:
    stock = make.stock(on_hand=1)

    outcome = waits(reserving("order:2", (stock, 1)), reserving("order:1", (stock, 1)))

    assert isinstance(outcome, OutOfStock)
    assert outcome.facts["lines"][0]["available"] == 0
    assert counters(stock) == (1, 1)
    assert Reservation.objects.get().reference == "order:1"
    assert drifted_stock() == []


def test_the_last_unit_is_sold_after_all_when_the_first_gives_up() -> None:
    stock = make.stock(on_hand=1)

    with ExitStack() as background:
        with transaction.atomic():
            reserving("order:1", (stock, 1))()
            waiting = background.enter_context(in_background(reserving("order:2", (stock, 1))))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            transaction.set_rollback(True)
        waiting.result(timeout=60)

    assert counters(stock) == (1, 1)
    assert Reservation.objects.get().reference == "order:2"


def test_a_sold_out_line_is_refused_without_waiting() -> None:
    stock = make.stock(on_hand=1)
    reserving("order:1", (stock, 1))()

    with transaction.atomic():
        Stock.objects.filter(pk=stock.pk).locked().get()
        with in_background(reserving("order:2", (stock, 1))) as refused:
            assert isinstance(refused.exception(timeout=60), OutOfStock)


def test_a_twin_with_the_same_reference_holds_nothing_more() -> None:
    stock = make.stock(on_hand=5)

    outcome = waits(reserving("order:1", (stock, 2)), reserving("order:1", (stock, 2)))

    assert outcome is None
    assert counters(stock) == (5, 2)
    assert drifted_stock() == []


def test_a_twin_that_takes_the_last_unit_is_found() -> None:
    stock = make.stock(on_hand=2)

    outcome = waits(reserving("order:1", (stock, 2)), reserving("order:1", (stock, 2)))

    assert outcome is None
    assert counters(stock) == (2, 2)


def test_units_that_come_free_between_two_looks_are_had() -> None:
    stock = make.stock(on_hand=1)
    reserving("order:1", (stock, 1))()

    with run_before(
        "inventory.services.stock._refuse_if_short",
        partial(release_stock, reference="order:1", now=NOW),
    ):
        reserving("order:2", (stock, 1))()

    assert counters(stock) == (1, 1)
    assert drifted_stock() == []


def test_baskets_in_opposite_order_do_not_deadlock() -> None:
    stocks = [make.stock(on_hand=500) for _ in range(8)]
    baskets = [
        reserving(
            f"order:{number}", *[(stock, 1) for stock in (stocks if number % 2 else stocks[::-1])]
        )
        for number in range(100)
    ]

    outcomes = run_together(baskets, workers=8)

    assert outcomes == [None] * 100
    assert {counters(stock) for stock in stocks} == {(500, 100)}
    assert drifted_stock() == []


def test_stock_is_locked_in_the_order_of_its_keys() -> None:
    first, second = make.stock(on_hand=5), make.stock(on_hand=5)
    is_locked, may_go = Event(), Event()

    def hold_the_second() -> None:
        with transaction.atomic():
            Stock.objects.filter(pk=second.pk).locked().get()
            is_locked.set()
            may_go.wait(60)

    with in_background(hold_the_second):
        is_locked.wait(60)
        # Named in the wrong order, it locks the first one and waits for the second one.
        with in_background(reserving("order:1", (second, 1), (first, 1))) as waiting:
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            assert lockable(first) is False
            may_go.set()
            waiting.result(timeout=60)


def lockable(stock: Stock) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM inventory_stock WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED", [stock.pk]
        )
        return cursor.fetchone() is not None


@pytest.mark.parametrize("is_commit_first", [True, False])
def test_a_commit_and_a_release_that_cross_agree(is_commit_first: bool) -> None:
    stock = make.stock(on_hand=5)
    reserving("order:1", (stock, 2))()
    calls = [
        partial(commit_stock, reference="order:1", now=NOW),
        partial(release_stock, reference="order:1", now=NOW),
    ]
    first, second = calls if is_commit_first else calls[::-1]

    outcome = waits(second, first)

    if is_commit_first:
        assert outcome is None
        assert counters(stock) == (3, 0)
    else:
        assert isinstance(outcome, ReservationOver)
        assert counters(stock) == (5, 0)
    assert StockMovement.objects.filter(cause="order:1").count() == 2
    assert drifted_stock() == []


def test_two_commits_that_cross_sell_once() -> None:
    stock = make.stock(on_hand=5)
    reserving("order:1", (stock, 2))()
    commit = partial(commit_stock, reference="order:1", now=NOW)

    assert waits(commit, commit) is None

    assert counters(stock) == (3, 0)
    assert drifted_stock() == []


def test_two_commits_of_other_orders_both_count() -> None:
    stock = make.stock(on_hand=5)
    reserving("order:1", (stock, 2))()
    reserving("order:2", (stock, 1))()

    outcome = waits(
        partial(commit_stock, reference="order:2", now=NOW),
        partial(commit_stock, reference="order:1", now=NOW),
    )

    assert outcome is None
    assert counters(stock) == (2, 0)
    assert drifted_stock() == []


def test_two_receipts_of_one_cause_count_once() -> None:
    stock = make.stock(on_hand=0)
    receive = partial(
        receive_stock,
        lines=[ReceiptLine(stock.variant_id, 5)],
        warehouse="main",
        cause="delivery:1",
        reason="",
        now=NOW,
    )

    assert waits(receive, receive) is None

    assert counters(stock) == (5, 0)


def test_of_two_notes_of_one_reference_that_differ_one_is_refused() -> None:
    stock = make.stock(on_hand=0)
    five, six = (
        partial(
            receive_skus,
            lines=[SkuLine(stock.variant.sku, units)],
            warehouse="main",
            reference="DN-1",
            reason="",
            now=NOW,
        )
        for units in (5, 6)
    )

    # Control: without the comparison the second is told of the rows of the first.
    assert isinstance(waits(six, five), ReferenceReused)

    assert counters(stock) == (5, 0)
    assert StockMovement.objects.filter(kind="RECEIPT", cause="receipt:DN-1").count() == 1


def test_two_first_receipts_make_one_row() -> None:
    make.make_warehouse()
    variant = make.bare_variant()
    calls = [
        partial(
            receive_stock,
            lines=[ReceiptLine(variant.pk, 5)],
            warehouse="main",
            cause=f"delivery:{number}",
            reason="",
            now=NOW,
        )
        for number in range(2)
    ]

    assert waits(*calls) is None

    assert Stock.objects.get(variant=variant).on_hand == 10
    assert drifted_stock() == []


def test_adjustments_during_a_sale_lose_nothing() -> None:
    stock = make.stock(on_hand=100)
    calls: list[Callable[[], Any]] = []
    for number in range(40):
        calls.append(reserving(f"order:{number}", (stock, 1)))
        calls.append(
            partial(
                adjust_stock,
                sku=stock.variant.sku,
                warehouse="main",
                delta=1 if number % 2 else -1,
                reason="count",
                now=NOW,
            )
        )

    outcomes = run_together(calls, workers=8)

    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert counters(stock) == (100, 40)
    assert drifted_stock() == []


def test_fifty_for_the_last_one() -> None:
    stock = make.stock(on_hand=1)

    outcomes = run_together(
        [reserving(f"order:{number}", (stock, 1)) for number in range(50)], workers=10
    )

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, OutOfStock) for outcome in outcomes) == 49
    assert counters(stock) == (1, 1)


def two_back_orders() -> tuple[Stock, BaseException | None]:
    """Settle the younger while the older becomes owed, and has not committed."""
    stock = make.stock(on_hand=4, backorder_limit=9)
    reserving("order:1", (stock, 6))()
    reserving("order:2", (stock, 2))()

    outcome = waits(
        partial(commit_stock, reference="order:2", now=NOW),
        partial(commit_stock, reference="order:1", now=NOW),
    )
    return stock, outcome


def test_a_payment_takes_nothing_from_an_older_back_order_that_was_paid_just_now() -> None:
    stock, outcome = two_back_orders()

    assert outcome is None
    assert counters(stock) == (4, 8)
    assert set(Reservation.objects.values_list("state", flat=True)) == {"OWED"}
    assert drifted_stock() == []


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("l.on_hand >= r.quantity", id="whoever pays gets it"),
        # It sees what was owed when it began, and it began before the other had ended.
        pytest.param(
            """l.on_hand >= r.quantity + (
                SELECT coalesce(sum(o.quantity), 0) FROM inventory_reservation o
                WHERE o.stock_id = l.id AND o.state = 'OWED' AND o.id < r.id
            )""",
            id="the queue is looked at in the same statement",
        ),
    ],
)
def test_other_rules_would_let_it_overtake(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the test before."""
    other = statements.COMMIT.replace("l.on_hand >= l.reserved", rule)
    assert other != statements.COMMIT
    monkeypatch.setattr(statements, "COMMIT", other)

    stock, _ = two_back_orders()

    assert counters(stock) == (2, 6)
