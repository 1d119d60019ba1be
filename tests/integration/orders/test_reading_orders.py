"""Lists, details and links: the owner, the stranger, nobody and staff."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from orders import tasks
from orders.models import Order
from orders.selectors import link_token
from orders.serializers import OrderPageResponse, OrderResponse
from orders.services import ReturnPart, receive_return, refund_order
from orders.services.placing import new_number
from shop.http.rate_limit.rates import Rate
from shop.models import InboxMessage, OutboxMessage, PiiAccess
from tests.integration.orders.test_checkout import _fits
from tests.make import accounts as make_accounts
from tests.make import orders as make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("who", "status"),
    [("owner", 200), ("stranger", 404), ("nobody", 404), ("staff", 200), ("other_staff", 404)],
)
def test_an_order_is_shown_to_its_owner_and_staff(api: APIClient, who: str, status: int) -> None:
    owner = make_accounts.customer()
    order = make.sold(customer=owner).order
    people = {
        "owner": owner,
        "stranger": make_accounts.customer(),
        "nobody": None,
        "staff": make_accounts.staff("orders.view_order"),
        "other_staff": make_accounts.staff("catalog.view_product"),
    }
    make_accounts.signed_in(api, people[who])

    answer = api.get(f"/api/v1/orders/{order.number}")

    assert answer.status_code == status
    if status == 200:
        assert answer.json()["number"] == order.number
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["ETag"] == f'"{order.version}"'
    else:
        assert answer.json()["code"] == "order_not_found"


def test_a_detail_has_all_that_happened(api: APIClient) -> None:
    owner = make_accounts.customer()
    placed = make.sold((make.variant(), 3), customer=owner)
    now = timezone.now()
    refund_order(order=placed.order, amount_minor=1250, reason="Late", reference="r", now=now)
    receive_return(
        order=placed.order,
        lines=[ReturnPart(placed.lines[0].pk, 1)],
        reason="Too small",
        reference="t",
        now=now,
    )
    make_accounts.signed_in(api, owner)

    told = api.get(f"/api/v1/orders/{placed.order.number}").json()

    _fits(OrderResponse, told)
    assert told["payment_status"] == "partially_refunded"
    assert told["refunds"][0]["amount"] == {"amount": "12.50", "currency": "GBP"}
    assert told["returns"][0]["lines"] == [{"line_id": placed.lines[0].pk, "quantity": 1}]
    assert [event["type"] for event in told["events"]] == [
        "placed",
        "confirmed",
        "refunded",
        "return_received",
    ]
    assert told["actions"] == [{"name": "cancel", "allowed": True, "reason": None}]


@pytest.mark.parametrize("number", ["0000000000", "nonsense", "%00", "x" * 300, "null", "1"])
def test_an_unknown_number_is_not_found(api: APIClient, number: str) -> None:
    make_accounts.signed_in(api, make_accounts.customer())

    assert api.get(f"/api/v1/orders/{number}").status_code == 404


def test_a_guests_token_opens_their_order_alone(api: APIClient) -> None:
    make.guest(api, (make.variant(), 1))
    mine = make.check_out(api).json()
    make.guest(api, (make.variant(), 1))
    other = make.check_out(api).json()

    def read(number: str, token: str) -> int:
        headers = {"X-Order-Token": token}
        return APIClient().get(f"/api/v1/orders/{number}", headers=headers).status_code

    assert read(mine["order"]["number"], mine["access_token"]) == 200
    assert read(mine["order"]["number"], other["access_token"]) == 404
    assert read(other["order"]["number"], mine["access_token"]) == 404
    assert read(mine["order"]["number"], "") == 404
    assert read(mine["order"]["number"], "x" * 301) == 404


def test_a_link_runs_out_and_cannot_be_made_up() -> None:
    now = timezone.now()
    order = make.sold().order
    other = make.sold().order
    path = f"/api/v1/orders/{order.number}"

    def read(token: str) -> int:
        return APIClient().get(path, headers={"X-Order-Token": token}).status_code

    assert read(link_token(order, now=now)) == 200
    assert read(link_token(order, now=now - timedelta(days=31))) == 404
    assert read(link_token(other, now=now)) == 404
    token = link_token(order, now=now)
    # One in sixteen ends in A already.
    assert read(token[:-1] + ("E" if token.endswith("A") else "A")) == 404


# Lists -----------------------------------------------------------------------------------------


def test_a_customer_lists_their_own_newest_first(api: APIClient) -> None:
    owner = make_accounts.customer()
    now = timezone.now()
    older = make.sold(customer=owner, now=now - timedelta(days=1)).order
    newer = make.sold((make.variant(), 2), (make.variant(), 1), customer=owner, now=now).order
    make.sold(customer=make_accounts.customer())
    make_accounts.signed_in(api, owner)

    told = api.get("/api/v1/orders").json()

    _fits(OrderPageResponse, told)
    assert [row["number"] for row in told["results"]] == [newer.number, older.number]
    row = told["results"][0]
    assert (row["status"], row["payment_status"], row["fulfillment_status"]) == (
        "confirmed",
        "paid",
        "unfulfilled",
    )
    assert row["total"] == {"amount": "37.50", "currency": "GBP"}
    assert row["line_count"] == len(row["lines"]) == 2
    assert told["next"] is told["previous"] is None


def test_a_list_is_for_who_is_signed_in(api: APIClient) -> None:
    assert api.get("/api/v1/orders").status_code == 401


def test_pages_follow_one_another_without_gap_or_overlap(api: APIClient) -> None:
    owner = make_accounts.customer()
    sold = make.variant(on_hand=50)
    moment = timezone.now()
    numbers = [make.sold((sold, 1), customer=owner, now=moment).order.number for _ in range(25)]
    make_accounts.signed_in(api, owner)

    first = api.get("/api/v1/orders").json()
    second = api.get(first["next"]).json()

    assert len(first["results"]) == 20
    seen = [row["number"] for page in (first, second) for row in page["results"]]
    assert seen == numbers[::-1]
    assert api.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize("sees", [True, False])
def test_staff_see_addresses_masked_or_are_seen_looking(api: APIClient, sees: bool) -> None:
    order = make.sold((make.variant(), 1), customer=make_accounts.customer()).order
    clerk = make_accounts.staff("orders.view_order", *(["shop.view_personal_data"] if sees else []))
    make_accounts.signed_in(api, clerk)

    shown = api.get(f"/api/v1/orders/{order.number}").json()["shipping_address"]

    assert shown["city"] == "London"
    assert shown["line1"] == ("12 St James's Square" if sees else "1***")
    assert shown["name"] == ("Ada Byron" if sees else "A***")
    looks = PiiAccess.objects.values_list("actor_id", "table", "row")
    assert list(looks) == ([(clerk.pk, "orders.Order", str(order.pk))] if sees else [])


def test_staff_see_all_and_may_narrow(api: APIClient) -> None:
    now = timezone.now()
    old = make.sold(now=now - timedelta(days=9), email="old@example.com").order
    new = make.sold(now=now).order
    waiting = make.placed(now=now).order
    make_accounts.signed_in(api, make_accounts.staff("orders.view_order"))

    def found(**query: str) -> set[str]:
        answer = api.get("/api/v1/orders", query)
        assert answer.status_code == 200, answer.content
        return {row["number"] for row in answer.json()["results"]}

    assert found() == {old.number, new.number, waiting.number}
    assert found(status="pending") == {waiting.number}
    assert found(placed_after=(now - timedelta(days=2)).isoformat()) == {
        new.number,
        waiting.number,
    }
    assert found(q="old@example.com") == {old.number}
    assert found(q=new.number.lower()) == {new.number}
    assert found(q=new.lines.get().sku) == {new.number}
    assert found(q="nothing") == set()


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"},
        {"placed_after": "yesterday"},
        {"page_size": "0"},
        {"cursor": "rubbish"},
        {"sort": "total"},
        {"q": "\0"},
    ],
)
def test_a_query_that_makes_no_sense_is_malformed(api: APIClient, query: dict[str, str]) -> None:
    make_accounts.signed_in(api, make_accounts.customer())

    assert api.get("/api/v1/orders", query).status_code == 400


@pytest.mark.parametrize("size", [1, 20])
def test_a_list_takes_the_same_queries_at_any_length(api: APIClient, size: int) -> None:
    owner = make_accounts.customer()
    lines = [(make.variant(on_hand=50), 1) for _ in range(5)]
    for _ in range(size):
        make.sold(*lines, customer=owner)
    make_accounts.signed_in(api, owner)

    with CaptureQueriesContext(connection) as seen:
        answer = api.get("/api/v1/orders")

    assert len(answer.json()["results"]) == size
    # Who asks (when not remembered); the page; its lines.
    assert len(seen) <= 3


@pytest.mark.parametrize("size", [1, 30])
def test_a_detail_takes_the_same_queries_at_any_length(api: APIClient, size: int) -> None:
    owner = make_accounts.customer()
    order = make.sold(*[(make.variant(), 1) for _ in range(size)], customer=owner).order
    make_accounts.signed_in(api, owner)

    with CaptureQueriesContext(connection) as seen:
        api.get(f"/api/v1/orders/{order.number}")

    # Who asks; the order; lines, payments, events, refunds, returns.
    assert len(seen) <= 7


# Links -----------------------------------------------------------------------------------------


def _look_up(number: str, email: str) -> tuple[int, bytes]:
    answer = APIClient().post(
        "/api/v1/orders/lookup", {"number": number, "email": email}, format="json"
    )
    return answer.status_code, answer.content


def _relay() -> None:
    """Do what relay and worker do with the messages that wait."""
    mailing: dict[str, Callable[..., None]] = {
        "order.confirmed": tasks.send_confirmation,
        "order.cancelled": tasks.send_cancellation,
        "order.link_requested": tasks.send_order_link,
    }
    for message in OutboxMessage.objects.filter(topic__in=mailing).order_by("id"):
        mailing[message.topic](message_id=str(message.pk), payload=message.payload)


def test_right_and_wrong_get_the_same_answer_and_the_right_one_a_mail() -> None:
    order = make.sold(email="ada@example.com").order
    OutboxMessage.objects.all().delete()

    right = _look_up(order.number.lower(), "Ada@Example.com")
    wrong = _look_up(order.number, "eve@example.com")
    unknown = _look_up("0000000000", "ada@example.com")
    _relay()

    assert right == wrong == unknown
    assert right[0] == 202
    assert [letter.to for letter in mail.outbox] == [["ada@example.com"]]
    token = re.search(r"#token=(\S+)", str(mail.outbox[0].body))
    assert token is not None
    path = f"/api/v1/orders/{order.number}"
    read = APIClient().get(path, headers={"X-Order-Token": token.group(1)})
    assert read.status_code == 200


def test_links_cannot_be_asked_for_without_end() -> None:
    statuses = [_look_up("0000000000", "ada@example.com")[0] for _ in range(12)]

    assert statuses == [202] * 10 + [429] * 2


# Mails -----------------------------------------------------------------------------------------


def _html(letter: mail.EmailMessage) -> str:
    assert isinstance(letter, mail.EmailMultiAlternatives)
    return str(letter.alternatives[0][0])


def test_the_buyer_is_mailed_once_what_they_bought(api: APIClient) -> None:
    sold = make.variant(price=1250)
    make.guest(api, (sold, 2))
    make.check_out(api, email="ada@example.com")
    order = Order.objects.get()

    _relay()
    _relay()

    (letter,) = mail.outbox
    assert letter.to == ["ada@example.com"]
    assert letter.subject == f"Your order {order.number} is confirmed"
    html = _html(letter)
    for text in (letter.body, html):
        for shown in ("2 ", sold.sku, "25.00 GBP", "3.95 GBP", "28.95 GBP", "4.83 GBP", "London"):
            assert shown in text
    assert InboxMessage.objects.filter(consumer="orders.send_confirmation").count() == 1


def test_a_mail_that_cannot_be_handed_over_is_tried_again(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.guest(api, (make.variant(), 1))
    make.check_out(api)
    send = mail.EmailMultiAlternatives.send

    def fails(*args: object, **kwargs: object) -> int:
        raise OSError("no such host")

    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", fails)
    with pytest.raises(OSError, match="no such host"):
        _relay()
    assert not InboxMessage.objects.exists()

    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", send)
    _relay()

    assert len(mail.outbox) == 1


def test_what_a_title_says_is_not_taken_for_html(api: APIClient) -> None:
    placed = make.sold()
    placed.order.lines.update(title="<script>alert(1)</script>")

    _relay()

    html = _html(mail.outbox[0])
    assert "<script>" not in html
    assert "<script>" in mail.outbox[0].body


def test_nobody_is_mailed_about_a_history() -> None:
    make.sold(channel="HISTORY", external_ref="536365")

    assert not OutboxMessage.objects.filter(topic="order.confirmed").exists()


def test_a_hundred_thousand_guesses_find_no_order(api: APIClient, settings: Any) -> None:
    sold = {make.sold((make.variant(on_hand=5), 1)).order.number for _ in range(3)}
    guesses = {new_number() for _ in range(100_000)}

    found = sum(number in guesses for number in Order.objects.values_list("number", flat=True))

    # Even whoever met one has an address alone: an order opens by its owner or its token.
    right = api.get(f"/api/v1/orders/{next(iter(sold))}")
    wrong = api.get(f"/api/v1/orders/{next(iter(guesses - sold))}")
    assert found == 0
    assert right.status_code == wrong.status_code == 404
    assert {**right.json(), "request_id": ""} == {**wrong.json(), "request_id": ""}

    settings.SHOP_RATE_LIMIT = Rate(100, 60)
    statuses = [api.get(f"/api/v1/orders/{guess}").status_code for guess in list(guesses)[:110]]
    assert statuses == [404] * 100 + [429] * 10
