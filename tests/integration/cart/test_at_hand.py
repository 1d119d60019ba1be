"""The cart's short way past DRF: the same answers, and what is added is added once."""

from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client, override_settings
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from cart.services import cart_snapshot
from cart.views import CartItemViewSet, CartView
from tests.make import accounts
from tests.make import cart as make
from tests.short_way import headers_of, no_short_way, watch_short_way

pytestmark = pytest.mark.django_db

CART, ITEMS = "/api/v1/cart", "/api/v1/cart/items"
SAME_ID = {"X-Request-ID": "the-same-for-both"}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return watch_short_way(CartView, monkeypatch)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return watch_short_way(CartItemViewSet, monkeypatch)


def post(client: Client, body: Any, **headers: str) -> Any:
    return client.post(ITEMS, body, content_type="application/json", headers={**SAME_ID, **headers})


def add_to(token: str, variant_id: int, quantity: int = 1, *, client: Client) -> Any:
    body = {"variant_id": variant_id, "quantity": quantity}
    return post(client, body, **{"X-Cart-Token": token})


def told(response: Any) -> tuple[Any, ...]:
    """Return all of an answer but for what each cart, and each of its moments, has of its own."""
    own = {"token", "expires_at", "version"}
    body = {name: value for name, value in response.json().items() if name not in own}
    headers = headers_of(response)
    assert int(headers.pop("Content-Length")) == len(response.content)
    for name in ("X-Cart-Token", "ETag"):
        headers.pop(name, None)
    return response.status_code, body, headers


@pytest.mark.parametrize("token", ["none", "known", "unknown", "malformed"])
def test_a_guest_is_shown_the_same_by_both_ways(
    token: str, client: Client, shown: list[str]
) -> None:
    owner = make.guest_with(make.variant_for_sale(), 2)
    tokens = {"known": owner.token, "unknown": f"{'x' * 40}", "malformed": "0"}
    headers = {**SAME_ID, **({"X-Cart-Token": tokens[token] or ""} if token in tokens else {})}

    short = client.get(CART, headers=headers)
    assert shown == [CART]
    with no_short_way() as other:
        long = other.get(CART, headers=headers)

    assert short.status_code == (200 if token in {"none", "known"} else 404)
    assert told(short) == told(long)
    assert shown == [CART]


def test_a_customer_too_and_nobody_who_is_not_known_at_once(
    api: APIClient, shown: list[str]
) -> None:
    accounts.signed_in(api, accounts.customer())
    api.post(ITEMS, {"variant_id": make.variant_for_sale().pk, "quantity": 1}, format="json")

    assert api.get(CART).json()["lines"]
    assert shown == [CART]

    api.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    assert api.get(CART).status_code == 401
    assert shown == [CART]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("get", f"{CART}?colour=red", {}, 400),
        ("head", CART, {}, 200),
        ("get", CART, {"Accept": "text/html"}, 406),
        ("put", CART, {}, 405),
        ("get", ITEMS, {}, 405),
        ("post", f"{ITEMS}/1", {}, 405),
    ],
)
def test_other_requests_go_the_long_way(
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    client: Client,
    shown: list[str],
    added: list[str],
) -> None:
    short = getattr(client, method)(path, headers={**SAME_ID, **headers})
    with no_short_way() as other:
        long = getattr(other, method)(path, headers={**SAME_ID, **headers})

    assert shown == added == []
    assert short.status_code == long.status_code == status
    assert short.content == long.content
    assert headers_of(short) == headers_of(long)


def test_both_ways_add_the_same(client: Client, added: list[str]) -> None:
    sold, more = make.variant_for_sale(), make.variant_for_sale()
    short_token = client.post(
        ITEMS, {"variant_id": sold.pk, "quantity": 2}, content_type="application/json"
    )["X-Cart-Token"]
    assert added == [ITEMS]
    with no_short_way() as other:
        long_token = post(other, {"variant_id": sold.pk, "quantity": 2})["X-Cart-Token"]
        long = add_to(long_token, more.pk, client=other)

    short = add_to(short_token, more.pk, client=client)

    assert added == [ITEMS, ITEMS]
    assert short.status_code == long.status_code == 200
    assert told(short) == told(long)
    assert {line["variant_id"]: line["quantity"] for line in short.json()["lines"]} == {
        sold.pk: 2,
        more.pk: 1,
    }


