"""What is known to be sold out is refused without SQL, for a moment, and wrongs nobody."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone
from redis.exceptions import RedisError
from rest_framework.test import APIClient

from accounts.models import User
from accounts.selectors import forget_all_sessions
from cart.errors import CartUnavailable
from cart.services import CartSnapshot, add_item, cart_snapshot
from cart.store import cart_key
from catalog.models import Variant
from inventory.errors import OutOfStock
from inventory.selectors import sale_board
from inventory.services import (
    StockLine,
    refuse_known_shortage,
    refuse_short_lines,
    reserve_stock,
)
from inventory.store import forget_shortages
from orders.models import Order
from orders.views import CheckoutView
from shop.models import IdempotencyKey
from shop.redis import carts
from tests.make import orders as make

pytestmark = pytest.mark.django_db

Queries = Callable[..., Any]


@pytest.fixture(autouse=True)
def _long_moment() -> Iterator[None]:
    """Remember for longer than a busy machine may pause."""
    with (
        mock.patch("inventory.store.shortages.SECONDS", 300.0),
        mock.patch("inventory.store.shortages.FRESH_SECONDS", 60.0),
        mock.patch("inventory.store.shortages._found._seconds", 300.0),
    ):
        yield


def guest(*lines: tuple[Variant, int]) -> APIClient:
    return make.guest(APIClient(), *lines)


def sold_out(variant: Variant, *, left: int = 0) -> None:
    """Have all but so many units of it leave by another door, and the shop not know of it yet."""
    on_hand, _ = make.units(variant)
    make.adjust(variant, left - on_hand)
    forget_shortages()


def found_short(lines: list[StockLine], *, now: datetime) -> None:
    """Have a look at the stock remembered, and which sales there are."""
    sale_board()
    with pytest.raises(OutOfStock):
        refuse_short_lines(lines=lines, now=now)


def told(answer: Any) -> dict[str, Any]:
    """Return all of an answer that is not made up for each request."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    headers = {k: v for k, v in answer.items() if k not in {"X-Request-ID", "RateLimit"}}
    return {"status": answer.status_code, "headers": headers, "body": body}


def cart_of(api: APIClient) -> CartSnapshot:
    return cart_snapshot(owner=make.owner_of(api))


def nothing_is_left() -> bool:
    return not Order.objects.exists() and not IdempotencyKey.objects.exists()


def test_the_second_refusal_asks_no_database_and_is_the_same(
    django_assert_num_queries: Queries,
) -> None:
    variant = make.variant(on_hand=5)
    first, second = guest((variant, 2)), guest((variant, 2))
    sold_out(variant, left=1)
    slow = make.check_out(first)
    cart = cart_of(second)

    with django_assert_num_queries(0):
        fast = make.check_out(second)

    assert told(fast) == told(slow)
    assert fast.json()["lines"] == [
        {"variant_id": variant.pk, "sku": variant.sku, "requested": 2, "available": 1}
    ]
    assert cart_of(second) == cart
    assert nothing_is_left()


def test_who_is_refused_may_try_again_at_once(django_assert_num_queries: Queries) -> None:
    variant = make.variant()
    api, key = guest((variant, 1)), uuid.uuid4().hex
    sold_out(variant)
    assert make.check_out(api, key=key).status_code == 409

    with django_assert_num_queries(0):
        assert make.check_out(api, key=key).status_code == 409
        assert make.check_out(api).status_code == 409

    assert not cart_of(api).has_been_tried(now=timezone.now())


