"""What passes for a password: long enough and not what everybody takes, of any shape."""

import pytest
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.links import Purpose, link_token
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/auth/token"

GOOD = {
    "eight characters": "vq7k-m2x",
    "letters alone": "wobblyharbourlantern",
    "digits alone": "8305261749",
    "one letter over and over, long": "zq" * 64,
    "128 characters": "harbour lantern " * 8,
    "spaces at both ends": "  two spaces  ",
    "other scripts": "пароль-гавань",
    "signs": "🦭🦭🦭🦭🦭🦭🦭🦭",
}
BAD = {
    "seven characters": ("vq7k-m2", "min_length"),
    "129 characters": ("harbour lantern " * 8 + "x", "max_length"),
    "what everybody takes": ("iloveyou1", "password_too_common"),
    "the same in capitals": ("ILoveYou1", "password_too_common"),
    "a walk over the keys": ("1qaz2wsx", "password_too_common"),
    "what leaked and is not in Django's list": ("zzxxccvv", "password_too_common"),
    "a composition rule's darling": ("P@ssw0rd", "password_too_common"),
    "one's own address": ("ada.byron@example.com", "password_too_similar"),
    "one's own name": ("adabyron", "password_too_similar"),
}


def register(api: APIClient, password: str) -> tuple[int, str]:
    body = {"email": "ada.byron@example.com", "full_name": "Ada Byron", "password": password}
    answer = api.post("/api/v1/auth/register", body)
    return answer.status_code, answer.json().get("errors", [{"code": ""}])[0]["code"]


@pytest.mark.parametrize("kind", GOOD)
def test_a_password_of_any_shape_is_taken_to_the_letter(api: APIClient, kind: str) -> None:
    assert register(api, GOOD[kind]) == (202, "")

    login = {"email": "ada.byron@example.com", "password": GOOD[kind]}
    assert api.post(TOKEN, login).status_code == 200
    assert api.post(TOKEN, {**login, "password": GOOD[kind][:-1]}).status_code == 401


@pytest.mark.parametrize("kind", BAD)
def test_a_password_that_is_guessed_first_is_refused_everywhere(api: APIClient, kind: str) -> None:
    password, code = BAD[kind]
    assert register(api, password) == (400, code)
    assert not User.objects.exists()

    user = make.customer(email="ada.byron@example.com", full_name="Ada Byron")
    token = link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=timezone.now())
    make.signed_in(api, user)
    bodies = {
        "reset/confirm": {"token": token, "password": password},
        "change": {"current_password": make.PASSWORD, "new_password": password},
    }
    for path, body in bodies.items():
        answer = api.post(f"/api/v1/auth/password/{path}", body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    user.refresh_from_db()
    assert user.check_password(make.PASSWORD)


def test_the_list_comes_with_the_shop_and_is_long() -> None:
    # Asked of nobody over the network: Django ships what breaches had most.
    assert len(CommonPasswordValidator().passwords) > 15_000
