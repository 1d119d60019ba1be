"""The contract, row by row, over HTTP against a running shop."""

import contextlib
import http.client
import json
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.client import ADDRESS, Shopper, problem
from tests.e2e.conftest import ShopRun

MUG = "stoneware-mug"
MUG_SKU = "MUG-STONE-BLUE"


@pytest.fixture
def guest(shop_run: ShopRun) -> Shopper:
    return Shopper(shop_run.url)


@pytest.fixture
def customer(shop_run: ShopRun) -> Shopper:
    shopper = Shopper(shop_run.url)
    shopper.register()
    return shopper


@pytest.fixture
def clerk(shop_run: ShopRun) -> Shopper:
    shopper = Shopper(shop_run.url)
    shopper.sign_in(shop_run.staff_email, shop_run.staff_password)
    return shopper


@pytest.fixture
def mug(guest: Shopper) -> dict[str, Any]:
    product = guest.get(f"/products/{MUG}").json()
    variant: dict[str, Any] = next(v for v in product["variants"] if v["sku"] == MUG_SKU)
    return variant


def _units(clerk: Shopper) -> tuple[int, int]:
    row = clerk.get(f"/inventory/stock?sku={MUG_SKU}").json()["results"][0]
    return row["on_hand"], row["reserved"]


def _eventually(check: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


class TestAccounts:
    def test_registering_answers_the_same_for_a_known_address(self, guest: Shopper) -> None:
        body = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}

        first, second = guest.post("/auth/register", body), guest.post("/auth/register", body)

        assert first.status_code == second.status_code == 202
        assert first.content == second.content
        assert "detail" in first.json()

    def test_a_token_pair_is_given_refreshed_once_and_ended(self, guest: Shopper) -> None:
        email, password = guest.register()
        pair = guest.sign_in(email, password)
        assert pair["token_type"] == "Bearer"
        assert pair["expires_in"] > 0
        assert set(pair) == {"access", "refresh", "token_type", "expires_in"}

        renewed = guest.post("/auth/token/refresh", {"refresh": pair["refresh"]})
        assert renewed.status_code == 200
        assert renewed.json()["refresh"] != pair["refresh"]

        assert guest.post("/auth/logout", {"refresh": renewed.json()["refresh"]}).status_code == 204
        ended = guest.post("/auth/token/refresh", {"refresh": renewed.json()["refresh"]})
        assert ended.status_code == 401

    def test_a_wrong_password_and_an_unknown_address_look_alike(self, guest: Shopper) -> None:
        email, _ = guest.register()

        wrong = guest.post("/auth/token", {"email": email, "password": "not this one"})
        unknown = guest.post(
            "/auth/token", {"email": f"{uuid.uuid4().hex}@example.com", "password": "not this one"}
        )

        assert wrong.status_code == unknown.status_code == 401
        assert problem(wrong)["code"] == problem(unknown)["code"] == "invalid_credentials"
        assert problem(wrong)["detail"] == problem(unknown)["detail"]

    def test_me_masks_what_is_personal(self, customer: Shopper) -> None:
        me = customer.get("/me").json()

        assert set(me) == {
            "id",
            "email_masked",
            "email_hash",
            "email_verified",
            "full_name",
            "phone_last4",
            "created_at",
        }
        assert re.fullmatch(r"\w\*\*\*@e\*\*\*\.com", me["email_masked"])
        changed = customer.call("PATCH", "/me", {"full_name": "Ada", "phone": "+447700900123"})
        assert changed.status_code == 200
        assert changed.json()["phone_last4"] == "0123"
        assert "7700900123" not in changed.text

    def test_addresses_are_kept_and_are_nobody_elses(
        self, customer: Shopper, shop_run: ShopRun
    ) -> None:
        made = customer.post("/me/addresses", {**ADDRESS, "phone": "+442079460000"})
        assert made.status_code == 201
        address = made.json()
        assert address["phone_last4"] == "0000"
        assert "phone" not in address

        other = Shopper(shop_run.url)
        other.register()
        assert problem(other.get(f"/me/addresses/{address['id']}"))["status"] == 404
        assert other.call("DELETE", f"/me/addresses/{address['id']}").status_code == 404
        changed = customer.call("PATCH", f"/me/addresses/{address['id']}", {"city": "Bath"})
        assert changed.json()["city"] == "Bath"
        assert customer.get("/me/addresses").json()["results"][0]["id"] == address["id"]
        assert customer.call("DELETE", f"/me/addresses/{address['id']}").status_code == 204

    def test_nobody_is_asked_to_sign_in(self, guest: Shopper) -> None:
        for path in ("/me", "/me/addresses", "/orders", "/inventory/stock"):
            answer = guest.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


