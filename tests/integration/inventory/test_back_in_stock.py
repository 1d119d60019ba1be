"""Who waits for a variant is told once when it is there, and forgotten."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from inventory.models import Stock, StockSubscription
from inventory.services import (
    ReceiptLine,
    receive_stock,
    record_availability,
    subscribe_to_stock,
)
from inventory.tasks import send_back_in_stock
from shop.models import OutboxMessage
from tests.make import inventory as make
from tests.make.accounts import make_user, signed_in

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)
SUBSCRIPTIONS = "/api/v1/inventory/subscriptions"


def messages() -> list[Any]:
    return list(
        OutboxMessage.objects.filter(topic="inventory.back_in_stock")
        .order_by("id")
        .values_list("payload", flat=True)
    )


def restock(stock: Stock) -> None:
    receive_stock(
        lines=[ReceiptLine(stock.variant_id, 3)], warehouse="main", cause="dn", reason="", now=NOW
    )
    record_availability(variant_ids=[stock.variant_id], now=NOW)


def test_guests_and_customers_are_told_once_and_forgotten(api: APIClient) -> None:
    stock = make.stock(on_hand=0)
    body = {"variant_id": stock.variant_id}
    person = make_user()
    first = api.post(SUBSCRIPTIONS, {**body, "email": "Ann@Example.com"})
    again = api.post(SUBSCRIPTIONS, {**body, "email": "ann@example.com"})
    unknown = api.post(SUBSCRIPTIONS, {"variant_id": 10**12, "email": "ann@example.com"})
    own = signed_in(api, person).post(SUBSCRIPTIONS, body)
    assert {answer.status_code for answer in (first, again, unknown, own)} == {202}
    assert len({answer.content for answer in (first, again, unknown, own)}) == 1
    assert StockSubscription.objects.count() == 2
    record_availability(variant_ids=[stock.variant_id], now=NOW)
    assert messages() == []  # still out

    restock(stock)
    record_availability(variant_ids=[stock.variant_id], now=NOW)

    (payload,) = messages()
    for _ in range(2):
        send_back_in_stock(message_id="1", payload=payload)
    assert sorted(sent.to[0] for sent in mail.outbox) == sorted(["ann@example.com", person.email])
    assert stock.variant.product.title in mail.outbox[0].subject
    assert f"/products/{stock.variant.product.slug}" in str(mail.outbox[0].body)
    assert not StockSubscription.objects.exists()


def test_a_mail_that_is_not_taken_counts_as_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = make.stock(on_hand=0)
    subscribe_to_stock(variant_id=stock.variant_id, customer=None, email="ann@example.com", now=NOW)
    restock(stock)
    (payload,) = messages()

    def refuse(_: object) -> None:
        raise OSError("no mail server")

    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
        with pytest.raises(OSError, match="no mail server"):
            send_back_in_stock.run(message_id="1", payload=payload)
    assert StockSubscription.objects.count() == 1

    send_back_in_stock(message_id="1", payload=payload)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("body", "is_customer"),
    [
        ({}, False),
        ({"variant_id": 1}, False),
        ({"variant_id": 1, "email": "nobody"}, False),
        ({"variant_id": "1", "email": "ann@example.com"}, False),
        ({"variant_id": 10**30, "email": "ann@example.com"}, False),
        ({"variant_id": 1, "email": "ann@example.com", "name": "Ann"}, False),
        ({"variant_id": 1, "email": "ann@example.com"}, True),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_stored(
    api: APIClient, body: dict[str, Any], is_customer: bool
) -> None:
    if is_customer:
        signed_in(api, make_user())

    assert api.post(SUBSCRIPTIONS, body).status_code == 400
    assert not StockSubscription.objects.exists()


def test_announcing_takes_the_same_queries_for_any_number_who_wait() -> None:
    counts = []
    for size in (1, 90):
        stock = make.stock(on_hand=0)
        for number in range(size):
            subscribe_to_stock(
                variant_id=stock.variant_id,
                customer=None,
                email=f"ann{number}@example.com",
                now=NOW,
            )
        with CaptureQueriesContext(connection) as made:
            restock(stock)
        counts.append(len(made))

    assert counts[0] == counts[1]
    assert [len(payload["subscription_ids"]) for payload in messages()] == [1, 90]
