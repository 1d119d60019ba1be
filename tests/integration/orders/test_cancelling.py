"""Cancelling, by whom and until when, and what goes back with it."""

import pytest
from django.conf import settings
from django.core import mail
from django.utils import timezone
from rest_framework.test import APIClient

from inventory.models import StockMovement
from orders import tasks
from orders.models import Order, Payment, Refund, SandboxCharge
from orders.selectors import order_findings, payment_findings
from orders.services import cancel_order, sweep_payments
from shop.models import OutboxMessage
from tests.make import accounts as make_accounts
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)


def _assert_sound() -> None:
    now = timezone.now()
    assert order_findings(now=now) == []
    assert payment_findings(now=now) == []


def _cancel(api: APIClient, number: str, **headers: str) -> tuple[int, dict[str, object]]:
    answer = api.post(
        f"/api/v1/orders/{number}/cancel",
        {"reason": "Changed my mind"},
        format="json",
        headers=headers,
    )
    return answer.status_code, answer.json()


def test_a_paid_order_gives_back_money_and_stock(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.customer(api, (sold, 2))
    number = make.check_out(api).json()["order"]["number"]
    assert make.units(sold) == (3, 0)

    status, told = _cancel(api, number)

    assert status == 200
    assert (told["status"], told["payment_status"]) == ("cancelled", "refunded")
    assert make.units(sold) == (5, 0)
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor) == ("SUCCEEDED", refund.payment.captured_minor)
    assert SandboxCharge.objects.get().refunded_minor == refund.amount_minor
    events = told["events"]
    assert isinstance(events, list)
    assert [event["type"] for event in events] == ["placed", "confirmed", "cancelled", "refunded"]
    assert told["actions"] == [
        {"name": "cancel", "allowed": False, "reason": "It is cancelled already."}
    ]
    _assert_sound()

    message = OutboxMessage.objects.get(topic="order.cancelled")
    tasks.send_cancellation(message_id=str(message.pk), payload=message.payload)
    assert "goes back" in mail.outbox[0].body


def test_a_back_order_that_never_came_in_is_no_longer_owed(api: APIClient) -> None:
    sold = make.variant(on_hand=1)
    make.allow_backorders(sold, 5)
    make.customer(api, (sold, 3))
    number = make.check_out(api).json()["order"]["number"]
    assert make.units(sold) == (1, 3)

    status, told = _cancel(api, number)

    assert (status, told["payment_status"]) == (200, "refunded")
    assert make.units(sold) == (1, 0)
    _assert_sound()


def test_cancelling_twice_gives_back_once(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.customer(api, (sold, 2))
    number = make.check_out(api).json()["order"]["number"]

    first, second = _cancel(api, number), _cancel(api, number)

    assert first == second
    assert Refund.objects.count() == 1
    assert make.units(sold) == (5, 0)
    assert StockMovement.objects.filter(kind="RETURN").count() == 1


def test_the_same_key_gives_the_same_answer(api: APIClient) -> None:
    make.customer(api, (make.variant(), 1))
    number = make.check_out(api).json()["order"]["number"]
    path = f"/api/v1/orders/{number}/cancel"

    first = api.post(path, {}, format="json", headers={"Idempotency-Key": "k"})
    again = api.post(path, {}, format="json", headers={"Idempotency-Key": "k"})
    other = api.post(path, {"reason": "x"}, format="json", headers={"Idempotency-Key": "k"})

    assert first.status_code == 200
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_an_order_that_waits_for_its_payer_is_voided(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))
    told = make.check_out(api, "tok_requires_action").json()
    url = told["payment"]["next_action"]["url"]

    status, cancelled = _cancel(
        api, told["order"]["number"], **{"X-Order-Token": told["access_token"]}
    )
    late = APIClient().post(url.removeprefix(settings.SHOP_PUBLIC_URL), {}, format="json")

    assert status == 200
    assert (cancelled["status"], cancelled["payment_status"]) == ("cancelled", "voided")
    assert late.json()["payment"] == {"status": "voided"}
    assert make.units(sold) == (5, 0)
    assert SandboxCharge.objects.get().status == "VOIDED"
    assert not Refund.objects.exists()
    _assert_sound()
    # The cart is still there, and can be ordered anew.
    assert make.check_out(api).status_code == 201


