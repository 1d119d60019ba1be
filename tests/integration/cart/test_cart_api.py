"""The cart over HTTP, as a shopper's client meets it."""

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from accounts.models import User
from cart import store
from cart.serializers import CartResponse, ShippingOptionResponse
from catalog.models import Variant
from catalog.selectors import forget_pages
from inventory.services import adjust_stock
from shop.embedded.valkey import Valkey
from shop.models import IdempotencyKey
from shop.redis import carts
from tests.integration.cart.conftest import CountTrips
from tests.make import accounts
from tests.make import cart as make

pytestmark = pytest.mark.django_db

ITEMS = "/api/v1/cart/items"


@dataclass
class Shopper:
    """A client with its cart token, or signed in."""

    api: APIClient
    token: str | None = None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            named.setdefault("X-Cart-Token", self.token)
        response = self.api.generic(
            method,
            path,
            _sent(body),
            content_type="application/json",
            headers=named,
        )
        if method != "DELETE" and response.status_code == 200 and "X-Cart-Token" in response:
            self.token = response["X-Cart-Token"]
        return response

    def add(self, variant: Variant | int, quantity: Any = 1, **headers: str) -> Any:
        pk = variant if isinstance(variant, int) else variant.pk
        return self.call("POST", ITEMS, {"variant_id": pk, "quantity": quantity}, **headers)

    def put(self, variant: Variant | int, quantity: Any, **headers: str) -> Any:
        pk = variant if isinstance(variant, int) else variant.pk
        return self.call("PUT", f"{ITEMS}/{pk}", {"quantity": quantity}, **headers)

    def show(self) -> dict[str, Any]:
        response = self.call("GET", "/api/v1/cart")
        assert response.status_code == 200, response.content
        return body_of(response)


@pytest.fixture
def guest(api: APIClient) -> Shopper:
    return Shopper(api)


@pytest.fixture
def customer() -> User:
    return accounts.customer()


@pytest.fixture
def signed_in(customer: User) -> Shopper:
    return Shopper(accounts.signed_in(APIClient(), customer))


def _sent(body: Any) -> Any:
    if body is None or isinstance(body, bytes):
        return body or b""
    return json.dumps(body).encode()


