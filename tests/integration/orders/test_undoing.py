"""A sold order is cancelled: its units go back to where they were, if they had left at all."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from inventory.models import Reservation, Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import ReceiptLine, StockLine, receive_stock, reserve_stock
from orders.errors import ReturnTooLarge
from orders.models import Order, Return
from orders.selectors import order_findings
from orders.services import (
    PlacedOrder,
    ReturnPart,
    cancel_order,
    pay,
    receive_return,
    settle_payment,
)
from tests.concurrency import run_together
from tests.make import inventory as make_stock
from tests.make import orders as make
from tests.make import sales

pytestmark = pytest.mark.django_db(transaction=True)


def cancelled(placed: PlacedOrder, *, now: datetime | None = None) -> None:
    cancel_order(number=placed.order.number, reason="", now=now or timezone.now())


def assert_sound() -> None:
    assert drifted_stock() == []
    assert order_findings(now=timezone.now()) == []


def test_what_a_late_payer_got_elsewhere_goes_back_there() -> None:
    # Control: it used to go to the first warehouse, as if nobody knew where it had been.
    make_stock.make_warehouse("main")
    make_stock.make_warehouse("far", country="FR", priority=50)
    sold = make.variant(on_hand=2)
    placed = make.placed((sold, 2))
    late = timezone.now() + timedelta(minutes=16)
    reserve_stock(
        lines=[StockLine(sold.pk, 2)],
        reference="rival",
        expires_at=late + timedelta(hours=1),
        now=late,
    )
    receive_stock(
        lines=[ReceiptLine(sold.pk, 2)], warehouse="far", cause="here", reason="", now=late
    )
    result = pay(placed.payment, now=late)
    assert result is not None
    settle_payment(payment_id=placed.payment.pk, result=result, now=late)
    assert Order.objects.get().status == "CONFIRMED"

    cancelled(placed, now=late)

    there = dict(Stock.objects.filter(variant=sold).values_list("warehouse__code", "on_hand"))
    assert there == {"main": 2, "far": 2}
    assert_sound()


def test_a_back_order_leaves_the_queue_and_no_unit_is_made_up() -> None:
    # Control: units that were never there used to be put on hand, and its place in the queue kept.
    sold = make.variant(on_hand=0)
    make.allow_backorders(sold, 10)
    first, second = make.sold((sold, 5)), make.sold((sold, 2))

    cancelled(second)

    assert make.units(sold) == (0, 5)
    assert not StockMovement.objects.filter(kind="RETURN").exists()
    states = dict(Reservation.objects.values_list("reference", "state"))
    assert states == {first.order.stock_reference: "OWED", second.order.stock_reference: "RELEASED"}
    assert_sound()


def test_who_waited_behind_a_back_order_gets_what_is_there() -> None:
    sold = make.variant(on_hand=2)
    make.allow_backorders(sold, 10)
    first, second = make.sold((sold, 5)), make.sold((sold, 3))
    make.adjust(sold, 1)
    assert make.units(sold) == (3, 8)

    cancelled(first)

    assert make.units(sold) == (0, 0)
    assert Reservation.objects.get(reference=second.order.stock_reference).state == "COMMITTED"
    assert_sound()


def test_only_what_had_left_comes_back() -> None:
    there, owed = make.variant(on_hand=3), make.variant(on_hand=1)
    make.allow_backorders(owed, 10)
    sale = sales.flash_sale(owed, units=4)
    placed = make.sold((there, 2), (owed, 3))

    cancelled(placed)

    assert (make.units(there), make.units(owed)) == ((3, 0), (1, 0))
    sale.refresh_from_db()
    assert sale.taken == 0
    assert_sound()


@pytest.mark.parametrize(("restock", "on_hand"), [(True, 5), (False, 4)])
def test_what_had_come_back_before_does_not_come_back_again(restock: bool, on_hand: int) -> None:
    # Control: it used to, and a unit was for sale that nobody had.
    sold = make.variant(on_hand=5)
    placed = make.sold((sold, 2))
    receive_return(
        order=placed.order,
        lines=[ReturnPart(placed.lines[0].pk, 1)],
        reason="",
        reference="r",
        now=timezone.now(),
        restock=restock,
    )

    cancelled(placed)

    assert make.units(sold) == (on_hand, 0)
    assert_sound()


def test_what_is_still_owed_cannot_be_sent_back() -> None:
    # Control: units that had never left used to be put on hand, for others to buy.
    sold = make.variant(on_hand=0)
    make.allow_backorders(sold, 10)
    placed = make.sold((sold, 5))
    line = placed.lines[0].pk

    def sends_back(units: int, reference: str) -> None:
        receive_return(
            order=placed.order,
            lines=[ReturnPart(line, units)],
            reason="",
            reference=reference,
            now=timezone.now(),
        )

    with pytest.raises(ReturnTooLarge) as refused:
        sends_back(1, "early")

    assert refused.value.facts["lines"] == [{"line_id": line, "returned": 1, "returnable": 0}]
    assert make.units(sold) == (0, 5)
    assert not Return.objects.exists()
    assert not StockMovement.objects.filter(kind="RETURN").exists()
    assert_sound()

    make.adjust(sold, 5)
    sends_back(2, "late")
    assert make.units(sold) == (2, 0)
    assert_sound()


def test_of_an_order_that_is_owed_in_part_what_left_can_be_sent_back() -> None:
    there, owed = make.variant(on_hand=3), make.variant(on_hand=1)
    make.allow_backorders(owed, 10)
    placed = make.sold((there, 2), (owed, 3))
    lines = [ReturnPart(line.pk, 1) for line in placed.lines]

    with pytest.raises(ReturnTooLarge):
        receive_return(
            order=placed.order, lines=lines, reason="", reference="both", now=timezone.now()
        )
    assert (make.units(there), make.units(owed)) == ((1, 0), (1, 3))
    receive_return(
        order=placed.order, lines=lines[:1], reason="", reference="one", now=timezone.now()
    )

    assert (make.units(there), make.units(owed)) == ((2, 0), (1, 3))
    assert_sound()


def test_back_orders_that_end_while_goods_come_in_block_nobody() -> None:
    # Control: with the promises locked before the stock, the two deadlock.
    sold = [make.variant(on_hand=0) for _ in range(3)]
    for variant in sold:
        make.allow_backorders(variant, 50)
    orders = [make.sold(*((variant, 2) for variant in sold)) for _ in range(6)]

    def receives(number: int) -> None:
        receive_stock(
            lines=[ReceiptLine(variant.pk, 1) for variant in reversed(sold)],
            warehouse="main",
            cause=f"in:{number}",
            reason="",
            now=timezone.now(),
        )

    outcomes = run_together(
        [
            *(partial(cancelled, placed) for placed in orders),
            *(partial(receives, number) for number in range(6)),
        ],
        workers=6,
    )

    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
    assert [make.units(variant) for variant in sold] == [(6, 0)] * 3
    assert_sound()