class TestCatalogue:
    def test_the_tree_counts_its_products(self, guest: Shopper) -> None:
        tree = guest.get("/categories")

        assert tree.status_code == 200
        assert tree.headers["ETag"]
        slug = (tree.json()["results"] if "results" in tree.json() else tree.json())[0]["slug"]
        node = guest.get(f"/categories/{slug}").json()
        assert {"path", "children"} <= set(node)

    def test_a_list_row_has_what_a_tile_needs(self, guest: Shopper) -> None:
        rows = guest.get("/products?page_size=5").json()

        assert set(rows) >= {"results", "next", "previous"}
        assert len(rows["results"]) == 5
        assert set(rows["results"][0]) >= {
            "id",
            "slug",
            "title",
            "vendor",
            "category",
            "price",
            "compare_at_price",
            "image",
            "availability",
            "tags",
        }
        price = rows["results"][0]["price"]
        assert re.fullmatch(r"\d+\.\d\d", price["min"]["amount"])

    @pytest.mark.parametrize("sort", ["newest", "price", "-price", "title", "best_selling"])
    def test_pages_follow_each_other_in_every_order(self, guest: Shopper, sort: str) -> None:
        seen: list[int] = []
        url: str | None = f"/products?sort={sort}&page_size=50"
        while url:
            page = guest.get(url).json()
            seen += [row["id"] for row in page["results"]]
            url = page["next"]

        assert len(seen) == len(set(seen)) >= 150

    def test_search_forgives_a_typo(self, guest: Shopper) -> None:
        titles = [row["title"] for row in guest.get("/products?q=stonware mug").json()["results"]]

        assert any("Stoneware" in title for title in titles[:3])

    def test_facets_come_with_the_list_when_asked_for(self, guest: Shopper) -> None:
        facets = guest.get("/products?facets=true&page_size=1").json()["facets"]

        assert {"vendor", "price", "category"} <= set(facets)
        assert {"value", "count"} <= set(facets["vendor"][0])

    def test_a_product_is_conditional_and_cacheable(self, guest: Shopper) -> None:
        first = guest.get(f"/products/{MUG}")
        again = guest.get(f"/products/{first.json()['id']}", If_None_Match=first.headers["ETag"])

        assert first.headers["Cache-Control"] == "public, max-age=60, stale-while-revalidate=30"
        assert again.status_code == 304
        assert again.content == b""
        assert {"description_html", "options", "variants", "images", "seo", "rating"} <= set(
            first.json()
        )
        image = first.json()["images"][0]["url"]
        picture = requests.get(
            image if image.startswith("http") else guest.api[:-7] + image, timeout=20
        )
        assert picture.status_code == 200
        assert picture.headers["Content-Type"].startswith("image/")

    @pytest.mark.parametrize(
        "query",
        [
            "page_size=0",
            "page_size=101",
            "page_size=x",
            "sort=worst",
            "cursor=nonsense",
            "min_price=-1",
            "min_price=NaN",
            "currency=XXX",
            "q=%00",
            "colour=red",
        ],
    )
    def test_a_bad_filter_is_refused(self, guest: Shopper, query: str) -> None:
        assert problem(guest.get(f"/products?{query}"))["status"] == 400

    @pytest.mark.parametrize("ref", ["nope", "0", "99999999999999999999", "a%00b", "..%2f", "-1"])
    def test_an_unknown_product_is_not_found(self, guest: Shopper, ref: str) -> None:
        assert problem(guest.get(f"/products/{ref}"))["status"] == 404


