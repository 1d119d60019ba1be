"""A8: cancelling against capturing, two refunds at once, cancelling against sending."""

from datetime import datetime
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from catalog.models import Variant
from orders.errors import OrderNotCancellable, RefundTooLarge
from orders.models import Order, OrderEvent, Refund
from orders.services import (
    PlacedOrder,
    cancel_order,
    execute_refund,
    pay,
    refund_order,
    settle_payment,
)
from orders.services.states import turn_order
from tests.make import orders as make
from tests.races.crew import Crew, troubles
from tests.races.figures import dice, figure, reported
from tests.races.guards import must_show, no_lock_on_orders, slowly
from tests.races.soundness import breaches, bring_to_rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

TRIALS = figure(full=500, small=20)


def capture(placed: PlacedOrder) -> None:
    """Do the second and third step of the checkout."""
    now = timezone.now()
    result = pay(placed.payment, now=now)
    if result is not None:
        settle_payment(payment_id=placed.payment.pk, result=result, now=now)


def cancel(placed: PlacedOrder) -> None:
    cancel_order(number=placed.order.number, reason="", now=timezone.now())


def cancel_and_capture(crew: Crew, sold: Variant, delays: tuple[float, float]) -> list[str]:
    """Cancel an order while its money is taken; return what is wrong with how it ended."""
    before = make.units(sold)
    placed = make.placed((sold, 2))
    outcomes = crew.race([partial(capture, placed), partial(cancel, placed)], delays=delays)
    found = troubles(outcomes)
    order = Order.objects.get(pk=placed.order.pk)
    if order.status != Order.Status.CANCELLED:
        found.append(f"cancelled, and is {order.status}")
    if make.units(sold) != before:
        found.append(f"stock was {before} and is {make.units(sold)}")
    return found


def refund_twice(crew: Crew, sold: Variant, *, is_the_same: bool) -> list[str]:
    """Give most of the money back twice, for one reason or two; return what is wrong."""
    placed = make.placed((sold, 2))  # 25.00
    capture(placed)

    def refund(reference: str) -> None:
        owed = refund_order(
            order=placed.order,
            amount_minor=2000,
            reason="",
            reference=f"{placed.order.number}:{reference}",
            now=timezone.now(),
        )
        execute_refund(refund=owed, now=timezone.now())

    second = "first" if is_the_same else "second"
    outcomes = crew.race([partial(refund, "first"), partial(refund, second)])
    found = troubles(outcomes, RefundTooLarge)
    given = sum(outcome is None for outcome in outcomes)
    if given != (2 if is_the_same else 1):
        found.append(f"{given} of two refunds were promised")
    amounts = list(placed.order.refunds.values_list("amount_minor", "status"))
    if amounts != [(2000, "SUCCEEDED")]:
        found.append(f"gave back {amounts} of 2500")
    return found


@transaction.atomic
def send(number: str, *, now: datetime) -> bool:
    """Send all of the order, if there is still something to send.

    Stands in for the service of shipments, which is yet to come: like every service that decides
    on an order it reads it under its lock, and moves it along its edges.
    """
    order = Order.objects.locked().get(number=number)
    if order.status != Order.Status.CONFIRMED:
        return False
    turn_order(
        order,
        event=OrderEvent.Kind.RETURN_RECEIVED,  # there is no event of sending yet
        now=now,
        fulfillment_status=Order.FulfillmentStatus.FULFILLED,
    ).write()
    return True


def cancel_and_send(crew: Crew, sold: Variant, delays: tuple[float, float]) -> list[str]:
    placed = make.placed((sold, 2))
    capture(placed)
    outcomes = crew.race(
        [
            partial(cancel, placed),
            lambda: send(placed.order.number, now=timezone.now()),
        ],
        delays=delays,
    )
    found = troubles(outcomes, OrderNotCancellable)
    order = Order.objects.get(pk=placed.order.pk)
    is_cancelled = order.status == Order.Status.CANCELLED
    if is_cancelled == (order.fulfillment_status == Order.FulfillmentStatus.FULFILLED):
        found.append(f"{order.status} and {order.fulfillment_status}")
    if isinstance(outcomes[0], OrderNotCancellable) is is_cancelled or outcomes[1] is is_cancelled:
        found.append(f"{order.status}, and they were told {outcomes}")
    return found


def test_cancelling_and_capturing_agree() -> None:
    sold, chance = make.variant(on_hand=10), dice("A8 cancel and capture")

    with Crew(2) as crew, reported("A8 cancel and capture", trials=TRIALS) as seen:
        for _ in range(TRIALS):
            delays = chance.uniform(0, 0.01), chance.uniform(0, 0.01)
            assert cancel_and_capture(crew, sold, delays) == []
        captured = OrderEvent.objects.filter(kind=OrderEvent.Kind.CONFIRMED).count()
        seen["captured first"] = captured
        seen["cancelled first"] = TRIALS - captured

    assert breaches(bring_to_rest(timezone.now())) == []


def test_two_refunds_never_give_back_more_than_was_taken() -> None:
    sold = make.variant(on_hand=2 * TRIALS)

    with Crew(2) as crew, reported("A8 refund twice", trials=TRIALS) as seen:
        for number in range(TRIALS):
            assert refund_twice(crew, sold, is_the_same=bool(number % 2)) == []
        seen["refunds given"] = Refund.objects.filter(status=Refund.Status.SUCCEEDED).count()

    assert breaches(bring_to_rest(timezone.now())) == []


def test_cancelling_and_sending_agree() -> None:
    sold, chance = make.variant(on_hand=2 * TRIALS), dice("A8 cancel and send")

    with Crew(2) as crew, reported("A8 cancel and send", trials=TRIALS) as seen:
        for _ in range(TRIALS):
            delays = chance.uniform(0, 0.004), chance.uniform(0, 0.006)
            assert cancel_and_send(crew, sold, delays) == []
        seen["sent"] = Order.objects.filter(fulfillment_status="FULFILLED").count()
        seen["cancelled"] = Order.objects.filter(status="CANCELLED").count()

    assert breaches(bring_to_rest(timezone.now())) == []


def test_without_the_lock_a_cancelled_order_is_confirmed() -> None:
    with (
        no_lock_on_orders(),
        slowly("orders.services.paying._money_came", seconds=0.05),
    ):
        sold = make.variant(on_hand=100)
        with Crew(2) as crew:
            must_show(lambda: cancel_and_capture(crew, sold, (0, 0.015)), "and is CONFIRMED")


def test_without_the_lock_two_refunds_give_back_too_much() -> None:
    with (
        no_lock_on_orders(),
        slowly("orders.services.aftersales.refundable_minor"),
    ):
        sold = make.variant(on_hand=100)
        with Crew(2) as crew:
            must_show(lambda: refund_twice(crew, sold, is_the_same=False), "2 of two refunds")


def test_without_the_lock_a_cancelled_order_is_sent() -> None:
    with no_lock_on_orders(), slowly("orders.services.cancelling.turn_order"):
        sold = make.variant(on_hand=100)
        with Crew(2) as crew:
            must_show(lambda: cancel_and_send(crew, sold, (0, 0.01)), "CANCELLED and FULFILLED")
