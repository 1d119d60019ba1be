"""The proof that nothing is oversold, in its parts: those that walk away from their bank's page.

The proof as a whole is in `tests/e2e/test_no_oversell.py`.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from inventory.models import Reservation
from inventory.selectors import drifted_stock
from orders.management.proof.rounds import end_wait_of_payer
from orders.models import Order
from orders.selectors import order_findings, payment_findings
from orders.services import expire_order, pay, settle_payment
from tests.make import orders as make

pytestmark = pytest.mark.django_db

SOON = timedelta(seconds=4)


@pytest.mark.django_db(transaction=True)
def test_a_payer_who_does_not_come_back_gives_their_units_back_in_the_proof() -> None:
    now = timezone.now() - timedelta(seconds=30)
    order = make.placed((make.variant(on_hand=1), 1), token="tok_requires_action", now=now)
    result = pay(order.payment, now=now)
    assert result is not None
    settle_payment(payment_id=order.payment.pk, result=result, now=now)
    over = now + SOON
    assert not expire_order(order_id=order.order.pk, now=over)

    end_wait_of_payer(order_id=order.order.pk, now=over)

    assert expire_order(order_id=order.order.pk, now=over)
    ended = Order.objects.get()
    assert ended.status == Order.Status.CANCELLED
    assert ended.hold_expires_at == over
    assert Reservation.objects.get().state == Reservation.State.RELEASED
    assert not drifted_stock()
    assert not order_findings(now=over)
    assert not payment_findings(now=over, since=now)


def test_who_waits_for_the_provider_alone_is_left_alone() -> None:
    now = timezone.now()
    order = make.placed((make.variant(on_hand=1), 1), token="tok_ok", now=now).order

    end_wait_of_payer(order_id=order.pk, now=now + SOON)

    assert Order.objects.get().hold_expires_at == order.hold_expires_at
    assert Reservation.objects.get().expires_at == order.hold_expires_at