class TestCart:
    def test_looking_at_no_cart_stores_none(self, guest: Shopper) -> None:
        empty = guest.get("/cart")

        assert empty.status_code == 200
        assert empty.json()["lines"] == []
        assert "X-Cart-Token" not in empty.headers

    def test_an_unknown_token_is_not_found(self, guest: Shopper) -> None:
        guest.session.headers["X-Cart-Token"] = "0" * 43

        assert problem(guest.get("/cart"))["code"] == "cart_not_found"

    def test_lines_are_added_set_and_removed(self, guest: Shopper, mug: dict[str, Any]) -> None:
        cart = guest.add(mug["id"], 2)
        assert cart.status_code == 200
        assert cart.headers["X-Cart-Token"] == cart.json()["token"]
        assert set(cart.json()) == {
            "token",
            "version",
            "currency",
            "lines",
            "vouchers",
            "totals",
            "notices",
            "expires_at",
        }
        line = cart.json()["lines"][0]
        assert line["quantity"] == 2
        assert line["sku"] == MUG_SKU
        assert set(cart.json()["totals"]) == {"subtotal", "discount", "shipping", "tax", "total"}

        assert guest.add(mug["id"], 1).json()["lines"][0]["quantity"] == 3
        put = guest.call("PUT", f"/cart/items/{mug['id']}", {"quantity": 5})
        assert put.json()["lines"][0]["quantity"] == 5
        stale = guest.call(
            "PUT", f"/cart/items/{mug['id']}", {"quantity": 7}, If_Match=cart.headers["ETag"]
        )
        assert stale.status_code == 412
        assert problem(stale)["code"] == "version_mismatch"
        assert guest.get("/cart").json()["lines"][0]["quantity"] == 5
        assert guest.call("DELETE", f"/cart/items/{mug['id']}").json()["lines"] == []
        assert guest.call("DELETE", "/cart").status_code == 204

    def test_more_than_there_is_is_refused(
        self, guest: Shopper, clerk: Shopper, mug: dict[str, Any]
    ) -> None:
        on_hand, _ = _units(clerk)
        guest.add(mug["id"], 1)
        scarce = next(
            v
            for row in guest.get("/products?page_size=100").json()["results"]
            if row["availability"]["state"] == "low_stock"
            for v in guest.get(f"/products/{row['id']}").json()["variants"]
            if v["availability"]["state"] == "low_stock"
        )

        refused = guest.add(scarce["id"], 900)

        assert refused.status_code == 409
        assert problem(refused)["code"] == "out_of_stock"
        line = problem(refused)["lines"][0]
        assert line["variant_id"] == scarce["id"]
        assert line["requested"] == 900
        assert line["available"] < 900
        assert len(guest.get("/cart").json()["lines"]) == 1
        assert _units(clerk)[0] == on_hand

    @pytest.mark.parametrize(
        "body",
        [
            {"quantity": 1},
            {"variant_id": 1, "quantity": 0},
            {"variant_id": 1, "quantity": -1},
            {"variant_id": 1, "quantity": 1000},
            {"variant_id": 1, "quantity": 2**63},
            {"variant_id": 1, "quantity": 1.5},
            {"variant_id": 1, "quantity": "1e3"},
            {"variant_id": 1, "quantity": None},
            {"variant_id": 1, "quantity": []},
            {"variant_id": 2**70, "quantity": 1},
            {"variant_id": "a\x00", "quantity": 1},
            {"variant_id": 1, "quantity": 1, "unit_price": "0.01"},
            [],
            "x",
        ],
    )
    def test_a_bad_line_is_refused_and_nothing_is_stored(self, guest: Shopper, body: Any) -> None:
        refused = guest.post("/cart/items", body)

        assert problem(refused)["status"] == 400
        assert "X-Cart-Token" not in refused.headers
        assert guest.get("/cart").json()["lines"] == []

    def test_an_unknown_variant_is_not_found(self, guest: Shopper) -> None:
        assert problem(guest.add(987654321))["code"] == "variant_not_found"

    def test_no_voucher_is_known_yet(self, guest: Shopper, mug: dict[str, Any]) -> None:
        guest.add(mug["id"])

        refused = guest.post("/cart/vouchers", {"code": "SUMMER"})

        assert refused.status_code == 422
        assert problem(refused)["code"] == "voucher_not_applicable"
        assert problem(refused)["reason"] == "unknown"
        assert guest.call("DELETE", "/cart/vouchers/SUMMER").status_code == 200

    def test_a_guest_cart_becomes_the_customers(
        self, guest: Shopper, customer: Shopper, mug: dict[str, Any]
    ) -> None:
        token = guest.add(mug["id"], 2).json()["token"]
        customer.add(mug["id"], 1)

        merged = customer.post("/cart/merge", {"token": token})

        assert merged.status_code == 200
        assert merged.json()["lines"][0]["quantity"] == 3
        assert guest.get("/cart").status_code == 404
        assert customer.post("/cart/merge", {"token": token}).status_code == 200
        assert customer.get("/cart").json()["lines"][0]["quantity"] == 3

    def test_shipping_is_offered_by_country(self, guest: Shopper, mug: dict[str, Any]) -> None:
        guest.add(mug["id"])

        options = guest.get("/cart/shipping-options?country=GB&postal_code=SW1Y4JH").json()

        rows = options["results"] if isinstance(options, dict) else options
        assert {"code", "name", "price", "days"} <= set(rows[0])
        assert {"min", "max"} == set(rows[0]["days"])
        assert problem(guest.get("/cart/shipping-options?country=XX"))["status"] in (400, 422)


