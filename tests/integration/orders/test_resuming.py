"""Keys that a killed worker left running, whose client never came back."""

from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from orders.models import Order, Payment, SandboxCharge
from orders.selectors import order_findings, payment_findings
from orders.services import checkout, resume_checkouts, sweep_payments
from orders.services.sweeping import finish_payment
from orders.tasks import resume_checkouts as task
from shop.db.alone import alone
from shop.idempotency import LeftKey, Scope, left_running, take_over
from shop.models import IdempotencyKey
from tests.concurrency import in_background, run_before
from tests.make import cart as make_cart
from tests.make import orders as make
from tests.make.orders import Killed, killed_before

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = "orders.services.checking_out"


def killed_checkout(line: str, *, token: str = "tok_ok", key: str = "k") -> datetime:
    """Have a checkout die before `line`, and return the moment at which it began."""
    now = timezone.now()
    wish = make.wish(make_cart.guest_with(make.variant(on_hand=5), 2), token=token)
    with killed_before(f"{MODULE}.{line}"), pytest.raises(Killed):
        checkout(wish=wish, scope=make.scope(key), request_id="", now=now)
    return now


def assert_sound() -> None:
    assert order_findings(now=timezone.now()) == []
    assert payment_findings(now=timezone.now()) == []


def state() -> str:
    return IdempotencyKey.objects.get().state


def test_what_was_left_gets_the_answer_that_its_buyer_would_have_had() -> None:
    now = killed_checkout("_settled")

    swept = resume_checkouts(now=now + timedelta(minutes=2))

    key = IdempotencyKey.objects.get()
    assert (swept.looked_at, swept.finished) == (1, 1)
    assert (key.state, key.response_status) == ("DONE", 201)
    assert Order.objects.get().status == "CONFIRMED"
    assert SandboxCharge.objects.count() == 1
    assert_sound()


def test_nobody_is_disturbed_before_two_minutes() -> None:
    now = killed_checkout("_settled")

    assert resume_checkouts(now=now + timedelta(seconds=119)).looked_at == 0

    assert state() == "STARTED"
    assert Payment.objects.get().status == "REQUESTED"


def test_a_provider_that_is_away_makes_it_an_answer_that_waits() -> None:
    now = killed_checkout("pay")

    with make.provider_away():
        assert resume_checkouts(now=now + timedelta(minutes=2)).finished == 1

    key = IdempotencyKey.objects.get()
    assert (key.state, key.response_status) == ("DONE", 202)
    assert Order.objects.get().status == "PENDING"
    # And the sweeper goes on, as for everybody whose provider was away.
    sweep_payments(now=now + timedelta(minutes=4))
    assert Order.objects.get().status == "CONFIRMED"
    assert_sound()


def test_a_refused_payment_is_told_as_one() -> None:
    now = killed_checkout("pay", token="tok_declined")

    resume_checkouts(now=now + timedelta(minutes=2))

    assert IdempotencyKey.objects.get().response_status == 402
    assert Order.objects.get().status == "CANCELLED"
    assert_sound()


@pytest.mark.parametrize("resource", ["", "3f0e8a5e-8f0c-4d3b-9b61-0f6f3f1f7a00", "order:1"])
def test_a_key_under_which_nothing_was_done_is_free_again(resource: str) -> None:
    now = timezone.now()
    scope = Scope("user:1", "POST api/v1/checkout", "k", "x")
    make_started(scope, now=now, resource=resource)

    resume_checkouts(now=now + timedelta(minutes=2))

    assert not IdempotencyKey.objects.exists()


def make_started(scope: Scope, *, now: datetime, resource: str) -> None:
    IdempotencyKey.objects.create(
        subject=scope.subject,
        route=scope.route,
        key=scope.key,
        request_hash=scope.request_hash,
        resource=resource,
        created_at=now,
        locked_until=now + timedelta(seconds=60),
        expires_at=now + timedelta(hours=72),
    )


