"""Statements that are made once do what Django's own would."""

import uuid

import pytest
from django.db import DatabaseError
from django.db.models import Model
from django.forms.models import model_to_dict
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from cart.models import ShippingZone
from orders.models import Order, OrderEvent, Payment
from shop.db.inserting import insert_all, update_with
from shop.db.updating import update_of, update_row
from shop.models import OutboxMessage
from tests.make import orders as make

pytestmark = pytest.mark.django_db


def values(row: Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_payment_is_locked_as_a_queryset_would_lock_it(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    placed = make.placed((make.variant(), 2))
    expected = Payment.objects.locked().get(pk=placed.payment.pk)

    with django_assert_num_queries(1) as asked:
        payment = Payment.objects.locked_one(placed.payment.pk)

    assert payment is not None
    assert values(payment) == values(expected)
    assert values(payment.order) == values(expected.order)
    assert payment == expected
    assert asked[0]["sql"].endswith("FOR NO KEY UPDATE OF o, p")
    assert Payment.objects.locked_one(uuid.uuid4()) is None


def test_what_is_named_is_changed_and_nothing_else(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    order = make.placed((make.variant(), 1)).order
    order.confirmed_at = timezone.now()
    order.billing_address = {"name": "Ada", "line1": "ünï\\code"}
    order.cancel_reason = "not written"

    with django_assert_num_queries(1):
        update_row(order, ["billing_address", "confirmed_at"])

    kept = Order.objects.get(pk=order.pk)
    assert values(kept) == {**values(order), "cancel_reason": ""}


def test_a_row_that_is_not_there_or_a_field_that_is_none_is_an_error() -> None:
    zone = ShippingZone(pk=2**40, name="Nowhere")

    with pytest.raises(DatabaseError, match="did not find"):
        update_row(zone, ["name"])
    with pytest.raises(ValueError, match="no fields"):
        update_row(zone, ["name", "colour"])


@pytest.mark.parametrize("size", [0, 1, 20])
def test_rows_get_their_keys_in_one_statement(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [
        OutboxMessage(topic="order.confirmed", key=f"order:{n}", payload={"v": n, "é": [None]})
        for n in range(size)
    ]

    with django_assert_num_queries(min(size, 1)):
        insert_all(rows)

    kept = list(OutboxMessage.objects.order_by("pk"))
    assert kept == rows
    assert [model_to_dict(one) for one in kept] == [model_to_dict(one) for one in rows]
    assert [one.created_at for one in kept] == [one.created_at for one in rows]


def message(number: int) -> OutboxMessage:
    return OutboxMessage(topic="order.confirmed", key=f"order:{number}", payload={"v": number})


def test_a_row_is_changed_and_others_are_written_in_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    order = make.placed((make.variant(), 1)).order
    order.version, order.cancel_reason = 7, "not written"
    events = [OrderEvent(order=order, kind="CONFIRMED", happened_at=timezone.now())]
    messages = [message(1), message(2)]

    with django_assert_num_queries(1):
        update_with(order, ["version"], [*events, *messages])

    assert values(Order.objects.get(pk=order.pk)) == {**values(order), "cancel_reason": ""}
    assert values(OrderEvent.objects.get(kind="CONFIRMED")) == values(events[0])
    kept = list(OutboxMessage.objects.filter(pk__in=[one.pk for one in messages]).order_by("pk"))
    assert [values(one) for one in kept] == [values(one) for one in messages]


def test_rows_of_other_tables_are_changed_beside_it(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    placed = make.placed((make.variant(), 1))
    order, payment = placed.order, placed.payment
    order.version, payment.failure_code, payment.token = 7, "100% sure", "not written"

    with django_assert_num_queries(1):
        update_with(order, ["version"], [message(1)], beside=[update_of(payment, ["failure_code"])])

    assert Order.objects.get(pk=order.pk).version == 7
    kept = Payment.objects.get(pk=payment.pk)
    assert (kept.failure_code, kept.token != "not written") == ("100% sure", True)
    assert OutboxMessage.objects.filter(key="order:1").count() == 1


def test_nothing_is_written_beside_a_row_that_is_not_there() -> None:
    before = OutboxMessage.objects.count()

    with pytest.raises(DatabaseError, match="did not find"):
        update_with(ShippingZone(pk=2**40, name="Nowhere"), ["name"], [message(1)])

    assert OutboxMessage.objects.count() == before