class TestCheckout:
    def test_a_guest_pays_and_looks_the_order_up(
        self, guest: Shopper, clerk: Shopper, mug: dict[str, Any], shop_run: ShopRun
    ) -> None:
        on_hand, reserved = _units(clerk)
        guest.add(mug["id"], 2)

        placed = guest.checkout(email="paying.guest@example.com")

        assert placed.status_code == 201, placed.text
        order = placed.json()["order"]
        assert order["status"] == "confirmed"
        assert order["payment_status"] == "paid"
        assert placed.json()["payment"]["status"] in ("captured", "paid", "succeeded")
        assert _units(clerk) == (on_hand - 2, reserved)
        assert "paying.guest@example.com" not in placed.text
        token = placed.json()["access_token"]
        seen = guest.get(f"/orders/{order['number']}", X_Order_Token=token)
        assert seen.status_code == 200
        assert {
            "lines",
            "totals",
            "payments",
            "shipments",
            "refunds",
            "returns",
            "events",
            "actions",
        } <= set(seen.json())
        assert seen.json()["payments"][0]["card"]["last4"]
        assert guest.get(f"/orders/{order['number']}").status_code in (401, 404)
        wrong = guest.get(f"/orders/{order['number']}", X_Order_Token="x" * 43)
        assert wrong.status_code == 404
        cart = guest.get("/cart")
        assert cart.status_code in (200, 404)
        assert cart.json().get("lines", []) == []
        _eventually(lambda: _was_mailed(shop_run.home, order["number"]))

    def test_the_same_key_places_one_order(self, guest: Shopper, mug: dict[str, Any]) -> None:
        guest.add(mug["id"])
        key = uuid.uuid4().hex

        first, second = guest.checkout(key=key), guest.checkout(key=key)

        assert first.status_code == second.status_code == 201
        assert first.content == second.content
        assert second.headers["Idempotent-Replayed"] == "true"
        other = guest.checkout(key=key, shipping_method="express")
        assert other.status_code == 422
        assert problem(other)["code"] == "idempotency_key_reused"

    @pytest.mark.parametrize(
        ("key", "code"),
        [
            (None, "idempotency_key_required"),
            ("k" * 256, "idempotency_key_invalid"),
            ("a b", "idempotency_key_invalid"),
        ],
    )
    def test_a_key_is_required_and_must_be_sane(
        self, guest: Shopper, mug: dict[str, Any], key: str | None, code: str
    ) -> None:
        guest.add(mug["id"])
        headers = {"Idempotency-Key": key} if key else {}

        refused = guest.session.post(f"{guest.api}/checkout", json={}, headers=headers, timeout=120)

        assert problem(refused)["status"] == 400
        assert problem(refused)["code"] == code

    @pytest.mark.parametrize("keys", [("one", "one"), ("one", "two"), ("schl\u00fcssel",)])
    def test_a_key_sent_twice_or_not_in_ascii_is_refused_on_the_wire_too(
        self, guest: Shopper, mug: dict[str, Any], keys: tuple[str, ...]
    ) -> None:
        guest.add(mug["id"])
        to = urlsplit(guest.api)
        wire = http.client.HTTPConnection(to.hostname or "", to.port, timeout=120)
        with contextlib.closing(wire):
            wire.putrequest("POST", f"{to.path}/checkout")
            for key in keys:
                wire.putheader("Idempotency-Key", key.encode("latin-1"))
            wire.putheader("Content-Type", "application/json")
            wire.putheader("Content-Length", "2")
            wire.endheaders(b"{}")
            answer = wire.getresponse()
            told = json.loads(answer.read())

        assert (answer.status, told["code"]) == (400, "idempotency_key_invalid")

    @pytest.mark.parametrize(
        ("token", "status", "code"),
        [("tok_declined", 402, "payment_declined"), ("tok_error", 503, "payment_unavailable")],
    )
    def test_a_payment_that_fails_leaves_cart_and_stock_as_they_were(
        self,
        guest: Shopper,
        clerk: Shopper,
        mug: dict[str, Any],
        token: str,
        status: int,
        code: str,
    ) -> None:
        guest.add(mug["id"], 3)
        before, units = guest.get("/cart").json(), _units(clerk)

        refused = guest.checkout(token)

        assert refused.status_code == status, refused.text
        assert problem(refused)["code"] == code
        after = guest.get("/cart").json()
        assert (after["lines"], after["version"]) == (before["lines"], before["version"])
        assert _units(clerk) == units

    def test_a_lost_answer_is_settled_later(
        self, customer: Shopper, clerk: Shopper, mug: dict[str, Any]
    ) -> None:
        on_hand, _ = _units(clerk)
        customer.add(mug["id"], 1)

        pending = customer.checkout("tok_timeout")

        assert pending.status_code == 202, pending.text
        number = pending.json()["order"]["number"]
        assert pending.json()["order"]["status"] == "pending"
        _eventually(
            lambda: customer.get(f"/orders/{number}").json()["payment_status"] == "paid", 75
        )
        assert _units(clerk)[0] == on_hand - 1

    def test_a_slow_provider_is_waited_for(self, guest: Shopper, mug: dict[str, Any]) -> None:
        guest.add(mug["id"])

        assert guest.checkout("tok_slow").status_code == 201

    def test_a_challenge_keeps_the_hold(
        self, customer: Shopper, clerk: Shopper, mug: dict[str, Any]
    ) -> None:
        on_hand, reserved = _units(clerk)
        customer.add(mug["id"])

        challenged = customer.checkout("tok_requires_action")

        assert challenged.status_code == 201
        assert challenged.json()["payment"]["status"] == "requires_action"
        assert challenged.json()["payment"]["next_action"]["url"]
        assert challenged.json()["order"]["status"] == "pending"
        assert _units(clerk) == (on_hand, reserved + 1)
        number = challenged.json()["order"]["number"]
        cancelled = customer.post(f"/orders/{number}/cancel", {"reason": "changed my mind"})
        assert cancelled.status_code == 200
        assert _units(clerk) == (on_hand, reserved)

    def test_a_preview_costs_what_the_checkout_charges(
        self, guest: Shopper, mug: dict[str, Any]
    ) -> None:
        guest.add(mug["id"], 2)
        body = {
            "email": "guest@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
        }

        preview = guest.post("/checkout/preview", body)

        assert preview.status_code == 200, preview.text
        assert preview.json()["trace"]
        total = preview.json()["totals"]["total"]
        dearer = guest.checkout(expected_total={"amount": "0.01", "currency": "GBP"})
        assert problem(dearer)["code"] == "price_changed"
        assert problem(dearer)["actual"] == total
        placed = guest.checkout(quote_token=preview.json()["quote_token"])
        assert placed.status_code == 201
        assert placed.json()["order"]["totals"]["total"] == total

    def test_an_empty_cart_cannot_be_bought(self, customer: Shopper) -> None:
        refused = customer.checkout()

        assert refused.status_code == 422
        assert problem(refused)["code"] == "cart_empty"

    def test_what_cannot_be_shipped_there_is_refused(
        self, guest: Shopper, mug: dict[str, Any]
    ) -> None:
        guest.add(mug["id"])

        nowhere = guest.checkout(shipping_address={**ADDRESS, "country": "AQ"})
        unknown = guest.checkout(shipping_method="by-owl")

        assert problem(nowhere)["code"] == "shipping_not_available"
        assert problem(unknown)["code"] == "shipping_not_available"
        assert nowhere.status_code == unknown.status_code == 422

    @pytest.mark.parametrize(
        "changes",
        [
            {"shipping_address": {**ADDRESS, "country": "Britain"}},
            {"shipping_address": {**ADDRESS, "name": "a\x00b"}},
            {"shipping_address": {"country": "GB"}},
            {"shipping_address": None},
            {"payment": {"provider": "sandbox"}},
            {"total": "0.01"},
            {"expected_total": {"amount": "NaN", "currency": "GBP"}},
            {"expected_total": {"amount": "1.00", "currency": "ZZZ"}},
            {"email": "no address"},
        ],
    )
    def test_a_bad_request_is_refused_and_changes_nothing(
        self, guest: Shopper, clerk: Shopper, mug: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        guest.add(mug["id"])
        units, cart = _units(clerk), guest.get("/cart").json()

        refused = guest.checkout(**changes)

        assert problem(refused)["status"] == 400
        assert _units(clerk) == units
        assert guest.get("/cart").json()["lines"] == cart["lines"]

    def test_history_is_ones_own(self, customer: Shopper, shop_run: ShopRun, mug: Any) -> None:
        for _ in range(3):
            customer.add(mug["id"])
            assert customer.checkout().status_code == 201

        page = customer.get("/orders?page_size=2").json()

        assert len(page["results"]) == 2
        assert len(customer.get(page["next"]).json()["results"]) == 1
        row = page["results"][0]
        assert {
            "number",
            "status",
            "payment_status",
            "fulfillment_status",
            "placed_at",
            "total",
            "line_count",
            "lines",
        } <= set(row)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["placed_at"])
        other = Shopper(shop_run.url)
        other.register()
        assert other.get("/orders").json()["results"] == []
        assert problem(other.get(f"/orders/{row['number']}"))["status"] == 404
        assert problem(other.post(f"/orders/{row['number']}/cancel"))["status"] == 404

    def test_cancelling_gives_money_and_units_back(
        self, customer: Shopper, clerk: Shopper, mug: dict[str, Any]
    ) -> None:
        units = _units(clerk)
        customer.add(mug["id"], 4)
        number = customer.checkout().json()["order"]["number"]

        cancelled = customer.post(f"/orders/{number}/cancel", {"reason": "too blue"})

        assert cancelled.status_code == 200, cancelled.text
        seen = customer.get(f"/orders/{number}").json()
        assert seen["status"] == "cancelled"
        assert seen["payment_status"] == "refunded"
        assert _units(clerk) == units

    def test_looking_an_order_up_tells_nothing(self, guest: Shopper, mug: dict[str, Any]) -> None:
        guest.add(mug["id"])
        number = guest.checkout(email="finder@example.com").json()["order"]["number"]

        right = guest.post("/orders/lookup", {"number": number, "email": "finder@example.com"})
        wrong = guest.post("/orders/lookup", {"number": number, "email": "other@example.com"})

        assert right.status_code == wrong.status_code
        assert right.content == wrong.content


