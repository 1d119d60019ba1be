"""Passwords: changed by those who know them, reset by those who read the mail."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.core import mail
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from accounts import tasks
from accounts.models import RefreshToken, User
from accounts.permissions import Attempts
from accounts.services import customer_for_history
from accounts.services.links import Purpose, link_token
from shop.models import OutboxMessage
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/auth/token"
RESET = "/api/v1/auth/password/reset"
CONFIRM = "/api/v1/auth/password/reset/confirm"
CHANGE = "/api/v1/auth/password/change"
ME = "/api/v1/me"
NEW = "brass-lantern-61"


def logs_in(api: APIClient, user: User, password: str) -> bool:
    body = {"email": user.email, "password": password}
    status: int = api.post(TOKEN, body, headers={"Authorization": ""}).status_code
    return status == 200


def mail_of_reset() -> str:
    message = OutboxMessage.objects.get(topic="accounts.password_reset_requested")
    tasks.send_password_reset(message_id=str(message.pk), payload=message.payload)
    return str(mail.outbox[-1].body)


# Changing


def test_a_changed_password_ends_every_session(
    api: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    user = make.customer()
    make.session(user)
    make.signed_in(api, user)
    assert api.get(ME).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        response = api.post(CHANGE, {"current_password": make.PASSWORD, "new_password": NEW})

    assert (response.status_code, response.content) == (204, b"")
    assert api.get(ME).status_code == 401
    assert not RefreshToken.objects.filter(revoked_at=None).exists()
    assert not logs_in(api, user, make.PASSWORD)
    assert logs_in(api, user, NEW)
    message = OutboxMessage.objects.get()
    assert (message.topic, message.payload["user_id"]) == ("accounts.password_changed", user.pk)
    tasks.send_password_changed(message_id=str(message.pk), payload=message.payload)
    assert [m.to for m in mail.outbox] == [[user.email]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"current_password": "wrong", "new_password": NEW}, 422, "wrong_password"),
        ({"current_password": make.PASSWORD, "new_password": "short"}, 400, "malformed_request"),
        (
            {"current_password": make.PASSWORD, "new_password": "password123"},
            400,
            "malformed_request",
        ),
        ({"new_password": NEW}, 400, "malformed_request"),
        (
            {"current_password": make.PASSWORD, "new_password": NEW, "user": 1},
            400,
            "malformed_request",
        ),
    ],
)
def test_a_refused_change_changes_nothing(
    api: APIClient, body: dict[str, object], status: int, code: str
) -> None:
    user = make.customer()
    make.signed_in(api, user)

    response = api.post(CHANGE, body)

    assert response.status_code == status
    assert response.json()["code"] in {code, "unknown_field"}
    assert api.get(ME).status_code == 200
    assert logs_in(api, user, make.PASSWORD)
    assert OutboxMessage.objects.count() == 0


def test_a_stolen_session_cannot_guess_the_password(api: APIClient) -> None:
    user = make.customer()
    make.signed_in(api, user)
    limit = int(Attempts.LIMITS["account_here"].split("/")[0])

    statuses = [
        api.post(CHANGE, {"current_password": f"guess{n}", "new_password": NEW}).status_code
        for n in range(limit + 1)
    ]

    assert statuses == [422] * limit + [429]
    assert logs_in(api, user, make.PASSWORD)


# Resetting


def test_the_mailed_link_sets_a_new_password_once(
    api: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    user = make.customer()
    make.signed_in(api, user)
    assert api.get(ME).status_code == 200
    asked = api.post(RESET, {"email": user.email.upper()})
    found = re.search(r"http://127\.0\.0\.1:8000/reset-password#token=(\S+)", mail_of_reset())
    assert found is not None

    with django_capture_on_commit_callbacks(execute=True):
        first = api.post(CONFIRM, {"token": found.group(1), "password": NEW})
    second = api.post(CONFIRM, {"token": found.group(1), "password": "copper-kettle-83"})

    assert (asked.status_code, first.status_code, first.content) == (202, 204, b"")
    assert (second.status_code, second.json()["code"]) == (400, "invalid_link")
    assert logs_in(api, user, NEW)
    assert api.get(ME).status_code == 401
    user.refresh_from_db()
    assert user.email_verified_at is not None  # the mail was read


def test_asking_tells_nothing_about_the_address(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    known = make.customer().email
    off = make.customer(is_active=False).email

    answers = []
    for email in (known, off, "nobody@example.com"):
        # Expect 4: savepoint, who has the address, publish, release.
        with django_assert_num_queries(4):
            response = api.post(RESET, {"email": email}, headers={"X-Request-ID": "same-for-all"})
        del response["RateLimit"]  # counts what was asked, whatever the answer
        answers.append((response.status_code, response.content, dict(response.headers)))

    assert answers[0][0] == 202
    assert all(answer == answers[0] for answer in answers)
    for message in OutboxMessage.objects.all():
        tasks.send_password_reset(message_id=str(message.pk), payload=message.payload)
    assert [m.to for m in mail.outbox] == [[known]]


def test_no_mail_goes_to_an_address_that_we_made_up(api: APIClient) -> None:
    user = customer_for_history(external_ref="12346", now=timezone.now())
    api.post(RESET, {"email": user.email})

    for message in OutboxMessage.objects.all():
        tasks.send_password_reset(message_id=str(message.pk), payload=message.payload)

    assert mail.outbox == []


@pytest.mark.parametrize(
    "kind",
    [
        "nonsense",
        "of another purpose",
        "too old",
        "password changed since",
        "disabled",
        "ended all",
    ],
)
def test_a_link_that_is_not_good_sets_nothing(api: APIClient, kind: str) -> None:
    user = make.customer()
    now = timezone.now()
    token = link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=now)
    if kind == "nonsense":
        token = "a:b"
    elif kind == "of another purpose":
        token = link_token(user=user, purpose=Purpose.VERIFY_EMAIL, now=now)
    elif kind == "too old":
        token = link_token(
            user=user, purpose=Purpose.RESET_PASSWORD, now=now - timedelta(hours=1, seconds=1)
        )
    elif kind == "password changed since":
        User.objects.update(password=make_password("meanwhile-another-1"))
    elif kind == "disabled":
        User.objects.update(is_active=False)
    else:
        User.objects.update(token_version=1)
    before = User.objects.values().get()

    response = api.post(CONFIRM, {"token": token, "password": NEW})

    assert (response.status_code, response.json()["code"]) == (400, "invalid_link")
    assert User.objects.values().get() == before
    assert OutboxMessage.objects.count() == 0


def test_a_refused_password_leaves_the_link_good(api: APIClient) -> None:
    user = make.customer()
    token = link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=timezone.now())

    refused = api.post(CONFIRM, {"token": token, "password": "password123"})
    taken = api.post(CONFIRM, {"token": token, "password": NEW})

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/password"
    assert taken.status_code == 204


def test_a_link_of_one_person_does_not_serve_for_another(api: APIClient) -> None:
    user, other = make.customer(), make.customer()
    token = link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=timezone.now())

    api.post(CONFIRM, {"token": token, "password": NEW})

    assert logs_in(api, other, make.PASSWORD)


# Keeping


def test_passwords_are_kept_by_argon2_within_the_memory_budget(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["accounts.authentication.ModestArgon2Hasher"]

    kept = make_password(make.PASSWORD)

    assert kept.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(make.PASSWORD, kept)
    assert not check_password("wrong", kept)