def body_of(response: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(response.content)
    return content


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    content = body_of(response)
    assert (content["status"], content["code"]) == (status, code)
    return content


def pounds(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def stored_keys() -> list[bytes]:
    return cast(list[bytes], carts().keys("cart:*"))


# --- the whole of it


def test_nobodys_cart_is_empty_and_not_stored(guest: Shopper) -> None:
    response = guest.call("GET", "/api/v1/cart")

    assert response.status_code == 200
    assert response["ETag"] == '"0"'
    assert response["Cache-Control"] == "private, no-store"
    assert "X-Cart-Token" not in response
    assert body_of(response) == {
        "token": None,
        "version": 0,
        "currency": "GBP",
        "lines": [],
        "vouchers": [],
        "totals": dict.fromkeys(
            ("subtotal", "discount", "shipping", "tax", "total"), pounds("0.00")
        ),
        "notices": [],
        "expires_at": None,
    }
    assert stored_keys() == []


def test_the_first_write_gives_a_guest_a_cart_and_its_token(guest: Shopper) -> None:
    variant = make.variant_for_sale(on_hand=9, price_minor=1250)

    response = guest.add(variant, 2)

    assert response.status_code == 200
    cart = body_of(response)
    assert response["X-Cart-Token"] == cart["token"] == guest.token
    assert len(cart["token"]) >= 22
    assert response["ETag"] == f'"{cart["version"]}"'
    assert response["Cache-Control"] == "private, no-store"
    assert cart["lines"] == [
        {
            "variant_id": variant.pk,
            "sku": variant.sku,
            "title": variant.product.title,
            "options": {"Size": "M"},
            "image": None,
            "quantity": 2,
            "unit_price": pounds("12.50"),
            "line_total": pounds("25.00"),
            "availability": {"state": "in_stock", "quantity": 9},
        }
    ]
    assert cart["totals"] == {
        "subtotal": pounds("25.00"),
        "discount": pounds("0.00"),
        "shipping": pounds("0.00"),
        "tax": pounds("4.17"),
        "total": pounds("25.00"),
    }
    assert cart["expires_at"].endswith("Z")
    assert guest.show() == cart | {"expires_at": guest.show()["expires_at"]}


def test_the_token_is_stored_nowhere(guest: Shopper) -> None:
    guest.add(make.variant_for_sale())

    assert guest.token is not None
    for key in carts().keys("*"):
        assert guest.token.encode() not in key
        if carts().type(key) == b"hash":
            assert guest.token.encode() not in str(carts().hgetall(key)).encode()


def test_the_answer_has_the_documented_shape(guest: Shopper) -> None:
    guest.add(make.variant_for_sale(), 3)
    gone = make.variant_for_sale()
    guest.add(gone)
    make.unsold(gone)
    cart = guest.show()

    def same_names(content: Any, serializer: Any) -> None:
        fields = getattr(serializer, "child", serializer)
        for one in content if isinstance(content, list) else [content]:
            assert set(one) == set(fields.fields)
            for name, field in fields.fields.items():
                if hasattr(field, "fields") or hasattr(getattr(field, "child", None), "fields"):
                    same_names(one[name], field)

    same_names(cart, CartResponse())
    options = guest.call("GET", "/api/v1/cart/shipping-options?country=GB")
    same_names(json.loads(options.content), ShippingOptionResponse(many=True))


def test_set_remove_and_clear(guest: Shopper) -> None:
    one, other = make.variant_for_sale(price_minor=100), make.variant_for_sale(price_minor=50)
    guest.add(one)
    guest.add(other)

    assert body_of(guest.put(one, 4))["totals"]["total"] == pounds("4.50")
    removed = guest.call("DELETE", f"{ITEMS}/{one.pk}")
    assert (removed.status_code, body_of(removed)["totals"]["total"]) == (200, pounds("0.50"))
    assert guest.put(other, 0).status_code == 200
    assert guest.show()["lines"] == []

    guest.add(one)
    cleared = guest.call("DELETE", "/api/v1/cart")
    assert (cleared.status_code, cleared.content) == (204, b"")
    assert guest.show()["lines"] == []


def test_removing_needs_no_cart_and_no_such_line(guest: Shopper) -> None:
    assert guest.call("DELETE", f"{ITEMS}/1").status_code == 200
    assert guest.put(1, 0).status_code == 200
    assert guest.call("DELETE", "/api/v1/cart").status_code == 204
    assert stored_keys() == []


def test_a_slash_at_the_end_makes_no_difference(guest: Shopper) -> None:
    variant = make.variant_for_sale()

    response = guest.call("POST", f"{ITEMS}/", {"variant_id": variant.pk, "quantity": 1})

    assert response.status_code == 200


def test_another_currency_of_the_shop(guest: Shopper) -> None:
    variant = make.variant_for_sale(price_minor_eur=1500)
    only_pounds = make.variant_for_sale(price_minor_eur=None)

    cart = body_of(
        guest.call("POST", ITEMS, {"variant_id": variant.pk, "quantity": 1, "currency": "EUR"})
    )

    assert cart["currency"] == "EUR"
    assert cart["totals"]["total"] == {"amount": "15.00", "currency": "EUR"}
    problem(guest.add(only_pounds), 404, "variant_not_found")
    changed = {"variant_id": variant.pk, "quantity": 1, "currency": "GBP"}
    problem(guest.call("POST", ITEMS, changed), 409, "currency_fixed")
    assert guest.show()["lines"] == cart["lines"]


# --- whose


def test_two_guests_and_a_customer_never_meet(signed_in: Shopper) -> None:
    one, other = Shopper(APIClient()), Shopper(APIClient())
    variants = [make.variant_for_sale() for _ in range(3)]

    for shopper, variant in zip((one, other, signed_in), variants, strict=True):
        shopper.add(variant)

    for shopper, variant in zip((one, other, signed_in), variants, strict=True):
        assert [line["variant_id"] for line in shopper.show()["lines"]] == [variant.pk]
    assert one.token != other.token
    assert signed_in.show()["token"] is None


def test_a_customers_cart_pays_no_heed_to_a_token(guest: Shopper, signed_in: Shopper) -> None:
    mine, theirs = make.variant_for_sale(), make.variant_for_sale()
    guest.add(theirs)
    assert guest.token is not None

    response = signed_in.call(
        "POST", ITEMS, {"variant_id": mine.pk, "quantity": 1}, X_Cart_Token=guest.token
    )

    assert "X-Cart-Token" not in response
    assert [line["variant_id"] for line in body_of(response)["lines"]] == [mine.pk]
    assert [line["variant_id"] for line in guest.show()["lines"]] == [theirs.pk]


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 32, "x" * 65, "../../etc/passwd", "u1", "'; --", "é" * 30]
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/cart", None),
        ("DELETE", "/api/v1/cart", None),
        ("POST", ITEMS, {"variant_id": 1, "quantity": 1}),
        ("PUT", f"{ITEMS}/1", {"quantity": 1}),
        ("DELETE", f"{ITEMS}/1", None),
        ("POST", "/api/v1/cart/vouchers", {"code": "SPRING"}),
        ("DELETE", "/api/v1/cart/vouchers/SPRING", None),
        ("GET", "/api/v1/cart/shipping-options?country=GB", None),
    ],
)
def test_an_unknown_token_finds_no_cart_and_makes_none(
    api: APIClient, token: str, method: str, path: str, body: Any
) -> None:
    problem(Shopper(api, token).call(method, path, body), 404, "cart_not_found")

    assert stored_keys() == []


