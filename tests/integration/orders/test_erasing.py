"""Forgetting a person: at once, wholly, repeatably, and without touching goods or money."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Address, RefreshToken, User
from cart.errors import CartUnavailable
from cart.services import CartOwner, cart_snapshot
from inventory.models import StockMovement, StockSubscription
from inventory.services import subscribe_to_stock
from orders.models import Erasure, Order, OrderEvent, Payment, RetainedInvoiceData
from orders.services import (
    cancel_order,
    carry_out_erasure,
    purge_retained_invoice_data,
    reapply_erasures,
    request_erasure,
    sweep_erasures,
)
from shop.models import IdempotencyKey, Job, OutboxMessage
from shop.privacy.registry import Erasure as End
from shop.privacy.registry import tables
from tests.make import accounts as make_accounts
from tests.make import orders as make
from tests.make.orders import Killed, killed_before

pytestmark = pytest.mark.django_db(transaction=True)

ERASE = "/api/v1/me/erase"


@pytest.fixture
def person() -> User:
    """Somebody with a bit of everything."""
    user = make_accounts.customer(
        email="jane@example.com", phone="+447700900123", email_verified_at=timezone.now()
    )
    make_accounts.address(user, phone="+447700900123")
    sold = make.sold((make.variant(), 2), customer=user).order
    Order.objects.filter(pk=sold.pk).update(billing_address=make.address(name="Jane Doe"))
    cancelled = make.placed((make.variant(), 1), customer=user).order
    cancel_order(number=cancelled.number, reason="Jane changed her mind", now=timezone.now())
    subscribe_to_stock(variant_id=make.variant().pk, customer=user, email="", now=timezone.now())
    return user


def erased(user: User, *, now: datetime | None = None) -> None:
    now = now or timezone.now()
    request_erasure(user=user, password=make_accounts.PASSWORD, now=now)
    carry_out_erasure(user_id=user.pk, now=now)


def books() -> list[Any]:
    """Return goods and money, which no erasure touches."""
    return [
        list(StockMovement.objects.order_by("id").values_list()),
        list(
            Order.objects.order_by("id").values_list(
                "number", "status", "payment_status", "total_minor", "tax_minor", "currency",
                "country", "customer", "placed_at", "lines__sku", "lines__total_minor",
            )
        ),
        list(Payment.objects.order_by("pk").values_list("status", "captured_minor")),
        list(OrderEvent.objects.order_by("id").values_list("kind", "happened_at", "actor_id")),
    ]  # fmt: skip


# Over HTTP ----------------------------------------------------------------------------------------


def test_the_owner_is_gone_at_once_and_may_come_back_as_somebody_new(
    api: APIClient, person: User
) -> None:
    make_accounts.signed_in(api, person)

    answer = api.post(ERASE, {"password": make_accounts.PASSWORD})

    assert (answer.status_code, list(answer.json())) == (202, ["detail"])
    assert api.get("/api/v1/me").status_code == 401
    credentials = {"email": "jane@example.com", "password": make_accounts.PASSWORD}
    api.credentials()
    assert api.post("/api/v1/auth/token", credentials).status_code == 401
    assert api.post("/api/v1/auth/register", credentials).status_code == 202
    assert api.post("/api/v1/auth/token", credentials).status_code == 200
    assert User.objects.filter(email="jane@example.com").exclude(pk=person.pk).count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"password": "not-it-at-all"}, 422, "wrong_password"),
        ({}, 400, "malformed_request"),
        ({"password": make_accounts.PASSWORD, "sure": True}, 400, "unknown_field"),
    ],
)
def test_nothing_happens_without_the_password(
    api: APIClient, person: User, body: dict[str, Any], status: int, code: str
) -> None:
    make_accounts.signed_in(api, person)

    answer = api.post(ERASE, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Erasure.objects.exists()
    assert User.objects.get(pk=person.pk).email == "jane@example.com"
    assert api.get("/api/v1/me").status_code == 200


def test_guessing_the_password_ends_soon(api: APIClient) -> None:
    make_accounts.signed_in(api, make_accounts.customer())

    answers = [api.post(ERASE, {"password": f"wrong-{n}"}).status_code for n in range(11)]

    assert answers == [422] * 10 + [429]


def test_nobody_erases_without_signing_in(api: APIClient) -> None:
    assert api.post(ERASE, {"password": "x"}).status_code == 401


def test_staff_are_not_erased_this_way(api: APIClient) -> None:
    clerk = make_accounts.staff()
    make_accounts.signed_in(api, clerk)

    answer = api.post(ERASE, {"password": make_accounts.PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (409, "erasure_not_possible")
    assert not Erasure.objects.exists()


# What goes and what stays -------------------------------------------------------------------------


def test_what_the_registry_says_is_what_happens(person: User) -> None:
    before = {
        table.label: list(apps.get_model(table.label)._default_manager
                          .filter(**table.rows_of(person.pk)).values())
        for table in tables().values() if table.subject
    }  # fmt: skip
    assert {"orders.Order", "accounts.Address", "inventory.StockSubscription"} <= {
        label for label, rows in before.items() if rows
    }
    was = {row["id"]: row for row in before["accounts.User"]}[person.pk]

    erased(person)

    for label, rows in before.items():
        table = tables()[label]
        left = apps.get_model(label)._default_manager.filter(**table.rows_of(person.pk))
        ends = {one.erasure for one in table.personal.values()}
        if table.subject == "author":  # the subject itself is replaced
            assert not left.exists()
            continue
        if ends == {End.DELETE}:
            assert not left.exists(), label
            continue
        assert left.count() == len(rows), label
        for row in left.values():
            for name, personal in table.personal.items():
                value = row[name]
                if personal.erasure is End.BLANK:
                    assert not value, f"{label}.{name}"
                elif personal.erasure is End.REPLACE:
                    assert "ane" not in str(value) + str(value).lower(), f"{label}.{name}"
    now = User.objects.get(pk=person.pk)
    assert now.email.endswith("@customer.invalid")
    assert now.email_hash != was["email_hash"]
    assert (now.is_active, now.has_usable_password()) == (False, False)
    assert now.token_version == was["token_version"] + 1
    assert not RefreshToken.objects.filter(user=person).exists()


def test_goods_and_money_stay_as_they_were(person: User) -> None:
    before = books()

    erased(person)

    assert books() == before
    address = Order.objects.filter(confirmed_at__isnull=False).get().shipping_address
    assert address is not None
    assert {name for name, part in address.items() if part} == {"country"}
    for command in ("reconcile_inventory", "reconcile_orders"):
        call_command(command)


def test_what_the_law_wants_of_a_sale_is_kept_apart_until_its_day(person: User) -> None:
    sold = Order.objects.get(confirmed_at__isnull=False)

    erased(person)

    kept = RetainedInvoiceData.objects.get()  # and none of the order that was never sold
    assert (kept.order, kept.email, kept.total_minor) == (sold, "jane@example.com", 2500)
    assert kept.billing_address == sold.billing_address
    assert kept.keep_until == date(sold.placed_at.year + 11, 1, 1)
    day = datetime.combine(kept.keep_until, datetime.min.time(), UTC)
    assert purge_retained_invoice_data(now=day - timedelta(seconds=1)) == 0
    assert purge_retained_invoice_data(now=day) == 1
    assert not RetainedInvoiceData.objects.exists()
    assert Order.objects.filter(pk=sold.pk, total_minor=2500).exists()


def test_a_sale_of_long_ago_keeps_nothing(person: User) -> None:
    Order.objects.update(placed_at=make.LONG_AGO, confirmed_at=make.LONG_AGO)

    erased(person)

    assert not RetainedInvoiceData.objects.exists()
    assert not Order.objects.exclude(email="").exists()


@pytest.mark.parametrize("is_verified", [True, False])
def test_guests_of_the_address_are_forgotten_if_it_was_shown_to_be_theirs(
    is_verified: bool,
) -> None:
    user = make_accounts.customer(
        email="jane@example.com", email_verified_at=timezone.now() if is_verified else None
    )
    guest = make.sold((make.variant(), 1), email="Jane@example.com").order
    other = make.sold((make.variant(), 1), email="other@example.com").order
    waits = make.variant()
    for email in ("jane@example.com", "other@example.com"):
        subscribe_to_stock(variant_id=waits.pk, customer=None, email=email, now=timezone.now())

    erased(user)

    guest.refresh_from_db()
    other.refresh_from_db()
    assert (guest.email == "", guest.erased_at is not None) == (is_verified, is_verified)
    assert other.email == "other@example.com"
    left = set(StockSubscription.objects.values_list("email", flat=True))
    assert left == {"other@example.com"} | (set() if is_verified else {"jane@example.com"})


def test_others_are_not_touched(person: User) -> None:
    other = make_accounts.customer(email="other@example.com")
    make_accounts.address(other)
    order = make.sold((make.variant(), 1), customer=other).order

    erased(person)

    before = order.shipping_address
    order.refresh_from_db()
    assert (order.email, order.shipping_address) == ("other@example.com", before)
    assert Address.objects.filter(owner=other).count() == 1


def test_cart_keys_and_files_go_too(api: APIClient, person: User) -> None:
    make.customer(api, (make.variant(), 1), user=person)
    exported = api.post(
        "/api/v1/me/export",
        {"password": make_accounts.PASSWORD},
        headers={"Idempotency-Key": "of-jane"},
    )
    assert exported.status_code == 202
    assert IdempotencyKey.objects.filter(subject=f"user:{person.pk}").count() == 1

    erased(person)

    assert cart_snapshot(owner=CartOwner(person.pk, None)).lines == ()
    assert not IdempotencyKey.objects.filter(subject=f"user:{person.pk}").exists()
    assert not Job.objects.filter(owner_id=person.pk).exists()


# Killed, repeated, missed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "orders.services.erasing.forget_subscriptions",
        "orders.services.erasing.forget_jobs_of",
        "orders.services.erasing._emptied",
        "orders.services.erasing.clear",
    ],
)
def test_killed_anywhere_the_sweep_goes_on(person: User, place: str) -> None:
    before, now = books(), timezone.now()
    request_erasure(user=person, password=make_accounts.PASSWORD, now=now)
    with killed_before(place), pytest.raises(Killed):
        carry_out_erasure(user_id=person.pk, now=now)
    assert Erasure.objects.get().finished_at is None

    assert sweep_erasures(now=now + timedelta(minutes=3)) == 1

    assert books() == before
    assert not Order.objects.exclude(email="").exists()
    assert RetainedInvoiceData.objects.count() == 1
    assert not StockSubscription.objects.exists()
    erasure = Erasure.objects.get()
    assert (erasure.finished_at, erasure.email_hashes) == (now + timedelta(minutes=3), [])
    assert sweep_erasures(now=now + timedelta(minutes=9)) == 0


def test_repeated_it_changes_nothing_more(person: User) -> None:
    now = timezone.now()
    erased(person, now=now)
    first = list(User.objects.values()), list(Order.objects.order_by("pk").values())

    assert carry_out_erasure(user_id=person.pk, now=now) is False  # one more look is due
    assert carry_out_erasure(user_id=person.pk, now=now + timedelta(minutes=3)) is True
    assert carry_out_erasure(user_id=person.pk, now=now + timedelta(minutes=4)) is True

    assert (list(User.objects.values()), list(Order.objects.order_by("pk").values())) == first
    assert RetainedInvoiceData.objects.count() == 1


def test_what_was_on_its_way_is_found_by_the_last_look(person: User) -> None:
    now = timezone.now()
    erased(person, now=now)
    late = make.placed((make.variant(), 1), customer=person).order
    Order.objects.filter(pk=late.pk).update(email="jane@example.com")
    make_accounts.address(person)
    User.objects.filter(pk=person.pk).update(full_name="Jane Doe")

    sweep_erasures(now=now + timedelta(minutes=3))

    late.refresh_from_db()
    assert (late.email, late.erased_at is not None) == ("", True)
    assert not Address.objects.filter(owner=person).exists()
    assert User.objects.get(pk=person.pk).full_name == ""
    assert Erasure.objects.get().finished_at is not None


def test_while_the_cart_s_store_is_away_it_waits(person: User) -> None:
    now = timezone.now()
    request_erasure(user=person, password=make_accounts.PASSWORD, now=now)
    with mock.patch("orders.services.erasing.clear", side_effect=CartUnavailable("away")):
        assert sweep_erasures(now=now + timedelta(minutes=3)) == 0

    assert not Order.objects.exclude(email="").exists()
    assert sweep_erasures(now=now + timedelta(minutes=8)) == 1


def test_a_worker_is_told(person: User) -> None:
    request_erasure(user=person, password=make_accounts.PASSWORD, now=timezone.now())

    message = OutboxMessage.objects.get(topic="order.erasure_requested")
    assert message.payload == {"v": 1, "user_id": person.pk}


def test_a_restored_backup_is_erased_again(person: User, tmp_path: Any, capsys: Any) -> None:
    erased(person)
    call_command("erasures")
    listed = tmp_path / "erasures"
    listed.write_text(capsys.readouterr().out)
    # As the backup had them.
    User.objects.filter(pk=person.pk).update(
        email="jane@example.com", full_name="Jane Doe", erased_at=None
    )
    Order.objects.update(email="jane@example.com", erased_at=None)
    Erasure.objects.all().delete()
    RetainedInvoiceData.objects.all().delete()

    call_command("erasures", "--apply", str(listed))

    assert "1 of 1" in capsys.readouterr().out
    assert not User.objects.filter(Q(email="jane@example.com") | Q(full_name="Jane Doe")).exists()
    assert not Order.objects.exclude(email="").exists()
    assert reapply_erasures(people=[person.public_id], now=timezone.now()) == 0


@pytest.mark.parametrize("size", [1, 20])
def test_takes_the_same_statements_for_any_number_of_orders(size: int) -> None:
    user = make_accounts.customer()
    sold = make.variant(on_hand=100)
    for _ in range(size):
        make.sold((sold, 1), customer=user)
    now = timezone.now()
    request_erasure(user=user, password=make_accounts.PASSWORD, now=now)
    ContentType.objects.get_for_model(User)  # a process asks for it once

    with CaptureQueriesContext(connection) as queries:
        carry_out_erasure(user_id=user.pk, now=now)

    # Expect 42: the erasure; the account once more (17); subscriptions, reviews and keys, each in a
    # transaction (9); jobs; the first ids; of the batch (12) begin, orders, what is kept, the
    # orders' columns, the providers' events, payments, refunds, returns, the events' words between
    # two settings, commit; and the look that finds no more.
    assert len(queries) == 42, [query["sql"][:60] for query in queries]


# The database itself ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "detail = 'another word'",
        "detail = '', kind = 'PLACED'",
        "detail = '', happened_at = now()",
        "detail = '', actor_id = 7",
    ],
)
def test_events_are_emptied_of_words_and_of_nothing_else(person: User, change: str) -> None:
    event = OrderEvent.objects.get(kind="CANCELLED")
    assert event.detail == "Jane changed her mind"

    refused = partial(pytest.raises, DatabaseError, match="append-only")
    with refused():
        OrderEvent.objects.filter(pk=event.pk).update(detail="")
    with refused():
        _while_erasing(f"UPDATE orders_orderevent SET {change} WHERE id = %s", event.pk)  # noqa: S608
    with refused():
        _while_erasing("DELETE FROM orders_orderevent WHERE id = %s", event.pk)


@transaction.atomic
def _while_erasing(statement: str, event_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL shop.erasing = 'on'")
        cursor.execute(statement, [event_id])
