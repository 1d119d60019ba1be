"""Money that comes after the hold has ended, when others have taken the units: never oversold.

Controls, each taken out once by hand: without the check of a released line in `claim_hold` the
line that nobody took is sold twice; without `release_stock` in `_let_leave` it stays held.
"""

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from catalog.models import Variant
from inventory.errors import OutOfStock
from inventory.models import Reservation
from inventory.selectors import drifted_stock
from inventory.services import StockLine, reserve_stock
from orders.models import Order
from orders.selectors import order_findings
from orders.services import PlacedOrder, Settlement, pay, settle_payment, sweep_payments
from shop.models import OutboxMessage
from tests.concurrency import run_before
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)


def taking(variant: Variant, units: int, *, now: datetime) -> None:
    reserve_stock(
        lines=[StockLine(variant.pk, units)],
        reference="rival",
        expires_at=now + timedelta(hours=1),
        now=now,
    )


def paid(placed: PlacedOrder, *, now: datetime) -> Settlement:
    result = pay(placed.payment, now=now)
    assert result is not None
    return settle_payment(payment_id=placed.payment.pk, result=result, now=now)


def test_what_was_taken_over_and_is_gone_is_paid_back_and_nothing_is_sold() -> None:
    taken, left = make.variant(on_hand=2), make.variant(on_hand=2)
    placed = make.placed((taken, 2), (left, 2))
    late = timezone.now() + timedelta(minutes=16)
    taking(taken, 1, now=late)

    paid(placed, now=late)
    sweep_payments(now=late + timedelta(minutes=1))

    order = Order.objects.get(pk=placed.order.pk)
    assert (order.status, order.payment_status) == ("CANCELLED", "REFUNDED")
    # Control: the buyer used to hear nothing of an order that ended in this way.
    assert OutboxMessage.objects.filter(topic="order.cancelled").count() == 1
    assert (make.units(taken), make.units(left)) == ((2, 1), (2, 0))
    assert drifted_stock() == []
    assert order_findings(now=late) == []


def test_what_was_taken_over_and_is_there_again_is_sold_once() -> None:
    taken, left = make.variant(on_hand=2), make.variant(on_hand=2)
    placed = make.placed((taken, 2), (left, 2))
    late = timezone.now() + timedelta(minutes=16)
    taking(taken, 1, now=late)
    make.adjust(taken, 1)

    paid(placed, now=late)

    order = Order.objects.get(pk=placed.order.pk)
    assert (order.status, order.payment_status) == ("CONFIRMED", "PAID")
    # The line that nobody took: its own hold is past its end, and serves the order once.
    assert (make.units(taken), make.units(left)) == ((1, 1), (0, 0))
    assert not Reservation.objects.filter(
        reference__startswith=order.stock_reference, state="HELD"
    ).exists()
    assert drifted_stock() == []
    assert order_findings(now=late) == []


def test_a_taker_just_before_the_hold_is_claimed_is_seen() -> None:
    variant = make.variant(on_hand=2)
    placed = make.placed((variant, 2))
    late = timezone.now() + timedelta(minutes=16)

    with run_before("orders.services.paying.claim_hold", partial(taking, variant, 1, now=late)):
        paid(placed, now=late)

    order = Order.objects.get(pk=placed.order.pk)
    assert (order.status, order.cancel_reason) == ("CANCELLED", "Sold out before the money came")
    assert make.units(variant) == (2, 1)
    assert drifted_stock() == []


def test_a_taker_just_before_the_units_leave_gets_nothing() -> None:
    """Negative control: without FOR UPDATE in `claim_hold` the taker gets them, and the commit
    that comes after it raises ReservationOver.
    """
    variant = make.variant(on_hand=2)
    placed = make.placed((variant, 2))
    late = timezone.now() + timedelta(minutes=16)

    def take() -> None:
        with pytest.raises(OutOfStock):
            taking(variant, 1, now=late)

    with run_before("orders.services.paying.commit_stock", take):
        paid(placed, now=late)

    assert Order.objects.get(pk=placed.order.pk).status == "CONFIRMED"
    assert make.units(variant) == (0, 0)
    assert drifted_stock() == []


def test_a_pending_order_whose_hold_was_taken_over_is_no_fault() -> None:
    variant = make.variant(on_hand=2)
    make.placed((variant, 2))
    late = timezone.now() + timedelta(minutes=16)

    taking(variant, 2, now=late)

    assert order_findings(now=late) == []
    assert drifted_stock(now=late) == []