def test_a_token_in_the_address_is_nothing(guest: Shopper) -> None:
    guest.add(make.variant_for_sale())

    response = APIClient().get(f"/api/v1/cart?token={guest.token}")

    assert response.status_code != 200 or body_of(response)["lines"] == []


# --- refused


def test_more_than_there_is(guest: Shopper) -> None:
    variant = make.variant_for_sale(on_hand=3)
    guest.add(variant, 2)
    before = guest.show()

    refused = problem(guest.add(variant, 2), 409, "out_of_stock")

    expected = {"variant_id": variant.pk, "sku": variant.sku, "requested": 4, "available": 3}
    assert refused["lines"] == [expected]
    assert problem(guest.put(variant, 5), 409, "out_of_stock")["lines"][0]["requested"] == 5
    after = guest.show()
    assert (after["version"], after["lines"]) == (before["version"], before["lines"])


def test_a_refused_first_write_makes_no_cart(guest: Shopper) -> None:
    sold_out = make.variant_for_sale(on_hand=0)

    problem(guest.add(sold_out), 409, "out_of_stock")

    assert (guest.token, stored_keys()) == (None, [])


def test_unknown_and_unsold_variants_are_not_found(guest: Shopper) -> None:
    unsold = make.variant_for_sale()
    make.unsold(unsold)
    kept = make.variant_for_sale()

    problem(guest.add(unsold), 404, "variant_not_found")
    assert stored_keys() == []
    guest.add(kept)
    before = guest.show()
    for pk in (unsold.pk, 10**9, 2**63 - 1):
        problem(guest.add(pk), 404, "variant_not_found")
    for pk in (unsold.pk, 0, 10**9, 2**63, 10**40):
        problem(guest.put(pk, 1), 404, "variant_not_found")

    after = guest.show()
    assert (after["version"], after["lines"]) == (before["version"], before["lines"])