def test_an_order_that_ended_meanwhile_waits_for_its_providers_word() -> None:
    now = killed_checkout("_settled")
    Order.objects.update(status="CANCELLED", cancelled_at=now)

    with make.provider_away():
        assert resume_checkouts(now=now + timedelta(minutes=2)).finished == 0
    assert state() == "STARTED"

    assert resume_checkouts(now=now + timedelta(minutes=4)).finished == 1
    assert not IdempotencyKey.objects.exists()  # the buyer may try again
    assert Payment.objects.get().status == "CAPTURED"
    assert SandboxCharge.objects.get().refunded_minor == SandboxCharge.objects.get().amount_minor


def test_a_client_that_comes_back_first_is_left_alone() -> None:
    now = killed_checkout("pay")
    later = now + timedelta(minutes=2)
    wish = make.wish(make_cart.guest_with(make.variant(), 1))

    def client() -> None:
        checkout(wish=wish, scope=make.scope("k"), request_id="", now=later)

    # Control: with take_over returning True at all times, the payment is asked for a second time.
    with run_before("shop.idempotency.take_over", client):
        assert resume_checkouts(now=later).finished == 0

    assert Payment.objects.get().attempts == 2  # that which was killed, and the client's
    assert state() == "DONE"


def test_a_resumer_that_is_killed_is_followed_by_the_next() -> None:
    now = killed_checkout("pay")

    with killed_before("orders.services.resuming.finish_payment"), pytest.raises(Killed):
        resume_checkouts(now=now + timedelta(minutes=2))
    assert resume_checkouts(now=now + timedelta(minutes=2, seconds=20)).looked_at == 0
    assert resume_checkouts(now=now + timedelta(minutes=2, seconds=31)).finished == 1

    assert state() == "DONE"
    assert_sound()


def test_one_that_cannot_be_finished_does_not_stop_the_others() -> None:
    killed_checkout("pay", key="first")
    now = killed_checkout("pay", key="second")
    broken = Payment.objects.earliest("created_at").pk

    def finish(payment: Payment, *, now: datetime) -> bool:
        if payment.pk == broken:
            raise OperationalError
        return finish_payment(payment, now=now)

    with mock.patch("orders.services.resuming.finish_payment", finish):
        assert resume_checkouts(now=now + timedelta(minutes=2)).finished == 1

    states = dict(IdempotencyKey.objects.values_list("key", "state"))
    assert states == {"first": "STARTED", "second": "DONE"}


def test_one_resumes_at_a_time() -> None:
    now = killed_checkout("pay")

    with (
        alone(7_302_011),
        in_background(lambda: resume_checkouts(now=now + timedelta(minutes=2))) as other,
    ):
        assert other.result(timeout=60).looked_at == 0

    assert state() == "STARTED"


def test_the_task_does_nothing_where_nothing_is_left() -> None:
    assert task() == 0


def test_what_still_runs_can_be_asked_for_by_its_age() -> None:
    now = timezone.now()
    make_started(Scope("user:1", "POST x", "k", "x"), now=now, resource="r")

    assert left_running(now=now + timedelta(minutes=9), for_at_least=timedelta(minutes=10)) == []
    (left,) = left_running(now=now + timedelta(minutes=10), for_at_least=timedelta(minutes=10))

    assert left == LeftKey(IdempotencyKey.objects.get().pk, "r", now)
    assert take_over(left.id, now=now + timedelta(minutes=10))
    assert not take_over(left.id, now=now + timedelta(minutes=10))


def test_started_keys_are_found_by_their_own_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM shop_idempotencykey"
            " WHERE state = 'STARTED' AND created_at < now() ORDER BY created_at LIMIT 100"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "idempotency_key_started" in plan


def test_those_that_cannot_be_finished_do_not_keep_others_waiting() -> None:
    now = timezone.now()
    for name in ("old", "new"):
        make_started(Scope("user:1", "POST x", name, "x"), now=now, resource=name)
    later = now + timedelta(minutes=2)
    (first,) = left_running(now=later, limit=1)
    assert take_over(first.id, now=later)

    (second,) = left_running(now=later + timedelta(minutes=2), limit=1)

    assert (first.resource, second.resource) == ("old", "new")
