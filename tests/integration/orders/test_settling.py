"""What a provider's word does to an order, whoever brings it, and when."""

from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from inventory.services import release_stock
from orders import tasks
from orders.errors import TransitionRefused
from orders.models import Order, OrderEvent, Payment, Refund, SandboxCharge
from orders.providers import provider_of
from orders.providers.base import Outcome, PaymentResult
from orders.selectors import order_findings, payment_findings
from orders.services import (
    PlacedOrder,
    expire_holds,
    pay,
    request_of,
    settle_payment,
    sweep_payments,
)
from orders.services.states import (
    FULFILLMENT_EDGES,
    ORDER_EDGES,
    PAYMENT_EDGES,
    PAYMENT_STATUS_EDGES,
    turn_order,
)
from shop.models import OutboxMessage
from tests.concurrency import in_background
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)


def _assert_sound() -> None:
    now = timezone.now()
    assert order_findings(now=now) == []
    assert payment_findings(now=now) == []


def _captured(placed: PlacedOrder, **changes: object) -> PaymentResult:
    """Return what a provider says of a payment that it took."""
    result = provider_of("manual").pay(request_of(placed.payment))
    return replace(result, **changes)  # type: ignore[arg-type]


def test_settling_twice_sells_once() -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    result = pay(placed.payment, now=timezone.now())
    assert result is not None

    first = settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())
    second = settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())

    assert (first.is_news, second.is_news) == (True, False)
    assert make.units(sold) == (3, 0)
    assert OutboxMessage.objects.filter(topic="order.confirmed").count() == 1
    assert OrderEvent.objects.filter(kind="CONFIRMED").count() == 1
    _assert_sound()


@pytest.mark.parametrize(
    "changes", [{"amount_minor": 1}, {"amount_minor": 10**9}, {"currency": "EUR"}]
)
def test_the_wrong_amount_does_not_pay_an_order(changes: dict[str, object]) -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))

    settle_payment(
        payment_id=placed.payment.pk, result=_captured(placed, **changes), now=timezone.now()
    )

    order = Order.objects.get()
    assert order.status == "CANCELLED"
    assert make.units(sold) == (5, 0)
    assert not OutboxMessage.objects.filter(topic="order.confirmed").exists()
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor) == ("NEW", Payment.objects.get().captured_minor)


def test_money_for_an_order_that_has_ended_goes_back() -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    now = timezone.now()
    result = pay(placed.payment, now=now)
    assert result is not None
    with make.provider_away():
        assert expire_holds(now=now + timedelta(minutes=16)).finished == 1
    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "PENDING")
    assert make.units(sold) == (5, 0)

    settle_payment(payment_id=placed.payment.pk, result=result, now=now + timedelta(minutes=17))
    sweep_payments(now=now + timedelta(minutes=18))

    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("CANCELLED", "REFUNDED")
    assert make.units(sold) == (5, 0)
    charge = SandboxCharge.objects.get()
    assert charge.refunded_minor == charge.amount_minor
    _assert_sound()


def test_stock_that_was_given_up_is_had_again_if_it_is_there() -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    release_stock(reference=placed.order.stock_reference, now=timezone.now())

    settle_payment(payment_id=placed.payment.pk, result=_captured(placed), now=timezone.now())

    assert Order.objects.get().status == "CONFIRMED"
    assert make.units(sold) == (3, 0)
    assert order_findings(now=timezone.now()) == []


def test_stock_that_is_gone_is_never_sold_twice() -> None:
    sold = make.variant(on_hand=2)
    placed = make.placed((sold, 2))
    release_stock(reference=placed.order.stock_reference, now=timezone.now())
    make.sold((sold, 1))
    result = pay(placed.payment, now=timezone.now())
    assert result is not None

    settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())

    order = Order.objects.get(pk=placed.order.pk)
    assert (order.status, order.payment_status) == ("CANCELLED", "PAID")
    assert order.cancel_reason == "Sold out before the money came"
    assert make.units(sold) == (1, 0)
    sweep_payments(now=make.later(minutes=1))
    order.refresh_from_db()
    assert order.payment_status == "REFUNDED"


# The clock -------------------------------------------------------------------------------------


def test_a_hold_that_ran_out_sets_the_stock_free_and_closes_the_payment(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))
    assert make.check_out(api, "tok_requires_action").status_code == 201

    early = expire_holds(now=make.later(minutes=19))
    late = expire_holds(now=make.later(minutes=21))

    assert (early.finished, late.finished) == (0, 1)
    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "VOIDED")
    assert make.units(sold) == (5, 0)
    assert SandboxCharge.objects.get().status == "VOIDED"
    assert OutboxMessage.objects.filter(topic="order.cancelled").count() == 1
    assert make.check_out(api).status_code == 201  # the cart is still there
    _assert_sound()


def test_money_that_came_in_the_last_moment_confirms_the_order() -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    pay(placed.payment, now=timezone.now())  # and nobody lived to settle it

    expire_holds(now=make.later(minutes=16))

    assert Order.objects.get().status == "CONFIRMED"
    assert make.units(sold) == (3, 0)
    _assert_sound()


def test_an_order_is_not_ended_under_a_request_that_is_paying_for_it() -> None:
    now = timezone.now()
    placed = make.placed(now=now - timedelta(minutes=20))
    pay(placed.payment, now=now)

    assert expire_holds(now=now + timedelta(seconds=5)).finished == 0
    assert Order.objects.get().status == "PENDING"

    assert expire_holds(now=now + timedelta(seconds=30)).finished == 1
    assert Order.objects.get().status == "CONFIRMED"


