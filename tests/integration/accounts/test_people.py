"""Staff made by command, customers of another system, doors for views, and what rows may be."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from accounts.models import RefreshToken, User
from accounts.permissions import SignedIn, signed_in_user, user_or_none
from accounts.services import customer_for_history, customers_for_history
from shop.errors import Unauthenticated
from shop.http.permissions import staff
from shop.http.views import ApiView
from tests.make import accounts as make

pytestmark = pytest.mark.django_db


# ensure_staff


def ensure_staff(email: str, password: str) -> str:
    out = StringIO()
    call_command("ensure_staff", email=email, password=password, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_makes_a_superuser_and_tells_no_secret() -> None:
    said = ensure_staff("Boss@Example.com", "made-up-by-me")

    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser, user.is_active) == (
        "boss@example.com",
        True,
        True,
        True,
    )
    assert user.check_password("made-up-by-me")
    assert "made-up" not in said
    assert "boss" not in said.lower()


def test_the_command_is_repeatable() -> None:
    ensure_staff("boss@example.com", make.PASSWORD)
    make.session(User.objects.get())
    before = User.objects.values().get()

    ensure_staff("boss@example.com", make.PASSWORD)

    assert User.objects.values().get() == before
    assert RefreshToken.objects.filter(revoked_at=None).count() == 1


def test_the_command_raises_who_is_there_and_replaces_a_password() -> None:
    user = make.customer(email="boss@example.com", is_active=False)

    ensure_staff("boss@example.com", "another-word-77")

    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser, user.is_active) == (True, True, True)
    assert user.check_password("another-word-77")


def test_the_command_can_leave_who_is_there_alone() -> None:
    make.customer(email="boss@example.com")
    before = User.objects.values().get()

    for email in ("boss@example.com", "new@example.com"):
        call_command(
            "ensure_staff",
            email=email,
            password="another-word-77",
            if_missing=True,
            stdout=StringIO(),
        )

    assert User.objects.values().get(email="boss@example.com") == before
    assert User.objects.get(email="new@example.com").is_superuser


@pytest.mark.parametrize(("email", "password"), [("", "x"), ("nobody", "x"), ("a@b.example", "")])
def test_the_command_wants_both(email: str, password: str) -> None:
    with pytest.raises(CommandError):
        ensure_staff(email, password)

    assert User.objects.count() == 0


# History


def test_customers_of_another_system_are_made_once() -> None:
    now = timezone.now()
    known = customer_for_history(external_ref="12346", now=now)

    found = customers_for_history(["12346", "12347", "12347"], now=now)

    assert found.keys() == {"12346", "12347"}
    assert found["12346"] == known
    assert customers_for_history(["12346", "12347"], now=now) == found
    assert User.objects.count() == 2
    new = found["12347"]
    assert new.created_at == now
    assert not new.has_usable_password()
    assert not new.is_reachable
    assert new.email.endswith(".invalid")


@pytest.mark.parametrize("size", [1, 300])
def test_they_take_the_same_queries_for_any_number(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    refs = [str(number) for number in range(size)]

    # Expect 3: who is known, make the others, read those. The other 2 are the savepoint.
    with django_assert_num_queries(5):
        assert len(customers_for_history(refs, now=timezone.now())) == size
    # Expect 1 the second time: who is known.
    with django_assert_num_queries(3):
        customers_for_history(refs, now=timezone.now())


def test_no_customers_are_no_trouble() -> None:
    assert customers_for_history([], now=timezone.now()) == {}


# Permissions


class _Door(ApiView):
    def get(self, request: Request) -> Response:
        user = user_or_none(request)
        return Response({"who": user.pk if user else None})


def knock(permission: type[BasePermission], user: User | None) -> int:
    token = f"Bearer {make.session(user).access}" if user else ""
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=token)
    view: Any = _Door.as_view(permission_classes=[permission])
    status: int = view(request).status_code
    return status


def test_who_passes_which_door() -> None:
    door = staff("accounts.change_user")
    retired = make.staff("accounts.change_user")
    User.objects.filter(pk=retired.pk).update(is_staff=False)
    people = {
        "nobody": None,
        "customer": make.customer(),
        "staff without": make.staff("accounts.view_user"),
        "staff with": make.staff("accounts.change_user"),
        "retired": retired,
        "superuser": make.superuser(),
    }

    assert {who: knock(door, user) for who, user in people.items()} == {
        "nobody": 401,
        "customer": 403,
        "staff without": 403,
        "staff with": 200,
        "retired": 403,
        "superuser": 200,
    }
    assert {who: knock(SignedIn, user) for who, user in people.items()} == {
        who: 401 if who == "nobody" else 200 for who in people
    }


def test_a_guest_is_no_user() -> None:
    request = Request(APIRequestFactory().get("/"))

    assert user_or_none(request) is None
    with pytest.raises(Unauthenticated):
        signed_in_user(request)


# Rows


def test_an_address_of_e_mail_is_kept_in_one_form_only() -> None:
    user = make.customer(email="Ada@Example.com")
    assert user.email == "ada@example.com"

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(email="Ada@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ADA@example.com", make.PASSWORD)


def test_a_user_s_name_in_a_log_tells_no_address() -> None:
    assert str(make.customer(email="ada@example.com", full_name="")) == "a***@e***.com"
    assert "ada" not in repr(make.customer(email="ada@else.example", full_name=""))


def test_users_are_found_by_e_mail_in_any_spelling() -> None:
    user = make.customer(email="ada@example.com")

    assert User.objects.get_by_natural_key(" ADA@example.com") == user