def test_the_limits(guest: Shopper) -> None:
    variant = make.variant_for_sale(on_hand=5000)
    guest.add(variant, 998)

    refused = problem(guest.add(variant, 2), 422, "quantity_limit")

    assert (refused["wanted"], refused["limit"]) == (1000, 999)
    for number in range(99):
        store.edit(
            store.guest_cart_id(guest.token or ""),
            action="add",
            operation=f"fill{number}",
            must_exist=True,
            expected=None,
            variant_id=10**6 + number,
            quantity=1,
        )
    assert problem(guest.add(make.variant_for_sale()), 422, "cart_full")["limit"] == 100


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/variant_id"),
        ({"variant_id": 1}, "/quantity"),
        ({"variant_id": 1, "quantity": 0}, "/quantity"),
        ({"variant_id": 1, "quantity": -1}, "/quantity"),
        ({"variant_id": 1, "quantity": 1000}, "/quantity"),
        ({"variant_id": 1, "quantity": 10**30}, "/quantity"),
        ({"variant_id": 1, "quantity": "1"}, "/quantity"),
        ({"variant_id": 1, "quantity": 1.0}, "/quantity"),
        ({"variant_id": 1, "quantity": 1.5}, "/quantity"),
        ({"variant_id": 1, "quantity": True}, "/quantity"),
        ({"variant_id": 1, "quantity": None}, "/quantity"),
        ({"variant_id": 1, "quantity": [1]}, "/quantity"),
        ({"variant_id": 1, "quantity": {}}, "/quantity"),
        ({"variant_id": "1", "quantity": 1}, "/variant_id"),
        ({"variant_id": 0, "quantity": 1}, "/variant_id"),
        ({"variant_id": 2**63, "quantity": 1}, "/variant_id"),
        ({"variant_id": True, "quantity": 1}, "/variant_id"),
        ({"variant_id": "\x00", "quantity": 1}, "/variant_id"),
        ({"variant_id": 1, "quantity": 1, "currency": "XXX"}, "/currency"),
        ({"variant_id": 1, "quantity": 1, "currency": "USD"}, "/currency"),
        ({"variant_id": 1, "quantity": 1, "currency": "gbp"}, "/currency"),
        ({"variant_id": 1, "quantity": 1, "currency": "G\x00P"}, "/currency"),
        ({"variant_id": 1, "quantity": 1, "currency": None}, "/currency"),
    ],
)
def test_a_malformed_addition_names_the_member(guest: Shopper, body: Any, pointer: str) -> None:
    guest.add(make.variant_for_sale())
    before = guest.show()

    refused = problem(guest.call("POST", ITEMS, body), 400, "malformed_request")

    assert pointer in [error["pointer"] for error in refused["errors"]]
    after = guest.show()
    assert (after["version"], after["lines"]) == (before["version"], before["lines"])


def test_a_price_from_a_client_is_refused(guest: Shopper) -> None:
    body = {"variant_id": make.variant_for_sale().pk, "quantity": 1, "price": "0.01"}

    refused = problem(guest.call("POST", ITEMS, body), 400, "unknown_field")

    assert [error["pointer"] for error in refused["errors"]] == ["/price"]
    assert stored_keys() == []


@pytest.mark.parametrize(
    "body", [b'{"variant_id": 1, "quantity": NaN}', b"[]", b"{", b"null", b'"x"', b"\xff"]
)
def test_what_is_no_object_is_malformed(guest: Shopper, body: bytes) -> None:
    response = guest.call("POST", ITEMS, body)

    assert response.status_code == 400, response.content
    assert stored_keys() == []


@pytest.mark.parametrize("quantity", [-1, 1000, "1", 1.0, True, None])
def test_a_malformed_quantity_to_set(guest: Shopper, quantity: Any) -> None:
    refused = problem(guest.put(1, quantity), 400, "malformed_request")

    assert [error["pointer"] for error in refused["errors"]] == ["/quantity"]


@pytest.mark.parametrize("path", [f"{ITEMS}/abc", f"{ITEMS}/-1", f"{ITEMS}/1.5", f"{ITEMS}/%00"])
def test_a_path_without_a_variant_is_not_found(guest: Shopper, path: str) -> None:
    assert guest.call("PUT", path, {"quantity": 1}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/cart"),
        ("GET", ITEMS),
        ("PATCH", f"{ITEMS}/1"),
        ("GET", "/api/v1/cart/merge"),
    ],
)
def test_a_wrong_method(guest: Shopper, method: str, path: str) -> None:
    assert guest.call(method, path).status_code in {401, 405}


