"""From a cart to a paid order, and every way of being told no."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from cart.services import add_item, cart_snapshot, load_rules
from catalog.models import Price, Variant
from inventory.models import Reservation
from orders import services
from orders.models import Order, OrderEvent, OrderLine, Payment, SandboxCharge
from orders.serializers import CheckoutResponse, PreviewResponse
from orders.services import sweep_payments
from shop.models import IdempotencyKey, OutboxMessage
from tests.make import accounts as make_accounts
from tests.make import cart as make_cart
from tests.make import orders as make

pytestmark = pytest.mark.django_db


def _assert_untouched(api: APIClient, *lines: tuple[Variant, int, int]) -> None:
    """Check that no order lives, no money moved, and cart and stock are as they were.

    `lines` are variants with the units that are in the cart and on hand.
    """
    cart = cart_snapshot(owner=make.owner_of(api))
    assert {(line.variant_id, line.quantity) for line in cart.lines} == {
        (variant.pk, quantity) for variant, quantity, _ in lines
    }
    for variant, _, on_hand in lines:
        assert make.units(variant) == (on_hand, 0)
    assert not Order.objects.exclude(status=Order.Status.CANCELLED).exists()
    assert not Payment.objects.filter(captured_minor__gt=0).exists()
    assert not Reservation.objects.filter(state=Reservation.State.HELD).exists()
    assert not OutboxMessage.objects.filter(topic="order.confirmed").exists()


def _fits(serializer: type[Any], document: object) -> None:
    """Check that the document has exactly the members of its schema, all the way down."""
    shown = serializer(document).data
    assert _members(document) == _members(shown)


def _members(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _members(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_members(inner) for inner in value]
    return None


# Paid ------------------------------------------------------------------------------------------


def test_a_guest_pays_and_reads_the_order_by_the_token_that_came_with_it(api: APIClient) -> None:
    sold = make.variant(on_hand=5, price=1250)
    make.guest(api, (sold, 2))

    answer = make.check_out(api)

    assert answer.status_code == 201
    told = answer.json()
    _fits(CheckoutResponse, told)
    assert told["payment"] == {"status": "captured"}
    order = told["order"]
    assert (order["status"], order["payment_status"], order["fulfillment_status"]) == (
        "confirmed",
        "paid",
        "unfulfilled",
    )
    assert order["totals"] == {
        "subtotal": {"amount": "25.00", "currency": "GBP"},
        "discount": {"amount": "0.00", "currency": "GBP"},
        "shipping": {"amount": "3.95", "currency": "GBP"},
        "tax": {"amount": "4.83", "currency": "GBP"},
        "total": {"amount": "28.95", "currency": "GBP"},
    }
    assert order["payments"][0]["card"] == {"brand": "visa", "last4": "4242"}
    assert order["hold_expires_at"] is None
    assert [event["type"] for event in order["events"]] == ["placed", "confirmed"]
    assert answer.headers["Location"] == f"/api/v1/orders/{order['number']}"
    assert make.units(sold) == (3, 0)

    stored = Order.objects.get()
    assert told["access_token"] not in stored.access_token_hash
    path = f"/api/v1/orders/{order['number']}"
    read = APIClient().get(path, headers={"X-Order-Token": told["access_token"]})
    assert read.status_code == 200
    assert APIClient().get(path).status_code == 404


def test_a_customer_pays_without_giving_an_address_for_mail(api: APIClient) -> None:
    sold = make.variant()
    buyer = make.customer(api, (sold, 1))

    answer = make.check_out(api)

    assert answer.status_code == 201
    assert "access_token" not in answer.json()
    order = Order.objects.get()
    assert (order.customer, order.email) == (buyer, buyer.email)
    assert answer.json()["order"]["email_hash"] == buyer.email_hash
    assert buyer.email not in answer.content.decode()


def test_the_cart_is_empty_after_it_was_paid(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))

    assert make.check_out(api).status_code == 201

    assert cart_snapshot(owner=make.owner_of(api)).lines == ()
    assert make.check_out(api).json()["code"] == "cart_empty"


def test_a_cart_that_was_edited_meanwhile_stays(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold, more = make.variant(), make.variant()
    make.guest(api, (sold, 1))
    original = add_item

    def edited(*args: Any, **kwargs: Any) -> Any:
        original(owner=make.owner_of(api), variant_id=more.pk, quantity=1, now=timezone.now())
        return pay(*args, **kwargs)

    pay = services.pay
    monkeypatch.setattr("orders.services.checking_out.pay", edited)
    answer = make.check_out(api)

    assert [line["sku"] for line in answer.json()["order"]["lines"]] == [sold.sku]
    assert {line.variant_id for line in cart_snapshot(owner=make.owner_of(api)).lines} == {
        sold.pk,
        more.pk,
    }


def test_a_slow_provider_is_waited_for(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("orders.providers.sandbox.provider.time.sleep", slept.append)
    make.guest(api, (make.variant(), 1))

    answer = make.check_out(api, "tok_slow")

    assert answer.status_code == 201
    assert slept == [3.0]


def test_the_order_keeps_the_titles_prices_and_tax_it_was_sold_with(api: APIClient) -> None:
    sold = make.variant(price=999, tax_class="ZERO")
    make.guest(api, (sold, 3))

    number = make.check_out(api).json()["order"]["number"]
    Price.objects.filter(variant=sold, currency="GBP").update(amount_minor=1)
    Variant.objects.filter(pk=sold.pk).update(title="Another")

    line = OrderLine.objects.get(order__number=number)
    assert (line.unit_price_minor, line.total_minor, line.tax_minor) == (999, 2997, 0)
    assert (line.variant_title, line.options) == ("M", {"Size": "M"})


def test_billing_defaults_to_shipping_and_may_differ(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))
    plain = make.order_of(make.check_out(api))
    make.guest(api, (make.variant(), 1))

    other = make.order_of(
        make.check_out(api, billing_address=make.address(name="The Treasurer", phone="02079460018"))
    )

    assert plain.billing_address == plain.shipping_address
    assert other.billing_address is not None
    assert other.billing_address["name"] == "The Treasurer"
    assert other.billing_address["phone"] == "+442079460018"


# Waiting ---------------------------------------------------------------------------------------


def test_a_payer_who_must_act_is_sent_to_a_page_and_keeps_the_stock_meanwhile(
    api: APIClient,
) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    answer = make.check_out(api, "tok_requires_action")

    assert answer.status_code == 201
    told = answer.json()
    _fits(CheckoutResponse, told)
    payment = Payment.objects.get()
    url = f"{settings.SHOP_PUBLIC_URL}/api/v1/sandbox/payments/{payment.pk}/complete"
    assert told["payment"] == {
        "status": "requires_action",
        "next_action": {"type": "redirect", "url": url},
    }
    assert told["order"]["status"] == "pending"
    assert told["order"]["hold_expires_at"] is not None
    assert make.units(sold) == (5, 2)
    assert len(cart_snapshot(owner=make.owner_of(api)).lines) == 1

    path = url.removeprefix(settings.SHOP_PUBLIC_URL)
    assert b"Approve" in APIClient().get(path).content
    done = APIClient().post(path, {"outcome": "succeed"}, format="json")

    assert done.status_code == 200, done.content
    assert done.json()["payment"] == {"status": "captured"}
    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CONFIRMED", "PAID")
    assert make.units(sold) == (3, 0)
    assert cart_snapshot(owner=make.owner_of(api)).lines == ()


def test_a_payer_who_fails_to_act_gets_no_order(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))
    url = make.check_out(api, "tok_requires_action").json()["payment"]["next_action"]["url"]
    path = url.removeprefix(settings.SHOP_PUBLIC_URL)

    # As the page's form sends it.
    done = APIClient().post(path, "outcome=fail", content_type="application/x-www-form-urlencoded")
    late = APIClient().post(path, {"outcome": "succeed"}, format="json")

    assert done.json() == {
        "order": Order.objects.get().number,
        "order_status": "cancelled",
        "payment": {"status": "declined"},
    }
    assert late.json()["payment"] == {"status": "declined"}
    _assert_untouched(api, (sold, 2, 5))


def test_a_lost_answer_leaves_the_order_pending_until_the_sweeper_asks(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))
    key = "one-key"

    answer = make.check_out(api, "tok_timeout", key=key)

    assert answer.status_code == 202
    told = answer.json()
    _fits(CheckoutResponse, told)
    assert (told["order"]["status"], told["payment"]) == ("pending", {"status": "pending"})
    assert make.units(sold) == (5, 2)
    assert SandboxCharge.objects.get().status == "CAPTURED"

    swept = sweep_payments(now=timezone.now() + timedelta(seconds=20))

    assert swept.finished == 1
    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CONFIRMED", "PAID")
    assert make.units(sold) == (3, 0)
    assert Payment.objects.count() == SandboxCharge.objects.count() == 1
    again = make.check_out(api, "tok_timeout", key=key)
    assert (again.status_code, again.content) == (202, answer.content)


# Refused ---------------------------------------------------------------------------------------


def test_a_declined_payment_gives_the_stock_back(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    answer = make.check_out(api, "tok_declined", key="k")

    assert answer.status_code == 402
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["reason"]) == ("payment_declined", "card_declined")
    _assert_untouched(api, (sold, 2, 5))
    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "FAILED")
    again = make.check_out(api, "tok_declined", key="k")
    assert again.content == answer.content
    assert again.headers["Idempotent-Replayed"] == "true"
    # Another way to pay buys the very same cart.
    assert make.check_out(api).status_code == 201


def test_a_broken_provider_is_503_and_nothing_is_taken(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    answer = make.check_out(api, "tok_error", key="k")

    assert answer.status_code == 503
    assert answer.json()["code"] == "payment_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    _assert_untouched(api, (sold, 2, 5))
    order = Order.objects.get()
    assert (order.status, order.payment_status) == ("CANCELLED", "FAILED")
    # 503 is no answer to keep: the same key tries again.
    assert not IdempotencyKey.objects.exists()
    assert make.check_out(api, "tok_error", key="k").status_code == 503
    assert Order.objects.count() == 2
    # The charge can no longer come late under the keys that were given up.
    assert set(SandboxCharge.objects.values_list("status", flat=True)) == {"VOIDED"}


def test_more_than_there_is_is_refused_by_line(api: APIClient) -> None:
    plenty, scarce = make.variant(on_hand=5), make.variant(on_hand=3)
    make.guest(api, (plenty, 1), (scarce, 3))
    make.adjust(scarce, -2)

    answer = make.check_out(api)

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "out_of_stock"
    assert problem["lines"] == [
        {"variant_id": scarce.pk, "sku": scarce.sku, "requested": 3, "available": 1}
    ]
    _assert_untouched(api, (plenty, 1, 5), (scarce, 3, 1))
    assert not Order.objects.exists()


def test_a_variant_that_is_no_longer_for_sale_is_named(api: APIClient) -> None:
    gone = make.variant()
    make.guest(api, (gone, 1))
    make_cart.unsold(gone)

    answer = make.check_out(api)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_for_sale")
    assert answer.json()["lines"] == [{"variant_id": gone.pk, "requested": 1, "available": 0}]
    _assert_untouched(api, (gone, 1, 10))


def test_an_unexpected_total_is_refused_with_both(api: APIClient) -> None:
    sold = make.variant(on_hand=5, price=1250)
    make.guest(api, (sold, 2))

    answer = make.check_out(api, expected_total={"amount": "28.94", "currency": "GBP"})

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "price_changed"
    assert problem["expected"] == {"amount": "28.94", "currency": "GBP"}
    assert problem["actual"] == {"amount": "28.95", "currency": "GBP"}
    _assert_untouched(api, (sold, 2, 5))
    right = make.check_out(api, expected_total=problem["actual"])
    assert right.status_code == 201


@pytest.mark.parametrize("token", [None, "unknown-token-of-nobody", "with spaces"])
def test_no_cart_and_an_empty_one_are_refused_alike(api: APIClient, token: str | None) -> None:
    if token:
        api.credentials(HTTP_X_CART_TOKEN=token)

    answer = make.check_out(api)

    assert (answer.status_code, answer.json()["code"]) == (422, "cart_empty")
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"shipping_method": "by-dragon"}, 422, "shipping_not_available"),
        ({"shipping_address": make.address(country="AQ")}, 422, "shipping_not_available"),
        ({"payment": {"provider": "sandbox", "token": "tok_what"}}, 422, "payment_token_unknown"),
        ({"payment": {"provider": "barter", "token": "x"}}, 422, "payment_provider_unknown"),
        ({"payment": {"provider": "manual", "token": "x"}}, 422, "payment_provider_unknown"),
        ({"quote_token": "made-up"}, 422, "quote_expired"),
        ({"email": None}, 400, "malformed_request"),
        ({"email": "nobody"}, 400, "malformed_request"),
        ({"shipping_method": None}, 400, "malformed_request"),
        ({"payment": None}, 400, "malformed_request"),
        ({"payment": {"provider": "sandbox"}}, 400, "malformed_request"),
        ({"total": "1.00"}, 400, "unknown_field"),
        ({"expected_total": {"amount": "1.001", "currency": "GBP"}}, 400, "malformed_request"),
        ({"expected_total": {"amount": "NaN", "currency": "GBP"}}, 400, "malformed_request"),
        ({"expected_total": {"amount": "1", "currency": "XXX"}}, 400, "malformed_request"),
        ({"shipping_address": {}}, 400, "malformed_request"),
        ({"shipping_address": make.address(country="ZZ")}, 400, "malformed_request"),
        ({"shipping_address": make.address(postal_code="")}, 400, "malformed_request"),
        ({"shipping_address": make.address(name="")}, 400, "malformed_request"),
        ({"shipping_address": make.address(name="x" * 201)}, 400, "malformed_request"),
        ({"shipping_address": make.address(name=7)}, 400, "malformed_request"),
        ({"shipping_address": make.address(city="A\0B")}, 400, "malformed_request"),
        ({"shipping_address": make.address(phone="12")}, 400, "malformed_request"),
        ({"shipping_address": make.address(planet="Mars")}, 400, "unknown_field"),
    ],
)
def test_refuses_and_leaves_everything_as_it_was(
    api: APIClient, changes: dict[str, Any], status: int, code: str
) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    answer = make.check_out(api, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    _assert_untouched(api, (sold, 2, 5))
    assert not Order.objects.exists()
    assert not SandboxCharge.objects.exists()


def test_a_customer_may_not_name_another_address_for_mail(api: APIClient) -> None:
    make.customer(api, (make.variant(), 1))

    answer = make.check_out(api, email="else@example.com")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/email"


def test_the_sandbox_is_closed_where_settings_say_so(api: APIClient, settings: Settings) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 1))
    url = make.check_out(api, "tok_requires_action").json()["payment"]["next_action"]["url"]
    settings.SHOP_SANDBOX_PAYMENTS = False

    answer = make.check_out(make.guest(api, (sold, 1)))
    page = APIClient().get(url.removeprefix(settings.SHOP_PUBLIC_URL))

    assert (answer.status_code, answer.json()["code"]) == (422, "payment_provider_unknown")
    assert answer.json()["available"] == []
    assert page.status_code == 404


# Keys ------------------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_bytes_and_one_order(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    first = make.check_out(api, key="k")
    second = make.check_out(api, key="k")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Location"] == second.headers["Location"]
    assert Order.objects.count() == SandboxCharge.objects.count() == 1
    assert make.units(sold) == (3, 0)


def test_the_same_key_with_another_body_is_refused(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))
    make.check_out(api, key="k")

    answer = make.check_out(api, key="k", email="other@example.com")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_the_same_key_of_somebody_else_is_another_key(api: APIClient) -> None:
    sold = make.variant()
    other = make.guest(APIClient(), (sold, 1))
    make.guest(api, (sold, 1))

    first, second = make.check_out(api, key="k"), make.check_out(other, key="k")

    assert first.json()["order"]["number"] != second.json()["order"]["number"]
    assert Order.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a b", "one,two"])
def test_a_key_that_is_none_is_malformed(api: APIClient, key: str) -> None:
    make.guest(api, (make.variant(), 1))

    answer = api.post(
        "/api/v1/checkout", make.body(), format="json", headers={"Idempotency-Key": key}
    )

    assert answer.status_code == 400
    assert not Order.objects.exists()


def test_a_key_is_required(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))

    answer = api.post("/api/v1/checkout", make.body(), format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")


def test_a_final_refusal_is_kept_for_its_key_and_a_passing_one_is_not(api: APIClient) -> None:
    scarce = make.variant(on_hand=1)
    make.guest(api, (scarce, 1))
    make.adjust(scarce, -1)

    final = make.check_out(api, key="final", shipping_method="by-dragon")
    passing = make.check_out(api, key="passing")
    make.adjust(scarce, +1)

    again = make.check_out(api, key="final", shipping_method="by-dragon")
    assert (again.status_code, again.content) == (422, final.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert passing.status_code == 409
    assert make.check_out(api, key="passing").status_code == 201


def test_two_keys_for_one_cart_make_one_order(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    first = make.check_out(api, "tok_requires_action", key="a")
    second = make.check_out(api, key="b")

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "cart_already_ordered")
    assert second.json()["order"] == first.json()["order"]["number"]
    assert Order.objects.count() == 1
    assert make.units(sold) == (5, 2)


# Preview ---------------------------------------------------------------------------------------


def _preview(api: APIClient, **changes: Any) -> Any:
    body = make.body(**{"payment": None, **changes})
    return api.post("/api/v1/checkout/preview", body, format="json")


def test_a_preview_tells_the_total_and_how_it_came_about_and_writes_nothing(
    api: APIClient,
) -> None:
    sold = make.variant(on_hand=5, price=1250)
    make.guest(api, (sold, 2))

    answer = _preview(api)

    assert answer.status_code == 200, answer.content
    told = answer.json()
    _fits(PreviewResponse, told)
    assert told["total"] == {"amount": "28.95", "currency": "GBP"}
    assert [step["step"] for step in told["trace"]][-1] == "total"
    _assert_untouched(api, (sold, 2, 5))
    assert not Order.objects.exists()
    bought = make.check_out(api, quote_token=told["quote_token"])
    assert bought.status_code == 201
    assert bought.json()["order"]["total"] == told["total"]


def test_a_quote_does_not_outlive_a_change_of_price(api: APIClient) -> None:
    sold = make.variant(on_hand=5, price=1250)
    make.guest(api, (sold, 2))
    token = _preview(api).json()["quote_token"]
    Price.objects.filter(variant=sold, currency="GBP").update(amount_minor=1300)

    answer = make.check_out(api, quote_token=token)

    assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
    assert answer.json()["expected"]["amount"] == "28.95"
    assert answer.json()["actual"]["amount"] == "29.95"
    _assert_untouched(api, (sold, 2, 5))


def test_a_quote_is_for_one_cart_as_it_was(api: APIClient) -> None:
    sold = make.variant(price=1250)
    make.guest(api, (sold, 1))
    token = _preview(api).json()["quote_token"]
    add_item(owner=make.owner_of(api), variant_id=sold.pk, quantity=1, now=timezone.now())

    assert make.check_out(api, quote_token=token).json()["code"] == "price_changed"


def test_a_quote_is_good_for_ten_minutes(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    make.guest(api, (make.variant(), 1))
    token = _preview(api).json()["quote_token"]
    later = timezone.now() + timedelta(minutes=10, seconds=2)
    monkeypatch.setattr("orders.views.timezone.now", lambda: later)

    answer = make.check_out(api, quote_token=token)

    assert (answer.status_code, answer.json()["code"]) == (422, "quote_expired")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"shipping_method": "by-dragon"}, 422, "shipping_not_available"),
        ({"payment": {"provider": "sandbox", "token": "tok_ok"}}, 400, "unknown_field"),
        ({"expected_total": {"amount": "1.00", "currency": "GBP"}}, 409, "price_changed"),
    ],
)
def test_a_preview_refuses_what_a_checkout_would(
    api: APIClient, changes: dict[str, Any], status: int, code: str
) -> None:
    make.guest(api, (make.variant(), 1))

    answer = _preview(api, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_preview_of_nothing_is_refused(api: APIClient) -> None:
    assert _preview(api).json()["code"] == "cart_empty"


# Costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 100])
def test_takes_the_same_queries_for_any_number_of_lines(api: APIClient, size: int) -> None:
    lines = [(make.variant(on_hand=50), 1) for _ in range(size)]
    make.guest(api, *lines)
    load_rules(fresh=True)  # as any checkout before it did in this process

    with CaptureQueriesContext(connection) as seen:
        answer = make.check_out(api)

    assert answer.status_code == 201
    # Prepare, 7: key; variants with prices; version of the rules; a look at the stock; order with
    # lines, payment and event; look and lock the stock, hold it. Pay, 1: the sandbox's own row.
    # Settle, 2: order and payment with event, message and answer; commit the stock, last.
    assert len(asked_in(seen)) == 10, "\n".join(asked_in(seen))


def asked_in(seen: CaptureQueriesContext) -> list[str]:
    """Return the statements without the savepoints, which are the test's own transaction's."""
    statements = [query["sql"] for query in seen.captured_queries]
    return [sql for sql in statements if not sql.startswith(("SAVEPOINT", "RELEASE"))]


def test_nothing_is_asked_between_the_stock_and_the_commit(api: APIClient) -> None:
    """Negative control: with `commit_stock` in `_money_came` three more come after it."""
    make.guest(api, (make.variant(on_hand=50), 1))  # so many that shoppers notice nothing

    with CaptureQueriesContext(connection) as seen:
        assert make.check_out(api).status_code == 201

    statements = [query["sql"] for query in seen.captured_queries]
    ends = [i for i, sql in enumerate(statements) if sql.startswith("RELEASE")]
    locking = [i for i, sql in enumerate(statements) if "inventory_stockmovement" in sql]
    assert [i + 1 for i in locking] == ends


def test_costs_no_more_for_a_customer(api: APIClient) -> None:
    make.customer(api, (make.variant(on_hand=50), 1))
    load_rules(fresh=True)

    with CaptureQueriesContext(connection) as seen:
        answer = make.check_out(api)

    assert answer.status_code == 201
    # The same, and once who it is, which is then remembered for 15 s.
    assert len(asked_in(seen)) == 11, "\n".join(asked_in(seen))


def test_where_plenty_was_left_a_moment_ago_nobody_looks_before(api: APIClient) -> None:
    sold = make.variant(on_hand=500)
    make.guest(api, (sold, 1))
    assert make.check_out(api).status_code == 201
    make.guest(api, (sold, 1))

    with CaptureQueriesContext(connection) as seen:
        assert make.check_out(api).status_code == 201

    assert len(asked_in(seen)) == 9, "\n".join(asked_in(seen))
    assert make.units(sold) == (498, 0)


# Told ------------------------------------------------------------------------------------------


def test_a_paid_order_is_told_once_by_the_outbox(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))
    make.check_out(api, key="k")
    make.check_out(api, key="k")

    message = OutboxMessage.objects.get(topic="order.confirmed")

    order = Order.objects.get()
    assert message.payload == {"v": 1, "order_id": order.pk}
    assert OrderEvent.objects.filter(order=order).count() == 2
    assert mail.outbox == []  # a task's matter


def test_no_answer_has_the_address_or_the_telephone_in_full(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))

    answer = make.check_out(
        api,
        email="canary.person@example.org",
        shipping_address=make.address(phone="+447700900123"),
    )

    text = answer.content.decode()
    assert "canary.person" not in text
    assert "+447700900123" not in text
    assert answer.json()["order"]["shipping_address"]["phone_last4"] == "0123"
    assert answer.json()["order"]["email_masked"] == "c***@e***.org"
    assert make_accounts.PASSWORD not in text
