"""Staff see contact data and addresses masked; a look in full is allowed and written down."""

import re
from unittest import mock

import pytest
from django.contrib import admin
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Address, User
from orders.models import RetainedInvoiceData
from orders.services import request_erasure
from shop.models import PiiAccess
from shop.privacy.admin import MaskedAdmin
from shop.privacy.registry import DataClass, tables
from tests.make import accounts as make_accounts
from tests.make import orders as make

pytestmark = pytest.mark.django_db

VIEW = ("accounts.view_user", "accounts.view_address", "orders.view_order",
        "orders.view_retainedinvoicedata")  # fmt: skip
CHANGE = (*VIEW, "accounts.change_user", "accounts.change_address")
SEE = "shop.view_personal_data"
SECRETS = ("jane.doe@example.com", "+447700900123", "12 St James", "SW1Y 4JH")


@pytest.fixture
def pages() -> dict[str, str]:
    """Return the pages that tell of one person, by table."""
    user = make_accounts.customer(email="jane.doe@example.com", phone="+447700900123")
    address = make_accounts.address(user, phone="+447700900123")
    order = make.sold((make.variant(), 1), customer=user).order
    kept = RetainedInvoiceData.objects.create(
        order=order, order_number=order.number, email=order.email,
        shipping_address=order.shipping_address, billing_address=order.billing_address,
        total_minor=1, currency="GBP", sold_at=timezone.now(), created_at=timezone.now(),
        keep_until=timezone.now().date(),
    )  # fmt: skip
    return {
        "accounts.User": f"/admin/accounts/user/{user.pk}/",
        "accounts.Address": f"/admin/accounts/address/{address.pk}/",
        "orders.Order": f"/admin/orders/order/{order.pk}/",
        "orders.RetainedInvoiceData": f"/admin/orders/retainedinvoicedata/{kept.pk}/",
    }


def clerk(client: Client, *permissions: str) -> User:
    user = make_accounts.staff(*permissions)
    client.force_login(user)
    return user


@pytest.mark.parametrize("permissions", [VIEW, CHANGE, (*CHANGE, SEE)])
def test_lists_and_pages_are_masked_for_everybody(
    client: Client, pages: dict[str, str], permissions: tuple[str, ...]
) -> None:
    clerk(client, *permissions)

    for page in pages.values():
        for path in (f"{page}change/", re.sub(r"\d+/$", "", page)):
            answer = client.get(path)
            assert answer.status_code == 200, path
            text = answer.content.decode()
            assert not [secret for secret in SECRETS if secret in text], path
    assert "j***@e***.com" in client.get(f"{pages['orders.Order']}change/").content.decode()
    assert not PiiAccess.objects.exists()


@pytest.mark.parametrize("label", ["accounts.User", "accounts.Address", "orders.Order",
                                   "orders.RetainedInvoiceData"])  # fmt: skip
@pytest.mark.parametrize("may_change", [True, False])
def test_a_look_in_full_is_written_down(
    client: Client, pages: dict[str, str], label: str, may_change: bool
) -> None:
    who = clerk(client, SEE, *(CHANGE if may_change else VIEW))
    page = pages[label]
    assert "Show in full" in client.get(f"{page}change/").content.decode()
    assert client.get(f"{page}look/").status_code == 200
    assert client.post(f"{page}look/", {"reason": ""}).status_code == 200
    assert not PiiAccess.objects.exists()

    answer = client.post(
        f"{page}look/", {"reason": "The parcel came back"}, headers={"X-Request-ID": "look-00001"}
    )
    shown = client.get(answer["Location"]).content.decode()

    assert [secret for secret in SECRETS if secret in shown.replace("&#x27;", "'")]
    look = PiiAccess.objects.get()
    assert (look.actor_id, look.table, look.row) == (who.pk, label, page.split("/")[-2])
    assert (look.reason, look.request_id) == ("The parcel came back", "look-00001")
    assert look.fields == ", ".join(
        sorted(
            name for name, one in tables()[label].fields.items()
            if one.data_class in {DataClass.CONTACT, DataClass.ADDRESS}
            and name not in {"city", "region"}
        )
    )  # fmt: skip


