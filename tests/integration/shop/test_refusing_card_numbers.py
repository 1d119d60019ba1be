"""A card's number in any text of any request: refused, kept nowhere, said nowhere."""

from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Address
from cart.services import cart_snapshot
from orders.models import Order
from shop.models import IdempotencyKey
from tests.make import accounts as make_accounts
from tests.make import orders as make
from tests.make import stores
from tests.make.cards import TEST_CARDS

pytestmark = pytest.mark.django_db

CARD = TEST_CARDS[0]
TEXTS = [
    ("post", "/api/v1/auth/register", ("email", "password", "full_name", "phone")),
    ("patch", "/api/v1/me", ("full_name",)),
    ("post", "/api/v1/me/addresses",
     ("name", "company", "line1", "line2", "city", "region", "postal_code")),
    ("post", "/api/v1/cart/vouchers", ("code",)),
    ("post", "/api/v1/orders/lookup", ("number", "email")),
    ("post", "/api/v1/orders/0123456789/cancel", ("reason",)),
    ("post", "/api/v1/inventory/adjustments", ("reason",)),
]  # fmt: skip


def refused(answer: Any) -> None:
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "card_number_not_accepted"
    assert CARD not in answer.content.decode()


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [(method, path, member) for method, path, members in TEXTS for member in members
     if member != "phone"],
)  # fmt: skip
def test_every_text_is_looked_through(
    api: APIClient, method: str, path: str, member: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_accounts.signed_in(api, make_accounts.superuser())

    answer = getattr(api, method)(path, {member: f"my card: {CARD}"}, format="json")

    refused(answer)
    assert answer.json()["errors"][0]["pointer"] == f"/{member}"
    assert CARD not in caplog.text


def test_a_checkout_with_one_leaves_nothing_behind(
    api: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    sold = make.variant(on_hand=3)
    make.guest(api, (sold, 1))
    before = make.owner_of(api)
    version = cart_snapshot(owner=before).version

    for changes in (
        {"payment": {"provider": "sandbox", "token": CARD}},
        {"shipping_address": make.address(line2=CARD.replace("1111", "1111 "))},
        {CARD: "x"},
    ):
        refused(make.check_out(api, **changes))

    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert make.units(sold) == (3, 0)
    assert cart_snapshot(owner=before).version == version
    everything = caplog.text + stores.database_dump() + stores.redis_dump()
    assert CARD not in everything


def test_all_fifty_are_refused_everywhere_and_kept_nowhere(api: APIClient) -> None:
    make_accounts.signed_in(api, make_accounts.customer())
    assert len(set(TEST_CARDS)) == 50

    for number in TEST_CARDS:
        answer = api.post(
            "/api/v1/me/addresses", make_accounts.address_fields(company=number), format="json"
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "card_number_not_accepted")

    assert not Address.objects.exists()
    everything = stores.database_dump() + stores.redis_dump()
    assert not [number for number in TEST_CARDS if number in everything]


def test_query_parameters_and_forms_are_looked_through(api: APIClient) -> None:
    make_accounts.signed_in(api, make_accounts.superuser())

    refused(api.get("/api/v1/orders", {"status": CARD}))
    refused(api.post("/api/v1/imports", {"format": CARD, "dry_run": "1"}, format="multipart"))


def test_what_shoppers_and_staff_need_goes_through(api: APIClient) -> None:
    make_accounts.signed_in(api, make_accounts.superuser())
    # A right EAN-13 that passes Luhn's check too.
    ean = "4006381300063"

    found = api.get("/api/v1/products", {"q": ean})
    phone = api.patch("/api/v1/me", {"phone": "+447700900123"}, format="json")
    other = api.post(
        "/api/v1/inventory/adjustments",
        {"sku": ean, "warehouse": "main", "delta": 1, "reason": "Found"},
        format="json",
    )

    assert (found.status_code, phone.status_code) == (200, 200)
    assert other.json()["code"] != "card_number_not_accepted"


def test_the_admin_takes_none_either(client: Client) -> None:
    client.force_login(make_accounts.superuser())
    person = make_accounts.customer()

    answer = client.post(f"/admin/accounts/user/{person.pk}/change/", {"full_name": CARD})

    refused(answer)
    person.refresh_from_db()
    assert person.full_name == "Ada Byron"


def test_the_dumps_hold_what_is_there() -> None:
    person = make_accounts.customer(full_name="Grep Me Please")
    caches["carts"].set("grep", "me-too")

    assert person.full_name in stores.database_dump()
    assert "me-too" in stores.redis_dump()