def test_an_order_whose_payment_was_never_asked_for_is_just_closed() -> None:
    sold = make.variant(on_hand=5)
    order = make.placed((sold, 2)).order

    cancel_order(number=order.number, reason="", now=timezone.now())

    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("CANCELLED", "VOIDED")
    assert make.units(sold) == (5, 0)
    assert not SandboxCharge.objects.exists()
    _assert_sound()


def test_money_that_had_come_before_the_cancelling_goes_back(api: APIClient) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))
    told = make.check_out(api, "tok_timeout").json()  # charged, and we do not know it

    status, cancelled = _cancel(
        api, told["order"]["number"], **{"X-Order-Token": told["access_token"]}
    )

    assert status == 200
    assert (cancelled["status"], cancelled["payment_status"]) == ("cancelled", "refunded")
    charge = SandboxCharge.objects.get()
    assert charge.refunded_minor == charge.amount_minor
    assert make.units(sold) == (5, 0)
    _assert_sound()


def test_a_provider_that_is_away_is_asked_again_later(api: APIClient) -> None:
    make.customer(api, (make.variant(), 1))
    number = make.check_out(api).json()["order"]["number"]
    with make.provider_away():
        status, told = _cancel(api, number)
    assert status == 200
    assert (told["status"], told["payment_status"]) == ("cancelled", "paid")

    sweep_payments(now=make.later(minutes=5))

    assert Order.objects.get().payment_status == "REFUNDED"
    _assert_sound()


@pytest.mark.parametrize(
    ("who", "status"),
    [("owner", 200), ("stranger", 404), ("nobody", 404), ("staff", 200), ("viewer", 404)],
)
def test_owner_and_staff_may_cancel(api: APIClient, who: str, status: int) -> None:
    owner = make_accounts.customer()
    order = make.sold(customer=owner).order
    people = {
        "owner": owner,
        "stranger": make_accounts.customer(),
        "nobody": None,
        "staff": make_accounts.staff("orders.change_order"),
        "viewer": make_accounts.staff("orders.view_order"),
    }
    make_accounts.signed_in(api, people[who])

    got, _ = _cancel(api, order.number)

    assert got == status
    order.refresh_from_db()
    assert order.status == ("CANCELLED" if status == 200 else "CONFIRMED")


@pytest.mark.parametrize(
    "changes",
    [
        {"fulfillment_status": "PARTIALLY_FULFILLED"},
        {"fulfillment_status": "FULFILLED"},
        {"status": "COMPLETED", "fulfillment_status": "FULFILLED"},
    ],
)
def test_what_is_on_its_way_cannot_be_cancelled(api: APIClient, changes: dict[str, str]) -> None:
    owner = make_accounts.customer()
    sold = make.variant(on_hand=5)
    order = make.sold((sold, 2), customer=owner).order
    Order.objects.filter(pk=order.pk).update(**changes)
    make_accounts.signed_in(api, owner)

    status, problem = _cancel(api, order.number)

    assert (status, problem["code"]) == (409, "order_not_cancellable")
    assert make.units(sold) == (3, 0)
    assert not Refund.objects.exists()
    assert Payment.objects.get().status == "CAPTURED"
    assert api.get(f"/api/v1/orders/{order.number}").json()["actions"][0]["allowed"] is False


def test_a_stale_copy_is_not_cancelled(api: APIClient) -> None:
    owner = make_accounts.customer()
    order = make.sold(customer=owner).order
    make_accounts.signed_in(api, owner)

    stale, problem = _cancel(api, order.number, **{"If-Match": '"1"'})
    fresh, _ = _cancel(api, order.number, **{"If-Match": f'"{order.version}"'})

    assert (stale, problem["code"]) == (412, "version_mismatch")
    assert fresh == 200
