"""Registering, verifying the address, and what the mails say."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts import services, tasks
from accounts.models import User
from shop.models import OutboxMessage
from shop.privacy import email_hash
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

REGISTER = "/api/v1/auth/register"
VERIFY = "/api/v1/auth/verify-email"


def deliver() -> None:
    """Run the task of every message that waits, as the relay and a worker would."""
    for message in OutboxMessage.objects.filter(published_at=None):
        handlers = {
            "accounts.registered": tasks.send_verification,
            "accounts.registration_repeated": tasks.send_registration_notice,
            "accounts.password_reset_requested": tasks.send_password_reset,
            "accounts.password_changed": tasks.send_password_changed,
            "accounts.session_reused": tasks.send_session_ended,
        }
        handlers[message.topic](message_id=str(message.pk), payload=message.payload)


def mailed_token() -> str:
    found = re.search(r"#token=(\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found.group(1)


def test_a_new_account_can_log_in_at_once(api: APIClient) -> None:
    response = api.post(
        REGISTER,
        {
            "email": " Ada@Example.COM ",
            "password": make.PASSWORD,
            "full_name": "Ada Byron",
            "phone": "07700 900123",
        },
    )

    assert response.status_code == 202
    assert response.json().keys() == {"detail"}
    user = User.objects.get()
    assert (user.email, user.full_name, user.phone) == (
        "ada@example.com",
        "Ada Byron",
        "+447700900123",
    )
    assert user.email_hash == email_hash("ada@example.com")
    assert user.email_verified_at is None
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)
    assert user.password.startswith("md5$")  # the tests' quick hasher, and not the password
    token = api.post("/api/v1/auth/token", {"email": "ADA@example.com", "password": make.PASSWORD})
    assert token.status_code == 200


def test_a_known_address_gets_the_same_answer_and_its_owner_a_mail(api: APIClient) -> None:
    fresh = api.post(REGISTER, {"email": "new@example.com", "password": make.PASSWORD})
    owner = make.customer(email="known@example.com", full_name="Ada Byron")
    password = owner.password

    known = api.post(
        REGISTER,
        {"email": "Known@Example.com", "password": "another-word-77", "full_name": "Mallory"},
    )

    assert (known.status_code, known.content) == (fresh.status_code, fresh.content)
    ids = {"X-Request-ID", "RateLimit"}  # the latter counts what was asked, whatever the answer
    assert {k: v for k, v in known.headers.items() if k not in ids} == {
        k: v for k, v in fresh.headers.items() if k not in ids
    }
    owner.refresh_from_db()
    assert (owner.full_name, owner.password) == ("Ada Byron", password)
    assert User.objects.count() == 2
    OutboxMessage.objects.filter(topic="accounts.registered").delete()
    deliver()
    assert [m.to for m in mail.outbox] == [["known@example.com"]]
    assert "Mallory" not in str(mail.outbox[0].body)


def test_a_known_address_takes_the_same_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make.customer(email="known@example.com")

    # Expect 5: savepoint, insert unless it is there, who has the address, publish, release.
    for email in ("known@example.com", "new@example.com"):
        with django_assert_num_queries(5):
            api.post(REGISTER, {"email": email, "password": make.PASSWORD})


def test_a_disabled_owner_is_not_written_to(api: APIClient) -> None:
    make.customer(email="known@example.com", is_active=False)

    response = api.post(REGISTER, {"email": "known@example.com", "password": make.PASSWORD})
    deliver()

    assert response.status_code == 202
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"email": "not-an-address"}, "/email", "invalid"),
        ({"email": None}, "/email", "null"),
        ({"email": "a" * 250 + "@example.com"}, "/email", "max_length"),
        ({"email": "a\x00b@example.com"}, "/email", None),
        ({"password": "short"}, "/password", "min_length"),
        ({"password": 1234567890}, "/password", "invalid"),
        ({"password": "x9-" * 50}, "/password", "max_length"),
        ({"password": "password123"}, "/password", "password_too_common"),
        ({"password": "ada@example.com"}, "/password", "password_too_similar"),
        ({"phone": "not a number"}, "/phone", "invalid"),
        ({"phone": {"a": 1}}, "/phone", "invalid"),
        ({"full_name": "x" * 201}, "/full_name", "max_length"),
        ({"is_staff": True}, "/is_staff", "unknown_field"),
        ({"id": 1}, "/id", "unknown_field"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    api: APIClient, changes: dict[str, object], pointer: str, code: str | None
) -> None:
    body = {"email": "ada@example.com", "password": make.PASSWORD, **changes}

    response = api.post(REGISTER, body)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    errors = response.json()["errors"]
    assert errors[0]["pointer"] == pointer
    assert code is None or errors[0]["code"] == code
    assert User.objects.count() == 0
    assert OutboxMessage.objects.count() == 0


def test_the_mailed_link_verifies_the_address_once(api: APIClient) -> None:
    api.post(REGISTER, {"email": "ada@example.com", "password": make.PASSWORD})
    deliver()
    token = mailed_token()

    first = api.post(VERIFY, {"token": token})
    second = api.post(VERIFY, {"token": token})

    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, second.json()["code"]) == (400, "invalid_link")
    assert User.objects.get().email_verified_at is not None


def test_the_mail_has_text_and_html_and_nothing_that_a_stranger_typed(api: APIClient) -> None:
    api.post(
        REGISTER,
        {
            "email": "ada@example.com",
            "password": make.PASSWORD,
            "full_name": "Win at https://evil.example",
        },
    )

    deliver()

    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    (html,) = message.alternatives
    text, markup = str(message.body), str(html[0])
    assert message.to == ["ada@example.com"]
    assert "\n" not in str(message.subject)
    assert "evil" not in text + markup
    assert html[1] == "text/html"
    assert "http://127.0.0.1:8000/verify-email#token=" in text
    assert "http://127.0.0.1:8000/verify-email#token=" in markup


def test_a_message_that_comes_twice_is_one_mail(api: APIClient) -> None:
    api.post(REGISTER, {"email": "ada@example.com", "password": make.PASSWORD})

    deliver()
    deliver()

    assert len(mail.outbox) == 1


def test_a_verified_address_gets_no_link_again(api: APIClient) -> None:
    make.customer(email="known@example.com", email_verified_at=timezone.now())
    api.post(REGISTER, {"email": "known@example.com", "password": make.PASSWORD})

    deliver()

    assert "token=" not in str(mail.outbox[0].body)


@pytest.mark.parametrize("kind", ["nonsense", "of another purpose", "too old", "tampered"])
def test_a_link_that_is_not_good_verifies_nothing(api: APIClient, kind: str) -> None:
    user = make.customer()
    now = timezone.now()
    link = services.links.link_token
    purpose = services.links.Purpose
    good = link(user=user, purpose=purpose.VERIFY_EMAIL, now=now)
    token = {
        "nonsense": "x.y",
        "of another purpose": link(user=user, purpose=purpose.RESET_PASSWORD, now=now),
        "too old": link(user=user, purpose=purpose.VERIFY_EMAIL, now=now - timedelta(days=4)),
        "tampered": good[:10] + ("A" if good[10] != "A" else "B") + good[11:],
    }[kind]

    response = api.post(VERIFY, {"token": token})

    user.refresh_from_db()
    assert (response.status_code, response.json()["code"]) == (400, "invalid_link")
    assert user.email_verified_at is None


def test_the_same_idempotency_key_gives_the_first_answer_again(api: APIClient) -> None:
    body = {"email": "ada@example.com", "password": make.PASSWORD}

    first = api.post(REGISTER, body, headers={"Idempotency-Key": "k1"})
    again = api.post(REGISTER, body, headers={"Idempotency-Key": "k1"})

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again["Idempotent-Replayed"] == "true"
    assert OutboxMessage.objects.count() == 1  # its owner is not told of a second attempt


def test_addresses_do_not_reach_the_log(
    api: APIClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    api.post(REGISTER, {"email": "canary@example.com", "password": make.PASSWORD})
    deliver()
    api.post("/api/v1/auth/token", {"email": "canary@example.com", "password": "wrong-word"})
    api.post("/api/v1/auth/password/reset", {"email": "canary@example.com"})

    captured = capfd.readouterr()
    assert "canary" not in captured.out + captured.err + caplog.text