@pytest.mark.parametrize(
    ("quantity", "known", "status"),
    [(999, True, 422), (11, True, 409), (1, False, 404)],
    ids=["too many for a cart", "more than there is", "not for sale"],
)
def test_both_ways_refuse_the_same_and_the_cart_is_as_it_was(
    quantity: int, known: bool, status: int, client: Client, added: list[str]
) -> None:
    sold = make.variant_for_sale(on_hand=2000 if quantity == 999 else 10)
    owner = make.guest_with(sold, 1)
    variant_id = sold.pk if known else 2**40

    short = add_to(owner.token or "", variant_id, quantity, client=client)
    assert added == [ITEMS]
    with no_short_way() as other:
        long = add_to(owner.token or "", variant_id, quantity, client=other)

    assert short.status_code == long.status_code == status
    assert told(short) == told(long)
    assert [line.quantity for line in cart_snapshot(owner=owner).lines] == [1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"variant_id": 1}, 400),
        ({"variant_id": "1", "quantity": 1}, 400),
        ({"variant_id": 1, "quantity": 1, "colour": "red"}, 400),
        ("[", 400),
        ("4111111111111111", 400),
    ],
)
def test_a_body_that_is_not_in_order_goes_the_long_way(
    body: Any, status: int, client: Client, added: list[str]
) -> None:
    owner = make.guest_with(make.variant_for_sale(), 1)

    short = post(client, body, **{"X-Cart-Token": owner.token or ""})
    with no_short_way() as other:
        long = post(other, body, **{"X-Cart-Token": owner.token or ""})

    assert added == []
    assert short.status_code == long.status_code == status
    assert short.content == long.content
    assert [line.quantity for line in cart_snapshot(owner=owner).lines] == [1]


@pytest.mark.parametrize(
    ("headers", "status"), [({"Idempotency-Key": "k"}, 200), ({"If-Match": '"1"'}, 412)]
)
def test_what_has_conditions_goes_the_long_way(
    headers: dict[str, str], status: int, client: Client, added: list[str]
) -> None:
    sold = make.variant_for_sale()
    owner = make.guest_with(sold, 1)

    headers = {"X-Cart-Token": owner.token or "", **headers}
    answer = post(client, {"variant_id": sold.pk, "quantity": 1}, **headers)

    assert answer.status_code == status
    assert added == []


def test_a_store_that_is_away_is_told_and_asked_once(client: Client, added: list[str]) -> None:
    sold = make.variant_for_sale()
    owner = make.guest_with(sold, 1)

    with mock.patch("cart.store.ask_script", side_effect=RedisConnectionError) as asked:
        short = add_to(owner.token or "", sold.pk, client=client)
        times = asked.call_count
        with no_short_way() as other:
            long = add_to(owner.token or "", sold.pk, client=other)

    assert short.status_code == long.status_code == 503
    assert told(short) == told(long)
    assert times == asked.call_count / 2


def test_what_fails_after_the_edit_is_not_done_again_by_the_long_way(client: Client) -> None:
    """Negative control: a short way that answers None to any failure adds two."""
    sold = make.variant_for_sale()
    owner = make.guest_with(sold, 1)

    with mock.patch("cart.services.carts._shown", side_effect=OperationalError("gone")):
        answer = add_to(owner.token or "", sold.pk, client=client)

    assert answer.status_code == 503
    assert [line.quantity for line in cart_snapshot(owner=owner).lines] == [2]


def test_who_comes_without_tls_is_sent_to_it_before_anything_is_added(client: Client) -> None:
    """Negative control: with the layers asked after the view it is added all the same."""
    sold = make.variant_for_sale()
    owner = make.guest_with(sold, 1)

    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = add_to(owner.token or "", sold.pk, client=Client())

    assert answer.status_code == 301
    assert [line.quantity for line in cart_snapshot(owner=owner).lines] == [1]
