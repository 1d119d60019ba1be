"""Two at once, at a chosen line. Each was seen to fail with its guard taken out, by hand."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar
from unittest import mock

import pytest
from django.db import connections, transaction
from django.utils import timezone

from cart.services import add_item
from catalog.models import Price
from orders.errors import (
    CartAlreadyOrdered,
    OrderEnded,
    OrderNotCancellable,
    RefundTooLarge,
)
from orders.models import Order, OrderEvent, Payment, Refund, SandboxCharge
from orders.selectors import order_findings, payment_findings
from orders.services import (
    CheckoutAnswer,
    cancel_order,
    checkout,
    execute_refund,
    expire_order,
    pay,
    place_order,
    refund_order,
    settle_payment,
    sweep_payments,
)
from shop.errors import Refusal
from shop.idempotency import IdempotencyInProgress
from shop.models import OutboxMessage
from tests.concurrency import run_before, run_together
from tests.make import cart as make_cart
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = "orders.services.checking_out"
T = TypeVar("T")


def own_connections(call: Callable[[], T]) -> T:
    """Run `call` in a thread of a pool, and close the connections that it opened there."""
    try:
        return call()
    finally:
        connections.close_all()


def _assert_sound() -> None:
    now = timezone.now()
    assert order_findings(now=now) == []
    assert payment_findings(now=now) == []


def test_a_twin_with_the_same_key_is_told_to_wait_and_then_replayed() -> None:
    # Control: without the unique key of idempotency.claim, two orders.
    sold = make.variant(on_hand=5)
    wish, scope = make.wish(make_cart.guest_with(sold, 2)), make.scope("k")
    buy = partial(checkout, wish=wish, scope=scope, request_id="")
    refused: list[BaseException] = []

    def twin() -> None:
        try:
            buy(now=timezone.now())
        except IdempotencyInProgress as error:
            refused.append(error)

    with run_before(f"{MODULE}.pay", twin):
        first = buy(now=timezone.now())
    second = buy(now=timezone.now())

    assert len(refused) == 1
    assert (first.answer.status, first.is_replay) == (201, False)
    assert (second.answer, second.is_replay) == (first.answer, True)
    assert Order.objects.count() == SandboxCharge.objects.count() == 1
    assert make.units(sold) == (3, 0)


def test_a_twin_waits_for_one_that_is_preparing() -> None:
    sold = make.variant(on_hand=5)
    wish, scope = make.wish(make_cart.guest_with(sold, 2)), make.scope("k")
    buy = partial(checkout, wish=wish, scope=scope, request_id="", now=timezone.now())

    def place_and_wait(*args: object, **kwargs: object) -> object:
        made = place_order(*args, **kwargs)  # type: ignore[arg-type]
        rivals.append(background.submit(own_connections, buy))
        with pytest.raises(TimeoutError):
            rivals[0].result(timeout=0.4)  # at the key, until the first one commits
        return made

    rivals: list[Future[CheckoutAnswer]] = []
    with ThreadPoolExecutor(1) as background:
        with mock.patch(f"{MODULE}.place_order", place_and_wait):
            first = buy()
        error = rivals[0].exception(timeout=60)

    assert first.answer.status == 201
    # It found the first one's claim, or its answer, and made no order of its own.
    assert error is None or isinstance(error, IdempotencyInProgress)
    assert Order.objects.count() == 1


def test_twenty_at_once_with_one_key_are_one_order() -> None:
    sold = make.variant(on_hand=50)
    wish, scope = make.wish(make_cart.guest_with(sold, 2)), make.scope("k")

    def buy() -> CheckoutAnswer | None:
        try:
            return checkout(wish=wish, scope=scope, request_id="", now=timezone.now())
        except IdempotencyInProgress:
            return None

    outcomes = run_together([buy] * 20, workers=10)

    assert [o for o in outcomes if isinstance(o, BaseException)] == []
    bodies = {o.answer.body for o in outcomes if isinstance(o, CheckoutAnswer)}
    assert len(bodies) == 1
    assert Order.objects.count() == SandboxCharge.objects.count() == 1
    assert make.units(sold) == (48, 0)


def test_one_cart_and_two_keys_are_one_order() -> None:
    # Control: without order_once_per_cart_version, two orders.
    sold = make.variant(on_hand=5)
    wish = make.wish(make_cart.guest_with(sold, 2))

    def buy() -> CheckoutAnswer:
        return checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())

    rival: list[CheckoutAnswer] = []
    with (
        run_before(f"{MODULE}._prepare", lambda: rival.append(buy())),
        pytest.raises(CartAlreadyOrdered) as refused,
    ):
        buy()

    assert rival[0].answer.status == 201
    assert refused.value.facts["order"] == Order.objects.get().number
    assert make.units(sold) == (3, 0)
    assert SandboxCharge.objects.count() == 1


def test_many_keys_for_one_cart_are_one_order() -> None:
    sold = make.variant(on_hand=50)
    wish = make.wish(make_cart.guest_with(sold, 1))

    outcomes = run_together(
        [
            lambda: checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())
            for _ in range(8)
        ]
    )

    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds["CheckoutAnswer"] == 1
    assert set(kinds) <= {"CheckoutAnswer", "CartAlreadyOrdered", "CartEmpty"}
    assert Order.objects.count() == 1


def test_the_last_unit_is_sold_once() -> None:
    sold = make.variant(on_hand=1)
    owners = [make_cart.guest_with(sold, 1) for _ in range(10)]

    outcomes = run_together(
        [
            partial(
                checkout,
                wish=make.wish(owner),
                scope=make.scope(),
                request_id="",
                now=timezone.now(),
            )
            for owner in owners
        ]
    )

    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds == {"CheckoutAnswer": 1, "OutOfStock": 9}
    assert make.units(sold) == (0, 0)
    assert Order.objects.count() == 1


def test_cancelling_before_the_money_is_settled_gives_it_back() -> None:
    # Control: without the look at the order's state in settle_payment, a confirmed order.
    sold = make.variant(on_hand=5)
    wish = make.wish(make_cart.guest_with(sold, 2))

    def cancel() -> None:
        cancel_order(number=Order.objects.get().number, reason="", now=timezone.now())

    with run_before(f"{MODULE}._settled", cancel), pytest.raises(OrderEnded):
        checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())

    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "REFUNDED")
    assert make.units(sold) == (5, 0)
    charge = SandboxCharge.objects.get()
    assert charge.refunded_minor == charge.amount_minor
    _assert_sound()


def test_cancelling_before_the_provider_is_asked_takes_no_money() -> None:
    sold = make.variant(on_hand=5)
    wish = make.wish(make_cart.guest_with(sold, 2))

    def cancel() -> None:
        cancel_order(number=Order.objects.get().number, reason="", now=timezone.now())

    with run_before(f"{MODULE}.pay", cancel), pytest.raises(OrderEnded):
        checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())

    assert Order.objects.get().payment_status == "VOIDED"
    # The provider was told first that nothing is to be taken.
    assert SandboxCharge.objects.get().status == "VOIDED"
    assert make.units(sold) == (5, 0)
    _assert_sound()


def test_cancelling_waits_for_one_who_settles() -> None:
    # Control: without Order.locked(), it cancels what it believes is unpaid.
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    result = pay(placed.payment, now=timezone.now())
    assert result is not None
    cancel = partial(cancel_order, number=placed.order.number, reason="", now=timezone.now())

    with ThreadPoolExecutor(1) as background:
        with transaction.atomic():
            settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())
            waiting = background.submit(own_connections, cancel)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=60)

    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "REFUNDED")
    assert make.units(sold) == (5, 0)
    _assert_sound()


def test_expiry_waits_for_one_who_settles() -> None:
    # Control: without Payment.locked(), the order is confirmed, and told of, twice.
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2))
    result = pay(placed.payment, now=timezone.now())
    assert result is not None
    expire = partial(expire_order, order_id=placed.order.pk, now=make.later(minutes=16))

    with ThreadPoolExecutor(1) as background:
        with transaction.atomic():
            settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())
            waiting = background.submit(own_connections, expire)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=60)

    assert Order.objects.get().status == "CONFIRMED"
    assert OrderEvent.objects.filter(kind="CONFIRMED").count() == 1
    assert OutboxMessage.objects.filter(topic="order.confirmed").count() == 1
    assert make.units(sold) == (3, 0)
    _assert_sound()


@pytest.mark.parametrize("round_", range(6))
def test_expiry_and_payment_at_the_same_moment_agree(round_: int) -> None:
    sold = make.variant(on_hand=5)
    placed = make.placed((sold, 2), now=make.later(minutes=-15))
    now = timezone.now()

    def settle() -> None:
        result = pay(placed.payment, now=now)
        if result is not None:
            settle_payment(payment_id=placed.payment.pk, result=result, now=now)

    def expire() -> None:
        expire_order(order_id=placed.order.pk, now=make.later(minutes=1))

    outcomes = run_together([settle, expire])
    sweep_payments(now=make.later(minutes=5))

    assert [o for o in outcomes if isinstance(o, BaseException)] == []
    order = Order.objects.get()
    charges = list(SandboxCharge.objects.all())
    taken = sum(c.amount_minor - c.refunded_minor for c in charges if c.status == "CAPTURED")
    if order.status == "CONFIRMED":
        assert make.units(sold) == (3, 0)
        assert taken == order.total_minor
    else:
        assert order.status == "CANCELLED"
        assert make.units(sold) == (5, 0)
        assert taken == 0
    _assert_sound()


def test_request_and_sweeper_settle_once() -> None:
    sold = make.variant(on_hand=5)
    wish = make.wish(make_cart.guest_with(sold, 2))

    with run_before(f"{MODULE}._settled", lambda: sweep_payments(now=make.later(minutes=1))):
        answer = checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())

    assert answer.answer.status == 201
    assert Order.objects.get().status == "CONFIRMED"
    assert make.units(sold) == (3, 0)
    assert SandboxCharge.objects.count() == 1
    _assert_sound()


def test_two_refunds_at_once_never_give_back_more_than_was_taken() -> None:
    # Control: without Order.locked() in refund_order, both fit.
    placed = make.sold((make.variant(on_hand=5), 2))  # 25.00
    refund = partial(
        refund_order, order=placed.order, amount_minor=2000, reason="", now=timezone.now()
    )

    with ThreadPoolExecutor(1) as background:
        with transaction.atomic():
            refund(reference="first")
            waiting = background.submit(own_connections, partial(refund, reference="second"))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        with pytest.raises(RefundTooLarge):
            waiting.result(timeout=60)

    assert Refund.objects.count() == 1
    _assert_sound()


def test_one_refund_asked_for_at_once_is_given_once() -> None:
    wish = make.wish(make_cart.guest_with(make.variant(), 2))
    checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())
    refund = refund_order(
        order=Order.objects.get(), amount_minor=500, reason="", reference="r", now=timezone.now()
    )

    run_together([partial(execute_refund, refund=refund, now=timezone.now())] * 6)

    assert SandboxCharge.objects.get().refunded_minor == 500
    assert Refund.objects.get().status == "SUCCEEDED"
    _assert_sound()


def test_cancelling_twice_at_once_gives_back_once() -> None:
    sold = make.variant(on_hand=5)
    wish = make.wish(make_cart.guest_with(sold, 2))
    checkout(wish=wish, scope=make.scope(), request_id="", now=timezone.now())
    number = Order.objects.get().number

    outcomes = run_together(
        [partial(cancel_order, number=number, reason="", now=timezone.now())] * 5
    )

    assert [o for o in outcomes if isinstance(o, OrderNotCancellable | Refusal)] == []
    assert make.units(sold) == (5, 0)
    assert Refund.objects.count() == 1
    assert Payment.objects.count() == 1
    _assert_sound()


def test_an_order_has_one_version_of_the_price() -> None:
    cheap, dear = make.variant(price=1000), make.variant(price=2000)
    owner = make_cart.guest_with(cheap, 1)
    add_item(owner=owner, variant_id=dear.pk, quantity=1, now=timezone.now())

    def raise_prices() -> None:
        with transaction.atomic():
            for sold, price in ((cheap, 1100), (dear, 2200)):
                Price.objects.filter(variant=sold, currency="GBP").update(amount_minor=price)

    # Between the reading of the prices and the writing of the order.
    with run_before(f"{MODULE}.place_order", raise_prices):
        checkout(wish=make.wish(owner), scope=make.scope(), request_id="", now=timezone.now())

    order = Order.objects.get()
    assert sorted(order.lines.values_list("unit_price_minor", flat=True)) == [1000, 2000]
    assert order.subtotal_minor == 3000
    _assert_sound()
