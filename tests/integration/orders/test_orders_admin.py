"""The staff screens: searchable, the same queries for many rows, and read-only."""

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.models import Order, Refund
from orders.services import (
    CreditLine,
    RefundPart,
    ReturnPart,
    issue_credit_note,
    receive_return,
    refund_order,
)
from tests.make import accounts as make_accounts
from tests.make import orders as make

pytestmark = pytest.mark.django_db

MODELS = [model for model in admin.site._registry if model._meta.app_label == "orders"]


@pytest.fixture
def clerk() -> Client:
    client = Client()
    client.force_login(make_accounts.superuser())
    return client


def _everything() -> Order:
    """Make one row of nearly every table."""
    now = timezone.now()
    placed = make.sold((make.variant(), 3), customer=make_accounts.customer())
    line = placed.lines[0]
    refund_order(
        order=placed.order,
        amount_minor=100,
        lines=[RefundPart(line.pk, 0, 100)],
        reason="A scratch",
        reference=f"r{placed.order.pk}",
        now=now,
    )
    receive_return(
        order=placed.order,
        lines=[ReturnPart(line.pk, 1)],
        reason="Too many",
        reference=f"t{placed.order.pk}",
        now=now,
    )
    issue_credit_note(
        currency="GBP",
        lines=[CreditLine(None, "D", "Discount", 1, 500, 500)],
        reason="A friend",
        now=now,
        warehouse="main",
        external_ref=f"C{placed.order.pk}",
    )
    make.placed((make.variant(), 1), customer=make_accounts.customer())
    return placed.order


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_take_the_same_queries_for_many_rows(clerk: Client, model: type[Model]) -> None:
    path = reverse(f"admin:orders_{model._meta.model_name}_changelist")
    _everything()
    clerk.get(path)  # what is read once, such as content types
    with CaptureQueriesContext(connection) as few:
        assert clerk.get(path).status_code == 200
    for _ in range(3):
        _everything()

    with CaptureQueriesContext(connection) as many:
        assert clerk.get(path).status_code == 200

    assert len(many) == len(few)
    assert clerk.get(path, {"q": "nothing-like-it"}).status_code == 200


def test_an_order_is_shown_with_all_that_hangs_on_it_and_no_form(clerk: Client) -> None:
    order = _everything()

    page = clerk.get(reverse("admin:orders_order_change", args=[order.pk]))

    text = page.content.decode()
    assert page.status_code == 200
    for shown in (order.number, "37.50 GBP", "A scratch", "Too many", "1***"):
        assert shown in text
    assert order.email not in text
    assert "12 St James" not in text
    assert 'name="_save"' not in text


@pytest.mark.parametrize("term", ["number", "email", "hash", "sku"])
def test_an_order_is_found_by_number_address_hash_and_sku(clerk: Client, term: str) -> None:
    sought = make.sold((make.variant(), 1), email="sought@example.com")
    other = make.sold((make.variant(), 1), email="other@example.com")
    terms = {
        "number": sought.order.number.lower(),
        "email": " Sought@Example.com",
        "hash": sought.order.email_hash,
        "sku": sought.lines[0].sku,
    }

    page = clerk.get(reverse("admin:orders_order_changelist"), {"q": terms[term]})

    text = page.content.decode()
    assert sought.order.number in text
    assert other.order.number not in text


@pytest.mark.django_db(transaction=True)
def test_staff_cancel_through_the_service(clerk: Client) -> None:
    sold = make.variant(on_hand=5)
    order = make.sold((sold, 2)).order

    answer = clerk.post(
        reverse("admin:orders_order_changelist"),
        {"action": "cancel_orders", "_selected_action": [order.pk]},
        follow=True,
    )

    assert answer.status_code == 200
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("CANCELLED", "REFUNDED")
    assert make.units(sold) == (5, 0)
    assert Refund.objects.get().actor_id is not None


@pytest.mark.django_db(transaction=True)
def test_staff_cancel_one_from_its_page(clerk: Client) -> None:
    order = make.sold().order

    path = reverse("admin:orders_order_cancel_order", args=[order.pk])
    asked = clerk.get(path)
    order.refresh_from_db()
    assert (asked.status_code, order.status) == (200, "CONFIRMED")

    answer = clerk.post(path, {"reason": "They rang"})

    assert answer.status_code == 302
    order.refresh_from_db()
    assert (order.status, order.cancel_reason) == ("CANCELLED", "They rang")


def test_staff_without_the_permission_cannot_cancel(clerk: Client) -> None:
    order = make.sold().order
    viewer = Client()
    viewer.force_login(make_accounts.staff("orders.view_order"))

    page = viewer.get(reverse("admin:orders_order_changelist"))
    path = reverse("admin:orders_order_cancel_order", args=[order.pk])
    answer = viewer.post(path, {"reason": "Mischief"})

    assert page.status_code == 200
    assert answer.status_code == 403
    order.refresh_from_db()
    assert order.status == "CONFIRMED"