class TestInventory:
    def test_staff_see_and_adjust_stock(self, clerk: Shopper) -> None:
        on_hand, _ = _units(clerk)
        row = clerk.get(f"/inventory/stock?sku={MUG_SKU}").json()["results"][0]
        assert set(row) == {
            "id",
            "sku",
            "variant_id",
            "warehouse",
            "on_hand",
            "reserved",
            "available",
            "backorder_limit",
            "low_at",
        }

        adjusted = clerk.post(
            "/inventory/adjustments",
            {"sku": MUG_SKU, "warehouse": "main", "delta": -1, "reason": "chipped"},
        )

        assert adjusted.status_code == 201
        assert _units(clerk)[0] == on_hand - 1
        movement = clerk.get(f"/inventory/movements?sku={MUG_SKU}").json()["results"][0]
        assert movement["on_hand_after"] == on_hand - 1
        assert movement["reason"] == "chipped"

    def test_customers_may_not(self, customer: Shopper, clerk: Shopper) -> None:
        units = _units(clerk)

        assert customer.get("/inventory/stock").status_code == 403
        refused = customer.post(
            "/inventory/adjustments",
            {"sku": MUG_SKU, "warehouse": "main", "delta": 5, "reason": "gift"},
        )

        assert refused.status_code == 403
        assert _units(clerk) == units


def _was_mailed(home: Path, number: str) -> bool:
    return any(number in path.read_text() for path in (home / "mail").glob("*"))


def test_the_documents_are_served_locally(guest: Shopper) -> None:
    root = guest.api.removesuffix("/api/v1")
    schema = requests.get(f"{root}/api/schema", headers={"Accept": "application/json"}, timeout=120)
    assert schema.json()["openapi"].startswith("3.1")
    for page in ("/api/docs", "/api/redoc", "/admin/login/"):
        answer = requests.get(f"{root}{page}", timeout=120)
        assert answer.status_code == 200
        assert not re.findall(r'(?:src|href)="https?://', answer.text), page
