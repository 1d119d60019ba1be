"""Every POST of the API honours `Idempotency-Key`, by the ground's rule or by one of its own."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from orders.models import Order
from shop.http.views import ApiView, ApiViewSet
from shop.models import IdempotencyKey
from tests.make import orders as make

# They commit in several steps and can be repeated, or resumed by what they left: see their views.
# A place in a flash sale's line is found again by its holder; what it says changes meanwhile.
OWN = {"CheckoutView", "CancelView", "SandboxPaymentView", "TicketIssueView"}
REQUIRED = {"CheckoutView"}


def posts() -> Iterator[tuple[str, type]]:
    """Give each route of the API that takes a POST, with its view."""
    yield from _posts("", get_resolver().url_patterns)


def _posts(prefix: str, patterns: list[Any]) -> Iterator[tuple[str, type]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _posts(route, pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and route.startswith("api/v1/"):
            view = getattr(pattern.callback, "cls", None) or getattr(
                pattern.callback, "view_class", None
            )
            actions = getattr(pattern.callback, "actions", None)
            takes_post = "post" in actions if actions else hasattr(view, "post")
            if view is not None and takes_post:
                yield route, view


def test_every_post_honours_a_key() -> None:
    found = dict(posts())

    assert len(found) > 20
    assert {r for r, v in found.items() if not issubclass(v, ApiView | ApiViewSet)} == set()
    assert {v.__name__ for v in found.values() if getattr(v, "keeps_own_idempotency", 0)} == OWN
    required = {v.__name__ for v in found.values() if getattr(v, "requires_idempotency_key", 0)}
    assert required == REQUIRED


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a b", "one,one"])
@pytest.mark.parametrize("path", ["auth/register", "cart/items", "checkout/preview"])
def test_a_key_that_is_none_is_malformed_everywhere(api: APIClient, path: str, key: str) -> None:
    answer = api.post(f"/api/v1/{path}", {}, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_refusal_does_not_poison_the_cart_for_a_new_key(api: APIClient) -> None:
    make.ground()
    make.guest(api, (make.variant(on_hand=5), 2))
    wrong = make.check_out(api, key="first", shipping_method="by-dragon")
    assert wrong.status_code == 422
    malformed = make.check_out(api, key="second", shipping_address={"name": ""})
    assert malformed.status_code == 400
    reused = make.check_out(api, key="first")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert not Order.objects.exists()

    corrected = make.check_out(api, key="third")

    assert corrected.status_code == 201
    assert make.check_out(api, key="first", shipping_method="by-dragon").content == wrong.content


@pytest.mark.django_db(transaction=True)
def test_the_sandboxs_page_honours_a_key_like_any_other(api: APIClient) -> None:
    make.ground()
    make.guest(api, (make.variant(on_hand=5), 2))
    payment = make.check_out(api, "tok_requires_action").json()["payment"]
    path = urlsplit(payment["next_action"]["url"]).path

    first = api.post(path, {"outcome": "succeed"}, headers={"Idempotency-Key": "k"})
    again = api.post(path, {"outcome": "succeed"}, headers={"Idempotency-Key": "k"})
    other = api.post(path, {"outcome": "fail"}, headers={"Idempotency-Key": "k"})

    assert (first.status_code, again.content) == (200, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.django_db(transaction=True)
def test_a_cancel_that_was_not_heard_of_can_be_repeated_with_the_version_from_before(
    api: APIClient,
) -> None:
    make.ground()
    make.guest(api, (make.variant(on_hand=5), 2))
    bought = make.check_out(api).json()
    path = f"/api/v1/orders/{bought['order']['number']}/cancel"
    headers = {"X-Order-Token": bought["access_token"], "If-Match": '"2"'}
    headers["If-Match"] = api.get(path.removesuffix("/cancel"), headers=headers)["ETag"]

    # The first worker died when the order was cancelled, and before the key had an answer.
    first = api.post(path, {}, headers=headers)
    again = api.post(path, {}, headers={**headers, "Idempotency-Key": "k"})

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