# --- versions


def test_an_old_version_is_not_changed(guest: Shopper) -> None:
    variant = make.variant_for_sale()
    old = guest.add(variant)["ETag"]
    new = guest.add(variant)["ETag"]
    before = guest.show()

    for tag in (old, f"W/{new}", '"x"', '"', "", '"99999999999999999999"'):
        problem(guest.add(variant, If_Match=tag), 412, "version_mismatch")
        problem(guest.put(variant, 5, If_Match=tag), 412, "version_mismatch")
        removed = guest.call("DELETE", f"{ITEMS}/{variant.pk}", If_Match=tag)
        problem(removed, 412, "version_mismatch")
        problem(guest.call("DELETE", "/api/v1/cart", If_Match=tag), 412, "version_mismatch")

    assert guest.show()["lines"] == before["lines"]
    assert guest.add(variant, If_Match=f"{old}, {new}").status_code == 200
    assert guest.put(variant, 1, If_Match="*").status_code == 200


def test_a_cart_that_is_not_there_has_version_zero(guest: Shopper) -> None:
    variant = make.variant_for_sale()

    problem(guest.add(variant, If_Match='"7"'), 412, "version_mismatch")
    problem(guest.call("DELETE", "/api/v1/cart", If_Match='"7"'), 412, "version_mismatch")
    assert stored_keys() == []
    assert guest.add(variant, If_Match='"0"').status_code == 200


# --- the same POST twice


def test_a_key_adds_once_and_answers_the_same_bytes(guest: Shopper) -> None:
    variant = make.variant_for_sale()
    guest.add(variant)

    first = guest.add(variant, 2, Idempotency_Key="k1")
    again = guest.add(variant, 2, Idempotency_Key="k1")

    assert first.content == again.content
    assert (first["ETag"], first["X-Cart-Token"]) == (again["ETag"], again["X-Cart-Token"])
    assert again["Idempotent-Replayed"] == "true"
    assert guest.show()["lines"][0]["quantity"] == 3
    problem(guest.add(variant, 3, Idempotency_Key="k1"), 422, "idempotency_key_reused")


def test_a_repeat_whose_first_answer_was_never_stored_adds_once(guest: Shopper) -> None:
    variant = make.variant_for_sale()
    guest.add(variant)
    guest.add(variant, 2, Idempotency_Key="k1")
    IdempotencyKey.objects.all().delete()

    guest.add(variant, 2, Idempotency_Key="k1")

    assert guest.show()["lines"][0]["quantity"] == 3


# --- notices


