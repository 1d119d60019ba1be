"""3-D Secure: the payer is at their bank, and the stock waits for them, though not for ever.

Controls, each taken out once by hand: without `extend_hold` the rival takes the unit of a payer who
is still away; without the second look at the hold in `expire_order` and under its lock, an order is
ended that had just been given more time.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.conf import settings as project
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Variant
from inventory.errors import OutOfStock
from inventory.models import Reservation
from inventory.selectors import drifted_stock
from inventory.services import StockLine, extend_hold, release_stock, reserve_stock
from orders.models import Order, OrderEvent, SandboxCharge
from orders.providers import provider_of
from orders.providers.base import ProviderTimeout
from orders.selectors import order_findings, payment_findings
from orders.services import (
    PlacedOrder,
    complete_sandbox_payment,
    expire_holds,
    pay,
    request_of,
    settle_payment,
    sweep_payments,
)
from tests.concurrency import run_before
from tests.make import orders as make

pytestmark = pytest.mark.django_db
at_once = pytest.mark.django_db(transaction=True)

HOLD = timedelta(seconds=project.SHOP_HOLD_SECONDS)
MORE = timedelta(seconds=project.SHOP_ACTION_HOLD_SECONDS)
MOST = timedelta(seconds=project.SHOP_LONGEST_HOLD_SECONDS)


def placed(variant: Variant, *, now: datetime, units: int = 1) -> PlacedOrder:
    return make.placed((variant, units), token="tok_requires_action", now=now)


def sent_away(order: PlacedOrder, *, now: datetime) -> None:
    """Have the provider send the payer to their bank."""
    result = pay(order.payment, now=now)
    assert result is not None
    settle_payment(payment_id=order.payment.pk, result=result, now=now)


def back_again(order: PlacedOrder, *, now: datetime) -> None:
    complete_sandbox_payment(payment_id=order.payment.pk, succeeds=True, now=now)


def taking(variant: Variant, *, now: datetime) -> None:
    reserve_stock(
        lines=[StockLine(variant.pk, 1)],
        reference="rival",
        expires_at=now + timedelta(hours=1),
        now=now,
    )


def ends(order: PlacedOrder) -> set[datetime]:
    """Return when the order says that its hold ends, and when its reservations do."""
    told = Order.objects.get(pk=order.order.pk)
    held = Reservation.objects.filter(reference=told.stock_reference, state="HELD")
    return {told.hold_expires_at, *held.values_list("expires_at", flat=True)}


def is_sound(*, now: datetime) -> None:
    assert drifted_stock(now=now) == []
    assert order_findings(now=now) == []
    assert payment_findings(now=now) == []


def test_a_checkout_tells_until_when_it_waits(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1), (make.variant(), 2))

    began = timezone.now()
    answer: Any = make.check_out(api, "tok_requires_action").json()

    order = Order.objects.get(number=answer["order"]["number"])
    assert order.hold_expires_at >= began + MORE
    told = datetime.fromisoformat(answer["order"]["hold_expires_at"])
    assert abs(told - order.hold_expires_at) < timedelta(seconds=1)
    held = Reservation.objects.filter(reference=order.stock_reference)
    assert {line.expires_at for line in held} == {order.hold_expires_at}
    assert order.version == 2


def test_the_stock_waits_once_and_a_second_word_changes_nothing() -> None:
    now = timezone.now()
    order = placed(make.variant(), now=now)
    assert ends(order) == {now + HOLD}

    sent_away(order, now=now + timedelta(minutes=2))
    until = now + timedelta(minutes=2) + MORE
    assert ends(order) == {until}

    result = provider_of("sandbox").pay(request_of(order.payment))
    settle_payment(payment_id=order.payment.pk, result=result, now=now + timedelta(minutes=9))
    sweep_payments(now=now + timedelta(minutes=10))

    assert ends(order) == {until}
    assert OrderEvent.objects.filter(kind="ACTION_REQUIRED").count() == 1
    is_sound(now=now + timedelta(minutes=10))


def test_it_waits_no_longer_than_any_order_may_hold_stock(settings: Any) -> None:
    settings.SHOP_LONGEST_HOLD_SECONDS = settings.SHOP_HOLD_SECONDS + 60
    now = timezone.now()
    order = placed(make.variant(), now=now)

    sent_away(order, now=now + HOLD - timedelta(minutes=1))

    assert ends(order) == {now + HOLD + timedelta(minutes=1)}


def test_what_has_ended_is_not_waited_for() -> None:
    now = timezone.now()
    order = placed(make.variant(), now=now)

    sent_away(order, now=now + HOLD)

    assert ends(order) == {now + HOLD}


def test_a_word_that_comes_too_late_takes_no_time_away() -> None:
    now = timezone.now()
    order = placed(make.variant(), now=now)
    Order.objects.update(hold_expires_at=now + 2 * MOST)
    Reservation.objects.update(expires_at=now + 2 * MOST)

    sent_away(order, now=now + timedelta(minutes=1))

    assert ends(order) == {now + 2 * MOST}


def test_nobody_takes_what_waits_and_anybody_what_has_waited_long_enough() -> None:
    now = timezone.now()
    variant = make.variant(on_hand=1)
    order = placed(variant, now=now)
    sent_away(order, now=now)

    with pytest.raises(OutOfStock):
        taking(variant, now=now + HOLD + timedelta(seconds=1))
    taking(variant, now=now + MORE)

    back_again(order, now=now + MORE)
    sweep_payments(now=now + MORE + timedelta(seconds=1))
    told = Order.objects.get(pk=order.order.pk)
    assert (told.status, told.payment_status) == ("CANCELLED", "REFUNDED")
    assert make.units(variant) == (1, 1)
    is_sound(now=now + MORE)


def test_what_was_taken_over_before_is_not_waited_for() -> None:
    now = timezone.now()
    taken, left = make.variant(on_hand=1), make.variant(on_hand=1)
    order = make.placed((taken, 1), (left, 1), token="tok_requires_action", now=now)
    late = now + HOLD + timedelta(seconds=1)
    taking(taken, now=late)

    # By a clock that is two seconds behind the taker's.
    sent_away(order, now=late - timedelta(seconds=2))
    assert ends(order) == {now + HOLD}
    assert expire_holds(now=late + timedelta(seconds=1)).finished == 1

    told = Order.objects.get(pk=order.order.pk)
    assert (told.status, told.payment_status) == ("CANCELLED", "VOIDED")
    assert SandboxCharge.objects.get().status == "VOIDED"
    assert (make.units(taken), make.units(left)) == ((1, 1), (1, 0))
    is_sound(now=late)


@at_once
@pytest.mark.parametrize("point", ["expire_order", "_end_expired"])
def test_an_order_that_was_just_given_time_is_not_ended(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    just_before = now + HOLD - timedelta(seconds=1)
    order = placed(make.variant(), now=now)
    if point == "_end_expired":  # the provider did not hear that it should close the payment
        monkeypatch.setattr("orders.services.sweeping.void_payment", lambda *_, **__: False)

    with run_before(
        f"orders.services.sweeping.{point}", partial(sent_away, order, now=just_before)
    ):
        expire_holds(now=now + HOLD)

    told = Order.objects.get(pk=order.order.pk)
    assert told.status == "PENDING"
    assert ends(order) == {just_before + MORE}
    is_sound(now=now + HOLD)


@at_once
def test_payer_and_clock_at_the_same_moment_leave_money_with_stock_or_neither() -> None:
    now = timezone.now()
    end = now + MORE
    for point in ("first", "void_payment", "_end_expired", "last"):
        for offset_ms in (-5, 0, 5):
            variant = make.variant(on_hand=1)
            order = placed(variant, now=now)
            sent_away(order, now=now)
            paying = partial(back_again, order, now=end + timedelta(milliseconds=offset_ms))

            match point:
                case "first":
                    paying()
                    expire_holds(now=end)
                case "last":
                    expire_holds(now=end)
                    paying()
                case _:
                    with run_before(f"orders.services.sweeping.{point}", paying):
                        expire_holds(now=end)
            sweep_payments(now=end + timedelta(minutes=1))

            told = Order.objects.get(pk=order.order.pk)
            charge = SandboxCharge.objects.get(key=order.payment.pk)
            assert (told.status == "CONFIRMED") == (point in {"first", "void_payment"})
            if told.status == "CONFIRMED":
                assert (charge.status, charge.refunded_minor) == ("CAPTURED", 0)
                assert make.units(variant) == (0, 0)
            else:
                assert told.status == "CANCELLED"
                assert charge.status == "VOIDED"
                assert make.units(variant) == (1, 0)
    is_sound(now=end + timedelta(minutes=1))


def test_a_hold_is_extended_whole_or_not_at_all() -> None:
    now = timezone.now()
    variants = [make.variant(), make.variant()]
    make.placed(*((variant, 1) for variant in variants), now=now)
    reference = Order.objects.get().stock_reference

    assert extend_hold(reference=reference, until=now + timedelta(hours=2))
    assert extend_hold(reference=reference, until=now)
    assert extend_hold(reference="never held anything", until=now)
    held = Reservation.objects.filter(reference=reference)
    assert set(held.values_list("expires_at", flat=True)) == {now + timedelta(hours=2)}

    release_stock(reference=reference, now=now)
    assert not extend_hold(reference=reference, until=now + timedelta(hours=9))
    assert set(held.values_list("expires_at", flat=True)) == {now + timedelta(hours=2)}


def test_a_provider_that_is_away_gives_nobody_more_time() -> None:
    now = timezone.now()
    order = placed(make.variant(), now=now)

    with make.provider_away(), pytest.raises(ProviderTimeout):
        sent_away(order, now=now)

    assert ends(order) == {now + HOLD}
