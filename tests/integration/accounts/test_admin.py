"""The screens of staff."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Address, RefreshToken, User
from shop.privacy import email_hash
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

USERS = "/admin/accounts/user/"
ADDRESSES = "/admin/accounts/address/"
SESSIONS = "/admin/accounts/refreshtoken/"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(make.superuser())
    return client


def test_staff_log_in_by_e_mail(client: Client) -> None:
    user = make.superuser()

    response = client.post(
        "/admin/login/?next=/admin/",
        {"username": user.email.upper(), "password": make.PASSWORD},
    )

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_customers_do_not_log_in_there(client: Client) -> None:
    user = make.customer()

    response = client.post("/admin/login/", {"username": user.email, "password": make.PASSWORD})

    assert response.status_code == 200
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("path", [USERS, ADDRESSES, SESSIONS, "/admin/auth/group/"])
@pytest.mark.parametrize("size", [2, 12])
def test_a_list_takes_the_same_queries_for_any_number(
    boss: Client, path: str, size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(size):
        user = make.customer()
        make.address(user)
        make.session(user)
        Group.objects.create(name=f"role {number}")
    boss.get(path)

    # Expect 4 (users 5): session, who asks, how many, the rows; for users the groups to filter by.
    with django_assert_num_queries(5 if path == USERS else 4):
        response = boss.get(path)

    assert response.status_code == 200
    assert response.content.count(b"customer") == 0 or path == "/admin/auth/group/"


@pytest.mark.parametrize(
    "query",
    ["?q=jane@example.com", "?q=JANE@example.com", "?q=Ada", "?q=ext-7", "?is_staff__exact=0"],
)
def test_people_are_found_and_shown_masked(boss: Client, query: str) -> None:
    make.customer(email="jane@example.com")
    User.objects.filter(email="jane@example.com").update(external_ref="ext-7")

    response = boss.get(USERS + query)

    assert "j***@e***.com" in response.content.decode()
    # The search box repeats what was asked for; nothing else shows the address.
    shown = re.sub(r'value="[^"]*"|\?q=[^"&<]*', "", response.content.decode())
    assert "jane@example.com" not in shown.lower().replace(query[3:].lower(), "")


def test_addresses_and_sessions_are_found(boss: Client) -> None:
    user = make.customer(email="jane@example.com")
    make.address(user)
    make.session(user)
    family = RefreshToken.objects.get().family

    assert b"London" in boss.get(f"{ADDRESSES}?q=jane@example.com").content
    assert b"London" in boss.get(f"{ADDRESSES}?q=SW1Y 4JH").content
    assert str(family).encode() in boss.get(f"{SESSIONS}?q={family}").content


@pytest.mark.parametrize("path", [USERS, ADDRESSES, SESSIONS])
def test_a_person_s_pages_open(
    boss: Client, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    user = make.customer()
    ids = {USERS: user.pk, ADDRESSES: make.address(user).pk}
    make.session(user)
    ids[SESSIONS] = RefreshToken.objects.get().pk

    with django_assert_max_num_queries(20):
        response = boss.get(f"{path}{ids[path]}/change/")

    assert response.status_code == 200
    assert user.email.encode() not in response.content
    assert RefreshToken.objects.get().token_hash.encode() not in response.content


def test_sessions_are_read_only(boss: Client) -> None:
    make.session(make.customer())
    token = RefreshToken.objects.get()

    assert boss.get(f"{SESSIONS}add/").status_code == 403
    assert (
        boss.post(f"{SESSIONS}{token.pk}/change/", {"used_at_0": "2026-01-01"}).status_code == 403
    )
    assert boss.post(f"{SESSIONS}{token.pk}/delete/", {"post": "yes"}).status_code == 403
    assert RefreshToken.objects.values().get()["id"] == token.pk


def test_a_person_is_added(boss: Client) -> None:
    response = boss.post(
        f"{USERS}add/",
        {
            "email": "New.Colleague@Example.com",
            "full_name": "Hedy Lamarr",
            "usable_password": "true",
            "password1": make.PASSWORD,
            "password2": make.PASSWORD,
        },
    )

    assert response.status_code == 302, response.content
    user = User.objects.get(full_name="Hedy Lamarr")
    assert user.email == "new.colleague@example.com"
    assert user.email_hash == email_hash("new.colleague@example.com")
    assert user.check_password(make.PASSWORD)
    assert not user.is_staff


def test_an_address_that_is_taken_is_refused(boss: Client) -> None:
    make.customer(email="jane@example.com")

    response = boss.post(
        f"{USERS}add/",
        {
            "email": "Jane@example.com",
            "usable_password": "true",
            "password1": make.PASSWORD,
            "password2": make.PASSWORD,
        },
    )

    assert response.status_code == 200
    assert User.objects.filter(email__icontains="jane").count() == 1


def test_a_password_set_by_staff_ends_the_sessions(boss: Client) -> None:
    user = make.customer()
    make.session(user)

    page = boss.get(f"{USERS}{user.pk}/password/")
    response = boss.post(
        f"{USERS}{user.pk}/password/",
        {
            "usable_password": "true",
            "password1": "brass-lantern-61",
            "password2": "brass-lantern-61",
            "set-password": "1",
        },
    )

    assert (page.status_code, response.status_code) == (200, 302)
    user.refresh_from_db()
    assert user.check_password("brass-lantern-61")
    assert user.token_version == 1
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def change_form(user: User, **changes: object) -> dict[str, object]:
    ticked = {"is_active": "on"} if user.is_active else {}
    return {"full_name": user.full_name, "phone": user.phone, **ticked, **changes}


def test_disabling_ends_the_sessions(boss: Client) -> None:
    user = make.customer()
    make.session(user)

    form = change_form(user)
    del form["is_active"]
    response = boss.post(f"{USERS}{user.pk}/change/", form)

    user.refresh_from_db()
    assert response.status_code == 302
    assert not user.is_active
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def test_sessions_are_ended_from_the_list(boss: Client) -> None:
    user = make.customer()
    make.session(user)

    response = boss.post(USERS, {"action": "end_sessions", "_selected_action": [user.pk]})

    assert response.status_code == 302
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def test_staff_cannot_raise_themselves(client: Client) -> None:
    clerk = make.staff("accounts.view_user", "accounts.change_user")
    chief = make.superuser()
    client.force_login(clerk)

    client.post(f"{USERS}{clerk.pk}/change/", change_form(clerk, is_superuser="on", is_staff="on"))
    taken_over = client.post(
        f"{USERS}{chief.pk}/password/",
        {
            "usable_password": "true",
            "password1": "brass-lantern-61",
            "password2": "brass-lantern-61",
        },
    )

    clerk.refresh_from_db()
    chief.refresh_from_db()
    assert not clerk.is_superuser
    assert clerk.is_staff
    assert taken_over.status_code == 403
    assert chief.check_password(make.PASSWORD)


def test_nobody_is_deleted(boss: Client) -> None:
    user = make.customer()

    assert boss.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_an_address_is_changed_by_the_same_rules(boss: Client) -> None:
    user = make.customer()
    address = make.address(user)
    form = {**make.address_fields(), "owner": user.pk}

    page = f"{ADDRESSES}{address.pk}/"
    masked = boss.post(f"{page}change/", {**form, "phone": "07700 900999"})
    opened = boss.post(f"{page}look/", {"reason": "They rang"})["Location"]
    wrong = boss.post(opened, {**form, "phone": "none"})
    right = boss.post(opened, {**form, "phone": "07700 900123"})

    assert (masked.status_code, wrong.status_code, right.status_code) == (302, 200, 302)
    assert Address.objects.get().phone == "+447700900123"


@pytest.mark.parametrize("path", [USERS, ADDRESSES, SESSIONS])
def test_staff_without_the_permission_see_nothing(client: Client, path: str) -> None:
    client.force_login(make.staff())

    assert client.get(path).status_code == 403