def test_what_is_no_longer_sold_is_told_and_not_counted(
    guest: Shopper, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    kept, gone = make.variant_for_sale(price_minor=100), make.variant_for_sale(price_minor=900)
    guest.add(kept)
    guest.add(gone)
    with django_capture_on_commit_callbacks(execute=True):
        make.unsold(gone)

    cart = guest.show()

    assert [line["variant_id"] for line in cart["lines"]] == [kept.pk]
    assert cart["totals"]["total"] == pounds("1.00")
    assert [(notice["code"], notice["variant_id"]) for notice in cart["notices"]] == [
        ("variant_unavailable", gone.pk)
    ]
    assert guest.call("DELETE", f"{ITEMS}/{gone.pk}").status_code == 200
    assert guest.show()["notices"] == []


def test_a_shortage_is_told(
    guest: Shopper, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    plenty, few = make.variant_for_sale(on_hand=500), make.variant_for_sale(on_hand=8)
    guest.add(plenty, 200)
    guest.add(few, 8)
    assert guest.show()["notices"] == []

    with django_capture_on_commit_callbacks(execute=True):
        adjust_stock(sku=plenty.sku, warehouse="main", delta=-400, reason="Broken", now=make.NOW)
    cart = guest.show()

    assert [(notice["code"], notice["variant_id"]) for notice in cart["notices"]] == [
        ("insufficient_stock", plenty.pk)
    ]
    assert [line["quantity"] for line in cart["lines"]] == [200, 8]


# --- vouchers, shipping


def test_every_voucher_is_unknown(guest: Shopper, signed_in: Shopper) -> None:
    guest.add(make.variant_for_sale())
    before = guest.show()

    for shopper in (guest, signed_in, Shopper(APIClient())):
        refused = problem(
            shopper.call("POST", "/api/v1/cart/vouchers", {"code": "SPRING"}),
            422,
            "voucher_not_applicable",
        )
        assert refused["reason"] == "unknown"
        removed = shopper.call("DELETE", "/api/v1/cart/vouchers/SPRING")
        assert (removed.status_code, body_of(removed)["vouchers"]) == (200, [])

    assert guest.show()["version"] == before["version"]


@pytest.mark.parametrize("code", ["", "\x00", "x" * 65, 5, None])
def test_a_malformed_voucher(guest: Shopper, code: Any) -> None:
    refused = guest.call("POST", "/api/v1/cart/vouchers", {"code": code})

    assert problem(refused, 400, "malformed_request")["errors"][0]["pointer"] == "/code"


def test_shipping_options_of_the_cart(guest: Shopper) -> None:
    def options(query: str) -> Any:
        response = guest.call("GET", f"/api/v1/cart/shipping-options?{query}")
        assert response.status_code == 200, response.content
        return json.loads(response.content)

    assert [option["code"] for option in options("country=GB")] == ["standard", "express"]
    guest.add(make.variant_for_sale(price_minor=4999))
    assert options("country=GB&postal_code=SW1A%201AA")[0] == {
        "code": "standard",
        "name": "Standard delivery",
        "price": pounds("3.95"),
        "days": {"min": 2, "max": 4},
    }
    guest.add(make.variant_for_sale(price_minor=1))
    assert options("country=GB")[0]["price"] == pounds("0.00")
    assert options("country=DE")[0]["price"] == pounds("9.95")
    assert options("country=US") == []


@pytest.mark.parametrize(
    "query", ["", "country=", "country=XX", "country=gb", "country=GB&x=1", "country=GB&country=FR"]
)
def test_a_malformed_place(guest: Shopper, query: str) -> None:
    response = guest.call("GET", f"/api/v1/cart/shipping-options?{query}")

    assert response.status_code == 400
    assert body_of(response)["code"] in {"malformed_request", "unknown_field"}


# --- merge

MERGE = "/api/v1/cart/merge"


def test_a_guests_cart_becomes_the_customers(guest: Shopper, signed_in: Shopper) -> None:
    one, other = make.variant_for_sale(), make.variant_for_sale()
    signed_in.add(one, 1)
    guest.add(one, 2)
    guest.add(other, 3)

    first = signed_in.call("POST", MERGE, {"token": guest.token})
    again = signed_in.call("POST", MERGE, {"token": guest.token})

    for response in (first, again):
        assert response.status_code == 200, response.content
        cart = body_of(response)
        assert cart["token"] is None
        assert "X-Cart-Token" not in response
        quantities = [(line["variant_id"], line["quantity"]) for line in cart["lines"]]
        assert quantities == [(one.pk, 3), (other.pk, 3)]
    assert body_of(first)["version"] == body_of(again)["version"]
    problem(guest.call("GET", "/api/v1/cart"), 404, "cart_not_found")


def test_what_a_merge_cannot_keep_is_told(guest: Shopper, signed_in: Shopper) -> None:
    variant = make.variant_for_sale(on_hand=5000)
    signed_in.add(variant, 600)
    guest.add(variant, 600)

    for _ in range(2):
        cart = body_of(signed_in.call("POST", MERGE, {"token": guest.token}))
        assert cart["lines"][0]["quantity"] == 999
        assert [(notice["code"], notice["variant_id"]) for notice in cart["notices"]] == [
            ("quantity_capped", variant.pk)
        ]


def test_the_guests_token_may_come_in_the_header(guest: Shopper, signed_in: Shopper) -> None:
    guest.add(make.variant_for_sale())
    assert guest.token is not None

    response = signed_in.call("POST", MERGE, {}, X_Cart_Token=guest.token)

    assert len(body_of(response)["lines"]) == 1


def test_a_merge_by_nobody_or_of_nothing(guest: Shopper, signed_in: Shopper) -> None:
    guest.add(make.variant_for_sale())

    assert guest.call("POST", MERGE, {"token": guest.token}).status_code == 401
    for token in ("x" * 32, "bad token"):
        problem(signed_in.call("POST", MERGE, {"token": token}), 404, "cart_not_found")
    missing = problem(signed_in.call("POST", MERGE, {}), 400, "malformed_request")
    assert missing["errors"][0]["pointer"] == "/token"

    assert len(guest.show()["lines"]) == 1
    assert signed_in.show()["version"] == 0


def test_another_customers_token_gives_nothing(guest: Shopper, signed_in: Shopper) -> None:
    guest.add(make.variant_for_sale())
    token = guest.token
    signed_in.call("POST", MERGE, {"token": token})
    thief = Shopper(accounts.signed_in(APIClient(), accounts.customer()))

    problem(thief.call("POST", MERGE, {"token": token}), 404, "cart_not_found")


# --- the store is away


def test_without_the_store_there_is_no_cart_and_no_empty_one(
    guest: Shopper, signed_in: Shopper, own_store: Valkey
) -> None:
    variant = make.variant_for_sale()
    guest.add(variant)
    own_store.stop()

    for response in (
        guest.call("GET", "/api/v1/cart"),
        guest.add(variant),
        guest.put(variant, 2),
        guest.call("DELETE", f"{ITEMS}/{variant.pk}"),
        guest.call("DELETE", "/api/v1/cart"),
        guest.call("POST", "/api/v1/cart/vouchers", {"code": "X"}),
        guest.call("GET", "/api/v1/cart/shipping-options?country=GB"),
        signed_in.call("GET", "/api/v1/cart"),
        signed_in.call("POST", MERGE, {"token": guest.token}),
        Shopper(APIClient()).add(variant),
    ):
        assert problem(response, 503, "cart_unavailable")["retryable"] is True
        assert int(response["Retry-After"]) >= 1


# --- budget


@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("who", ["guest", "customer"])
@pytest.mark.parametrize("has_copies", [True, False])
def test_the_cart_asks_redis_three_times_at_most_and_the_database_never(
    size: int,
    who: str,
    has_copies: bool,
    guest: Shopper,
    signed_in: Shopper,
    count_trips: CountTrips,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # How many units there are is remembered in Redis, for longer than this test may take.
    monkeypatch.setattr("inventory.store.units._SHORTEST_MS", 600_000)
    monkeypatch.setattr("inventory.store.units._LONGEST_MS", 600_000)
    shopper = guest if who == "guest" else signed_in
    variants = [make.variant_for_sale(on_hand=50) for _ in range(size)]
    for variant in variants:
        shopper.add(variant)
    forget_pages()
    # For longer than a busy machine may pause, or not at all.
    monkeypatch.setattr("catalog.store._near_cards._seconds", 60.0 if has_copies else -1.0)
    monkeypatch.setattr("catalog.store._near_cards._kept_seconds", -1.0)
    shopper.show()

    # Expect 2: the cart; the cards of its lines, if the process has no copies.
    with django_assert_num_queries(0), count_trips() as trips:
        shopper.show()
    assert len(trips) == 2 - has_copies, trips

    # Expect 3: how many units there are; the edit; the cards of all lines.
    with django_assert_num_queries(0), count_trips() as trips:
        assert shopper.add(variants[0]).status_code == 200
    assert len(trips) == 3 - has_copies, trips

    # Expect 2: the edit; the cards of what is left.
    with django_assert_num_queries(0), count_trips() as trips:
        assert shopper.call("DELETE", f"{ITEMS}/{variants[0].pk}").status_code == 200
    assert len(trips) == (2 - has_copies if size > 1 else 1), trips
