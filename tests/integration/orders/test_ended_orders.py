"""An order has ended and its payment is open still: whoever comes takes no money for it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from orders.errors import OrderEnded
from orders.models import Order, Payment, SandboxCharge
from orders.selectors import order_findings, payment_findings
from orders.services import CheckoutWish, cancel_order, checkout, expire_holds, sweep_payments
from shop.idempotency import IdempotencyInProgress, Scope
from shop.models import IdempotencyKey
from tests.concurrency import run_before
from tests.make import cart as make_cart
from tests.make import orders as make
from tests.make.orders import Killed, killed_before

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = "orders.services.checking_out"


def killed_checkout(line: str) -> tuple[CheckoutWish, Scope, datetime]:
    """Have a checkout die before `line`, and return what it wanted, its key, and its moment."""
    now = timezone.now()
    wish = make.wish(make_cart.guest_with(make.variant(on_hand=5), 2))
    scope = make.scope("k")
    with killed_before(line), pytest.raises(Killed):
        checkout(wish=wish, scope=scope, request_id="", now=now)
    return wish, scope, now


def cancelled_while_the_provider_was_away() -> tuple[CheckoutWish, Scope, datetime]:
    wish, scope, now = killed_checkout("orders.services.paying.provider_of")
    with make.provider_away():
        cancel_order(number=Order.objects.get().number, reason="", now=now)
    assert Payment.objects.get().status == "REQUESTED"
    return wish, scope, now


def assert_nothing_was_taken() -> None:
    assert not SandboxCharge.objects.exclude(status="VOIDED").exists()
    assert order_findings(now=timezone.now()) == []
    assert payment_findings(now=timezone.now()) == []


def test_its_key_sent_again_charges_nothing_and_is_free_after_that() -> None:
    # Control: it used to charge, and to refund after that.
    wish, scope, now = cancelled_while_the_provider_was_away()

    with pytest.raises(OrderEnded):
        checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=61))

    assert Payment.objects.get().status == "VOIDED"
    assert not IdempotencyKey.objects.exists()
    assert_nothing_was_taken()
    again = checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=62))
    assert again.answer.status == 201


def test_its_key_sent_again_waits_for_a_provider_that_is_away() -> None:
    wish, scope, now = cancelled_while_the_provider_was_away()

    with make.provider_away(), pytest.raises(IdempotencyInProgress):
        checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=61))

    assert IdempotencyKey.objects.get().state == "STARTED"
    sweep_payments(now=now + timedelta(seconds=90))
    assert not IdempotencyKey.objects.exists()
    assert_nothing_was_taken()


def test_it_is_no_answer_that_is_kept_for_a_provider_that_did_not_say() -> None:
    # Control: "202, it is pending" used to be stored for good, of a cancelled order.
    now = timezone.now()
    wish = make.wish(make_cart.guest_with(make.variant(on_hand=5), 2))
    scope = make.scope("k")

    def cancel() -> None:
        cancel_order(number=Order.objects.get().number, reason="", now=now)

    with (
        make.provider_away(),
        run_before(f"{MODULE}._accept", cancel),
        pytest.raises(IdempotencyInProgress),
    ):
        checkout(wish=wish, scope=scope, request_id="", now=now)

    assert IdempotencyKey.objects.get().state == "STARTED"
    with pytest.raises(OrderEnded):
        checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=61))
    assert_nothing_was_taken()


@pytest.mark.parametrize("first", [sweep_payments, expire_holds])
@pytest.mark.parametrize("line", [f"{MODULE}.pay", "orders.services.paying.provider_of"])
def test_a_sweeper_that_comes_after_the_hold_begins_no_payment(
    first: Callable[..., object], line: str
) -> None:
    # Control: after an outage it used to charge buyers for what it had long stopped to keep.
    _, _, now = killed_checkout(line)
    late = now + timedelta(hours=3)

    first(now=late)

    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "VOIDED")
    assert not IdempotencyKey.objects.exists()
    assert_nothing_was_taken()