def test_a_provider_that_stays_away_keeps_no_stock_for_ever() -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    pay(placed.payment, now=timezone.now())

    with make.provider_away():
        sweep_payments(now=make.later(minutes=5))
        assert make.units(sold) == (5, 2)
        expire_holds(now=make.later(minutes=16))
        sweep_payments(now=make.later(minutes=30))

    assert Order.objects.get().status == "CANCELLED"
    assert make.units(sold) == (5, 0)
    assert Payment.objects.get().status == "REQUESTED"  # what became of the money is not known
    sweep_payments(now=make.later(minutes=60))
    assert Order.objects.get().payment_status == "REFUNDED"
    _assert_sound()


def test_a_provider_that_stays_away_is_asked_less_and_less_often() -> None:
    placed = make.placed()
    asked = []
    now = timezone.now()

    with make.provider_away():
        for _ in range(8):
            now = (Payment.objects.get().next_attempt_at or now) + timedelta(seconds=1)
            sweep_payments(now=now)
            wait = Payment.objects.get().next_attempt_at
            assert wait is not None
            asked.append((wait - now).total_seconds())

    assert asked == sorted(asked)
    assert asked[0] <= 60
    assert asked[-1] == 600
    assert placed.payment.pk == Payment.objects.get().pk


def test_only_one_sweep_runs_at_a_time() -> None:
    make.placed()
    now = make.later(minutes=1)
    inner = []

    def again(*args: object, **kwargs: object) -> PaymentResult | None:
        # A second connection, as another process would have.
        with in_background(lambda: sweep_payments(now=now)) as other:
            inner.append(other.result(timeout=60))
        return None

    with mock.patch("orders.services.sweeping._ask", again):
        assert sweep_payments(now=now).looked_at == 1

    assert inner[0].looked_at == 0
    later = now + timedelta(minutes=20)
    assert sweep_payments(now=later).finished == 1  # and the lock was let go


def test_one_that_cannot_be_finished_does_not_block_the_others() -> None:
    sold = make.variant(on_hand=5)
    bad, good = make.placed((sold, 1)), make.placed((sold, 1))
    now = make.later(minutes=1)

    def fails(*, payment_id: object, **kwargs: object) -> object:
        if payment_id == bad.payment.pk:
            raise TransitionRefused("No.")
        return settle_payment(payment_id=payment_id, **kwargs)  # type: ignore[arg-type]

    with mock.patch("orders.services.sweeping.settle_payment", fails):
        swept = sweep_payments(now=now)
        again = sweep_payments(now=now)

    assert (swept.looked_at, swept.finished) == (2, 1)
    assert again.looked_at == 0  # it waits for its next turn
    assert Order.objects.get(pk=good.order.pk).status == "CONFIRMED"
    assert Order.objects.get(pk=bad.order.pk).status == "PENDING"


def test_the_tasks_wake_the_services() -> None:
    sold = make.variant(on_hand=5)
    make.placed((sold, 1), now=make.later(minutes=-5))
    make.placed((sold, 1), now=make.later(minutes=-20), token="tok_requires_action")

    assert tasks.expire_holds() == 1
    assert tasks.sweep_payments() == 1

    assert set(Order.objects.values_list("status", flat=True)) == {"CONFIRMED", "CANCELLED"}
    _assert_sound()


# States ----------------------------------------------------------------------------------------


def test_every_state_has_its_edges() -> None:
    assert set(ORDER_EDGES) == set(Order.Status)
    assert set(PAYMENT_STATUS_EDGES) == set(Order.PaymentStatus)
    assert set(FULFILLMENT_EDGES) == set(Order.FulfillmentStatus)
    assert set(PAYMENT_EDGES) == set(Payment.Status)


def test_a_state_that_cannot_follow_is_refused_before_anything_is_written() -> None:
    order = make.sold().order
    events = OrderEvent.objects.count()

    with transaction.atomic(), pytest.raises(TransitionRefused):
        turn_order(
            Order.objects.locked().get(pk=order.pk),
            event=OrderEvent.Kind.CONFIRMED,
            now=timezone.now(),
            status=Order.Status.PENDING,
        ).write()

    order.refresh_from_db()
    assert order.status == "CONFIRMED"
    assert OrderEvent.objects.count() == events


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "CONFIRMED", "payment_status": "PENDING"},
        {"status": "PENDING", "payment_status": "PAID"},
        {"status": "LOST"},
        {"total_minor": 1},
        {"tax_minor": 10**9},
        {"fulfillment_status": "LOST"},
    ],
)
def test_the_database_refuses_what_cannot_be(changes: dict[str, object]) -> None:
    order = make.placed().order

    with pytest.raises(IntegrityError):
        Order.objects.filter(pk=order.pk).update(**changes)


def test_what_happened_cannot_be_rewritten() -> None:
    make.placed()

    with pytest.raises(IntegrityError):
        OrderEvent.objects.update(detail="It was not me")
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders_orderevent")


def test_one_order_has_one_living_payment() -> None:
    placed = make.placed()

    with pytest.raises(IntegrityError):
        Payment.objects.create(
            order=placed.order,
            provider="sandbox",
            amount_minor=1,
            currency="GBP",
            created_at=timezone.now(),
        )


def test_the_sandbox_does_a_thing_once_per_key() -> None:
    sandbox = provider_of("sandbox")
    placed = make.placed(token="tok_requires_action")
    request = request_of(placed.payment)

    assert sandbox.find(request) is None
    assert sandbox.pay(request) == sandbox.pay(request)
    assert sandbox.void(request).outcome is Outcome.VOIDED
    assert sandbox.pay(request).outcome is Outcome.VOIDED
    assert SandboxCharge.objects.count() == 1
