"""The process dies at some line of a checkout. What was paid becomes an order; nothing is paid
twice; nothing is held for ever; and the buyer who comes back with the same key hears what happened.
"""

from datetime import timedelta
from unittest import mock

import pytest
from django.core import mail
from django.utils import timezone

from cart.errors import CartUnavailable
from cart.services import CartOwner, cart_snapshot, empty_cart_by_id
from orders.errors import CartAlreadyOrdered
from orders.models import Order, Payment, SandboxCharge
from orders.selectors import order_findings, payment_findings
from orders.services import checkout, expire_holds, sweep_payments
from orders.tasks import send_confirmation
from shop.idempotency import IdempotencyInProgress
from shop.models import IdempotencyKey, OutboxMessage
from tests.make import cart as make_cart
from tests.make import orders as make
from tests.make.orders import Killed, killed_after, killed_before

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = "orders.services.checking_out"


@pytest.mark.parametrize(
    "name", ["before cart_or_none", "after offer_for", "before place_order", "after place_order"]
)
def test_dying_before_the_first_commit_leaves_nothing(name: str) -> None:
    sold = make.variant(on_hand=5)
    owner = make_cart.guest_with(sold, 2)
    when, function = name.split()
    dying = killed_before if when == "before" else killed_after
    scope = make.scope("k")

    with dying(f"{MODULE}.{function}"), pytest.raises(Killed):
        checkout(wish=make.wish(owner), scope=scope, request_id="", now=timezone.now())

    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert make.units(sold) == (5, 0)
    again = checkout(wish=make.wish(owner), scope=scope, request_id="", now=timezone.now())
    assert again.answer.status == 201


@pytest.mark.parametrize(
    "name",
    [
        "after _prepare",
        "before pay",
        "after pay",
        "before _settled",
        "after _settled",
        "before empty_ordered_cart",
        "after empty_ordered_cart",
    ],
)
@pytest.mark.parametrize("helper", ["sweeper", "buyer", "clock"])
def test_dying_after_it_is_finished_by_whoever_comes(name: str, helper: str) -> None:
    sold = make.variant(on_hand=5)
    owner = make_cart.guest_with(sold, 2)
    when, function = name.split()
    dying = killed_before if when == "before" else killed_after
    wish, scope, now = make.wish(owner), make.scope("k"), timezone.now()

    with dying(f"{MODULE}.{function}"), pytest.raises(Killed):
        checkout(wish=wish, scope=scope, request_id="", now=now)

    match helper:
        case "sweeper":
            sweep_payments(now=now + timedelta(seconds=40))
        case "buyer" if Order.objects.get().status == "PENDING":
            with pytest.raises(IdempotencyInProgress):
                checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=5))
            checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=61))
        case "clock":
            sweep_payments(now=now + timedelta(seconds=40))
            expire_holds(now=now + timedelta(minutes=16))
    answer = checkout(wish=wish, scope=scope, request_id="", now=now + timedelta(seconds=70))

    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CONFIRMED", "PAID")
    assert Payment.objects.count() == SandboxCharge.objects.count() == 1
    assert make.units(sold) == (3, 0)
    assert (answer.answer.status, answer.is_replay) == (201, True)
    assert order.number.encode() in answer.answer.body
    assert b"access_token" in answer.answer.body
    message = OutboxMessage.objects.get(topic="order.confirmed")
    send_confirmation(message_id=str(message.pk), payload=message.payload)
    assert cart_snapshot(owner=owner).lines == ()
    assert order_findings(now=timezone.now()) == []
    assert payment_findings(now=timezone.now()) == []


def sold_to_one_with_a_full_cart() -> CartOwner:
    """Return a guest whose checkout died when only the cart was left to be emptied."""
    owner = make_cart.guest_with(make.variant(on_hand=5), 2)
    with killed_before(f"{MODULE}.empty_ordered_cart"), pytest.raises(Killed):
        checkout(wish=make.wish(owner), scope=make.scope(), request_id="", now=timezone.now())
    return owner


def test_a_mail_server_that_is_away_does_not_keep_the_cart_full() -> None:
    owner = sold_to_one_with_a_full_cart()
    message = OutboxMessage.objects.get(topic="order.confirmed")

    with (
        mock.patch("orders.services.mails._send", side_effect=OSError("away")),
        pytest.raises(OSError, match="away"),
    ):
        send_confirmation(message_id=str(message.pk), payload=message.payload)

    assert cart_snapshot(owner=owner).lines == ()
    send_confirmation(message_id=str(message.pk), payload=message.payload)
    assert len(mail.outbox) == 1


def test_dying_while_paying_and_never_coming_back_ends_with_the_hold() -> None:
    sold = make.variant(on_hand=5)
    owner = make_cart.guest_with(sold, 2)
    now = timezone.now()
    wish = make.wish(owner, token="tok_requires_action")
    with killed_before(f"{MODULE}.pay"), pytest.raises(Killed):
        checkout(wish=wish, scope=make.scope(), request_id="", now=now)

    sweep_payments(now=now + timedelta(seconds=40))
    assert Payment.objects.get().status == "REQUIRES_ACTION"
    # Sent to the bank, the payer has 20 minutes from then.
    expire_holds(now=now + timedelta(minutes=22))

    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "VOIDED")
    assert make.units(sold) == (5, 0)
    assert SandboxCharge.objects.get().status == "VOIDED"


def test_a_cart_left_behind_by_a_death_is_not_sold_twice() -> None:
    owner = sold_to_one_with_a_full_cart()
    assert cart_snapshot(owner=owner).lines != ()

    with pytest.raises(CartAlreadyOrdered):
        checkout(wish=make.wish(owner), scope=make.scope(), request_id="", now=timezone.now())

    assert Order.objects.count() == 1
    assert cart_snapshot(owner=owner).lines == ()


def test_a_cart_store_that_is_away_when_the_task_comes_makes_it_come_again() -> None:
    # Control: it used to be swallowed here too, and the cart stayed full.
    owner = sold_to_one_with_a_full_cart()
    message = OutboxMessage.objects.get(topic="order.confirmed")
    real, away = empty_cart_by_id, CartUnavailable("Away.", retry_after=1)

    with mock.patch(f"{MODULE}.empty_cart_by_id", side_effect=[away, away, mock.DEFAULT]) as asked:
        asked.return_value = True
        done = send_confirmation.apply(kwargs={"message_id": "1", "payload": message.payload})

    assert (done.state, asked.call_count) == ("SUCCESS", 3)
    assert len(mail.outbox) == 1
    assert real(**asked.call_args.kwargs)
    assert cart_snapshot(owner=owner).lines == ()