def test_units_that_come_back_here_end_it_with_their_commit(
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    variant = make.variant()
    api, key = guest((variant, 1)), uuid.uuid4().hex
    sold_out(variant)
    assert make.check_out(api, key=key).status_code == 409
    with django_capture_on_commit_callbacks(execute=True):
        make.adjust(variant, 1)

    assert make.check_out(api, key=key).status_code == 201


def test_units_that_come_back_in_another_process_end_it_too(
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    """A process that refused somebody must not go on when the answer of another says: there is one.

    Control: without `have_moved` the last answer is 409.
    """
    variant = make.variant()
    api, late = guest((variant, 1)), guest((variant, 1))
    sold_out(variant)
    with mock.patch("inventory.store.units._CLOCKS_DIFFER_MS", 0):
        assert make.check_out(api).status_code == 409
        assert make.check_out(late).status_code == 409
        # What the other process doubts, this one does not.
        with (
            mock.patch("inventory.store.units.doubt_shortages"),
            django_capture_on_commit_callbacks(execute=True),
        ):
            make.adjust(variant, 1)

        assert make.check_out(late).status_code == 201


def test_while_redis_cannot_tell_the_database_is_asked(
    django_assert_num_queries: Queries,
) -> None:
    variant = make.variant()
    lines, now = [StockLine(variant.pk, 1)], timezone.now()
    sold_out(variant)
    found_short(lines, now=now)
    with django_assert_num_queries(0), pytest.raises(OutOfStock):
        refuse_known_shortage(lines=lines, now=now)

    with mock.patch("inventory.store.units.ask_each", side_effect=RedisError):
        with django_assert_num_queries(1), pytest.raises(OutOfStock):
            refuse_known_shortage(lines=lines, now=now)
        make.adjust(variant, 1)
        with django_assert_num_queries(1):
            refuse_known_shortage(lines=lines, now=now)


@pytest.mark.parametrize(("seconds", "queries"), [(59, 0), (60, 1), (-1, 1)])
def test_after_a_moment_and_for_another_time_one_look_says_how_it_is(
    seconds: int, queries: int, django_assert_num_queries: Queries
) -> None:
    variant = make.variant()
    sold_out(variant)
    lines, now = [StockLine(variant.pk, 1)], timezone.now()
    found_short(lines, now=now)
    then = now + timedelta(seconds=seconds)

    with django_assert_num_queries(queries), pytest.raises(OutOfStock):
        refuse_known_shortage(lines=lines, now=then)

    # Which is as good as the first one.
    with django_assert_num_queries(0), pytest.raises(OutOfStock):
        refuse_known_shortage(lines=lines, now=then)


def test_what_a_look_finds_to_suffice_is_remembered_no_more(
    django_assert_num_queries: Queries,
) -> None:
    variant = make.variant()
    sold_out(variant)
    lines, now = [StockLine(variant.pk, 1)], timezone.now()
    found_short(lines, now=now)
    make.adjust(variant, 1)
    then = now + timedelta(seconds=60)

    with django_assert_num_queries(1):
        refuse_known_shortage(lines=lines, now=then)

    with django_assert_num_queries(0):
        refuse_known_shortage(lines=lines, now=then)


def test_the_end_of_a_hold_ends_it_to_the_moment(django_assert_num_queries: Queries) -> None:
    """No row changes then, so nobody says that its units are there again.

    Control: without `holds_end_at` the last call raises OutOfStock.
    """
    variant, now = make.variant(on_hand=2), timezone.now()
    lines = [StockLine(variant.pk, 1)]
    for reference, seconds in [("order:1", 900), ("order:2", 5)]:
        reserve_stock(
            lines=lines,
            reference=reference,
            expires_at=now + timedelta(seconds=seconds),
            now=now,
        )
    found_short(lines, now=now)

    with django_assert_num_queries(0), pytest.raises(OutOfStock):
        refuse_known_shortage(lines=lines, now=now + timedelta(seconds=4.99))
    with django_assert_num_queries(1):
        refuse_known_shortage(lines=lines, now=now + timedelta(seconds=5))


def test_where_units_moved_and_it_is_short_all_the_same_one_look_says_so(
    django_assert_num_queries: Queries,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    variant = make.variant(on_hand=5)
    first, second = guest((variant, 4)), guest((variant, 4))
    sold_out(variant, left=2)
    assert make.check_out(first).status_code == 409
    with django_capture_on_commit_callbacks(execute=True):
        make.adjust(variant, 1)

    with django_assert_num_queries(1):
        answer = make.check_out(second)

    assert answer.json()["lines"][0]["available"] == 3
    assert nothing_is_left()


def test_a_cart_that_would_fit_or_that_holds_something_unknown_is_looked_at() -> None:
    variant, other = make.variant(on_hand=5), make.variant()
    big, small, mixed = guest((variant, 3)), guest((variant, 2)), guest((variant, 3), (other, 1))
    sold_out(variant, left=2)
    make.adjust(other, -10)
    assert make.check_out(big).status_code == 409

    both = make.check_out(mixed)

    assert [line["variant_id"] for line in both.json()["lines"]] == [variant.pk, other.pk]
    assert make.check_out(small).status_code == 201


def test_guests_and_customers_are_turned_away_before_drf_begins() -> None:
    variant, customer = make.variant(), APIClient()
    first, second = guest((variant, 1)), guest((variant, 1))
    make.customer(customer, (variant, 1))
    sold_out(variant)
    assert make.check_out(first).status_code == 409

    with mock.patch("orders.views.CheckoutView.dispatch") as long_way:
        assert make.check_out(second).status_code == 409
        assert make.check_out(customer).status_code == 409

    long_way.assert_not_called()
    assert nothing_is_left()


def test_staff_go_the_long_way_and_a_bad_token_is_told_first() -> None:
    variant, staff = make.variant(), APIClient()
    first = guest((variant, 1))
    user = make.customer(staff, (variant, 1))
    User.objects.filter(pk=user.pk).update(is_staff=True)
    forget_all_sessions()
    sold_out(variant)
    assert make.check_out(first).status_code == 409
    long_way = CheckoutView.dispatch

    with mock.patch.object(CheckoutView, "dispatch", autospec=True, side_effect=long_way) as taken:
        assert make.check_out(staff).status_code == 409
    first.credentials(
        HTTP_X_CART_TOKEN=make.owner_of(first).token, HTTP_AUTHORIZATION="Bearer of.bad.news"
    )

    taken.assert_called_once()
    assert make.check_out(first).status_code == 401
    assert nothing_is_left()


def test_a_refused_checkout_leaves_the_seven_days_of_its_cart_as_they_are() -> None:
    variant = make.variant()
    first, second = guest((variant, 1)), guest((variant, 1))
    sold_out(variant)
    assert make.check_out(first).status_code == 409
    key = cart_key(cart_of(second).cart_id)
    carts().expire(key, 1000)

    assert make.check_out(second).status_code == 409

    assert 900 < carts().ttl(key) <= 1000


def test_while_carts_are_away_nobody_is_told_that_it_is_sold_out() -> None:
    variant = make.variant()
    first, second = guest((variant, 1)), guest((variant, 1))
    sold_out(variant)
    assert make.check_out(first).status_code == 409

    with (
        mock.patch("cart.store._run", side_effect=CartUnavailable("Away.", retry_after=2)),
        mock.patch("cart.store.ask", side_effect=RedisError),
    ):
        assert make.check_out(second).status_code == 503


@pytest.mark.parametrize("token", ["tok_ok", "tok_requires_action", "tok_timeout"])
def test_the_key_of_an_order_gets_its_answer_again(token: str) -> None:
    variant = make.variant(on_hand=1)
    buyer, late, key = guest((variant, 1)), guest((variant, 1)), uuid.uuid4().hex
    first = make.check_out(buyer, token, key=key)
    assert first.status_code in {201, 202}
    assert make.check_out(late).status_code == 409

    again = make.check_out(buyer, token, key=key)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotent-Replayed"] == "true"


def test_without_the_note_in_the_cart_it_would_not() -> None:
    variant = make.variant(on_hand=1)
    buyer, late, key = guest((variant, 1)), guest((variant, 1)), uuid.uuid4().hex
    assert make.check_out(buyer, "tok_requires_action", key=key).status_code == 201
    assert make.check_out(late).status_code == 409

    with mock.patch.object(CartSnapshot, "has_been_tried", return_value=False):
        again = make.check_out(buyer, "tok_requires_action", key=key)

    assert again.status_code == 409


def test_the_key_of_a_final_refusal_gets_it_again() -> None:
    variant = make.variant()
    api, late, key = guest((variant, 1)), guest((variant, 1)), uuid.uuid4().hex
    final = make.check_out(api, key=key, shipping_method="by-balloon")
    assert final.status_code == 422
    sold_out(variant)
    assert make.check_out(late).status_code == 409

    again = make.check_out(api, key=key, shipping_method="by-balloon")

    assert (again.status_code, again.content) == (422, final.content)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"payment": {"provider": "barter", "token": "two hens"}}, 422),
        ({"email": None}, 400),
        ({"shipping_address": {}}, 400),
    ],
)
def test_what_is_wrong_with_a_request_is_told_first(changes: dict[str, Any], status: int) -> None:
    variant = make.variant()
    first, second = guest((variant, 1)), guest((variant, 1))
    sold_out(variant)
    assert make.check_out(first).status_code == 409

    assert make.check_out(second, **changes).status_code == status
    assert not Order.objects.exists()


def test_a_customer_is_refused_like_a_guest(django_assert_num_queries: Queries) -> None:
    variant, api = make.variant(), APIClient()
    make.customer(api, (variant, 1))
    sold_out(variant)
    slow = make.check_out(api)

    with django_assert_num_queries(0):
        fast = make.check_out(api)

    assert told(fast) == told(slow)


def test_a_cart_that_is_filled_again_after_an_order_is_looked_at() -> None:
    variant = make.variant(on_hand=1)
    buyer, late = guest((variant, 1)), guest((variant, 1))
    assert make.check_out(buyer).status_code == 201
    assert make.check_out(late).status_code == 409
    with mock.patch("cart.services.carts.available_units", return_value={variant.pk: 9}):
        add_item(owner=make.owner_of(buyer), variant_id=variant.pk, quantity=1, now=timezone.now())

    with mock.patch("orders.services.checking_out.refuse_known_shortage") as known:
        assert make.check_out(buyer).status_code == 409

    known.assert_not_called()