def test_without_the_permission_there_is_no_look(client: Client, pages: dict[str, str]) -> None:
    clerk(client, *CHANGE)

    for page in pages.values():
        assert "Show in full" not in client.get(f"{page}change/").content.decode()
        assert client.post(f"{page}look/", {"reason": "Mischief"}).status_code == 403

    assert not PiiAccess.objects.exists()


def test_with_it_alone_there_is_no_look_either(client: Client, pages: dict[str, str]) -> None:
    clerk(client, SEE)

    for page in pages.values():
        assert client.post(f"{page}look/", {"reason": "Mischief"}).status_code == 403

    assert not PiiAccess.objects.exists()


def test_a_ticket_is_good_for_its_owner_its_row_and_ten_minutes(
    client: Client, pages: dict[str, str], settings: Settings
) -> None:
    settings.SHOP_STAFF_IDLE_SECONDS = 10**10  # it is the ticket that gets old
    clerk(client, SEE, *CHANGE)
    opened = client.post(f"{pages['orders.Order']}look/", {"reason": "A call"})["Location"]
    ticket = opened.partition("?")[2]
    assert "12 St James" in client.get(opened).content.decode()

    other_row = client.get(f"{pages['accounts.Address']}change/?{ticket}")
    forged = client.get(f"{pages['orders.Order']}change/?look=:x:y")
    with mock.patch("django.core.signing.time.time", return_value=9e9):
        late = client.get(opened)
    other = Client()
    clerk(other, SEE, *CHANGE)
    elsewhere = other.get(opened)

    for answer in (other_row, forged, late, elsewhere):
        assert answer.status_code == 200
        assert "12 St James" not in answer.content.decode()


def test_what_is_masked_is_not_changed_by_a_form_that_names_it(
    client: Client, pages: dict[str, str]
) -> None:
    clerk(client, *CHANGE)

    client.post(
        f"{pages['accounts.Address']}change/",
        {**make_accounts.address_fields(line1="1 Elsewhere"), "owner": User.objects.first().pk},  # type: ignore[union-attr]
    )

    assert Address.objects.get().line1 == "12 St James's Square"


def test_looks_are_shown_and_never_changed(client: Client, pages: dict[str, str]) -> None:
    client.force_login(make_accounts.superuser())
    client.post(f"{pages['orders.Order']}look/", {"reason": "A call"})
    look = PiiAccess.objects.get()

    assert b"A call" in client.get("/admin/shop/piiaccess/").content
    assert client.get(f"/admin/shop/piiaccess/{look.pk}/change/").status_code == 200
    assert client.post(f"/admin/shop/piiaccess/{look.pk}/change/", {}).status_code == 403
    assert client.post(f"/admin/shop/piiaccess/{look.pk}/delete/", {"post": "y"}).status_code == 403

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        PiiAccess.objects.update(reason="Another")


def test_every_table_that_staff_see_with_contacts_or_addresses_is_masked() -> None:
    open_tables = []
    for model, screen in admin.site._registry.items():
        table = tables().get(model._meta.label)
        classes = {one.data_class for one in table.personal.values()} if table else set()
        if classes & {DataClass.CONTACT, DataClass.ADDRESS} and not isinstance(screen, MaskedAdmin):
            open_tables.append(model._meta.label)

    assert open_tables == []


@pytest.mark.parametrize("size", [1, 12])
def test_masked_lists_take_the_same_queries_for_any_number(client: Client, size: int) -> None:
    client.force_login(make_accounts.superuser())
    for _ in range(size):
        user = make_accounts.customer()
        make.sold((make.variant(), 1), customer=user)
        request_erasure(user=user, password=make_accounts.PASSWORD, now=timezone.now())
    client.get("/admin/orders/erasure/")

    # Expect 4: session, who asks, how many, the rows.
    for path in ("/admin/orders/erasure/", "/admin/shop/piiaccess/"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        assert len(queries) == 4, path
