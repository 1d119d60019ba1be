"""Changing one's address: who may, who is told, and what the mailed token is good for."""

import re
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tasks
from accounts.errors import LinkNotValid
from accounts.models import EmailChange, RefreshToken, User
from accounts.services import confirm_email, confirm_email_change, prune_email_changes
from accounts.services.links import Purpose, link_token
from shop.models import OutboxMessage
from shop.privacy import email_hash
from tests.concurrency import in_background
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

ASK = "/api/v1/me/email"
CONFIRM = "/api/v1/auth/email/confirm"
NEW = "jane.new@example.org"


def deliver() -> None:
    handlers = {
        "accounts.email_change_requested": tasks.send_email_change_link,
        "accounts.email_changed": tasks.send_email_changed,
    }
    for message in OutboxMessage.objects.all():
        for _ in range(2):  # at least once
            handlers[message.topic](message_id=str(message.pk), payload=message.payload)


def token_to(address: str) -> str:
    (letter,) = [one for one in mail.outbox if one.to == [address]]
    found = re.search(r"#token=(\S+)", str(letter.body))
    assert found is not None
    return found.group(1)


@pytest.fixture
def user() -> User:
    return make.customer(email="jane@example.com")


def ask(api: APIClient, user: User, new_email: str = NEW, password: str = make.PASSWORD) -> Any:
    return make.signed_in(api, user).post(ASK, {"new_email": new_email, "password": password})


def test_the_new_address_confirms_and_both_are_told(api: APIClient, user: User) -> None:
    assert ask(api, user, "Jane.New@Example.org").status_code == 202
    assert NEW not in str(list(OutboxMessage.objects.values_list("payload", "key")))
    deliver()
    assert [one.to for one in mail.outbox] == [[NEW], ["jane@example.com"]]
    assert "j***@e***.org" in mail.outbox[1].body
    assert NEW not in str(mail.outbox[1].body)
    assert User.objects.get().email == "jane@example.com"

    assert APIClient().post(CONFIRM, {"token": token_to(NEW)}).status_code == 204

    changed = User.objects.get()
    assert (changed.email, changed.email_hash) == (NEW, email_hash(NEW))
    assert changed.email_verified_at is not None
    assert not RefreshToken.objects.filter(revoked_at=None).exists()
    mail.outbox.clear()
    deliver()
    assert [one.to for one in mail.outbox] == [["jane@example.com"], [NEW]]
    make.session(changed)


def test_a_token_is_good_once_and_for_an_hour(api: APIClient, user: User) -> None:
    make.email_change(user, NEW)
    now = timezone.now()
    token = link_token(user=user, purpose=Purpose.CHANGE_EMAIL, now=now)
    with pytest.raises(LinkNotValid):
        confirm_email_change(token=token, now=now + timedelta(hours=1, seconds=1))
    confirm_email_change(token=token, now=now)

    assert APIClient().post(CONFIRM, {"token": token}).json()["code"] == "invalid_link"


def test_a_token_is_for_one_person_one_purpose_and_one_wish(user: User) -> None:
    other = make.customer()
    make.email_change(user, NEW)
    now = timezone.now()
    token = link_token(user=user, purpose=Purpose.CHANGE_EMAIL, now=now)
    wrong = [
        link_token(user=other, purpose=Purpose.CHANGE_EMAIL, now=now),
        link_token(user=user, purpose=Purpose.VERIFY_EMAIL, now=now),
        link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=now),
    ]
    for one in wrong:
        with pytest.raises(LinkNotValid):
            confirm_email_change(token=one, now=now)
    with pytest.raises(LinkNotValid):
        confirm_email(token=token, now=now)

    make.email_change(user, "another@example.org")
    with pytest.raises(LinkNotValid):
        confirm_email_change(token=token, now=now)

    assert User.objects.get(pk=user.pk).email == "jane@example.com"
    assert User.objects.get(pk=other.pk).email == other.email


@pytest.mark.django_db(transaction=True)
def test_of_two_that_come_with_one_link_one_changes_the_address() -> None:
    """Control: without the lock of the account both do, and both addresses are told twice."""
    user = make.customer(email="jane@example.com")
    make.email_change(user, NEW)
    token = link_token(user=user, purpose=Purpose.CHANGE_EMAIL, now=timezone.now())
    confirm = partial(confirm_email_change, token=token, now=timezone.now())

    with ExitStack() as background:
        with transaction.atomic():
            confirm()
            waiting = background.enter_context(in_background(confirm))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        with pytest.raises(LinkNotValid):
            waiting.result(timeout=60)

    assert User.objects.get().email == NEW
    assert OutboxMessage.objects.filter(topic="accounts.email_changed").count() == 1


def test_a_new_password_ends_the_wish(user: User) -> None:
    make.email_change(user, NEW)
    token = link_token(user=user, purpose=Purpose.CHANGE_EMAIL, now=timezone.now())
    user.set_password("another-harbour-43")
    user.save(update_fields=["password"])

    with pytest.raises(LinkNotValid):
        confirm_email_change(token=token, now=timezone.now())


def test_a_known_address_gets_the_same_answer_and_its_owner_a_mail(user: User) -> None:
    owner = make.customer(email=NEW)
    known, unknown = ask(APIClient(), user), ask(APIClient(), user, "nobody@example.org")

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    OutboxMessage.objects.all().delete()
    mail.outbox.clear()
    ask(APIClient(), user)
    deliver()
    assert [one.subject for one in mail.outbox if one.to == [owner.email]] == [
        "Your e-mail address"
    ]
    assert "token" not in str([one.body for one in mail.outbox])


def test_an_address_that_was_taken_meanwhile_is_not_had_twice(user: User) -> None:
    make.email_change(user, NEW)
    token = link_token(user=user, purpose=Purpose.CHANGE_EMAIL, now=timezone.now())
    make.customer(email=NEW)

    with pytest.raises(LinkNotValid):
        confirm_email_change(token=token, now=timezone.now())

    assert User.objects.get(pk=user.pk).email == "jane@example.com"
    assert EmailChange.objects.get().confirmed_at is None


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"password": "wrong-harbour-42"}, 422, "wrong_password"),
        ({"new_email": "JANE@example.com"}, 400, "malformed_request"),
        ({"new_email": "nowhere"}, 400, "malformed_request"),
    ],
)
def test_what_is_refused_leaves_nothing(
    api: APIClient, user: User, changes: dict[str, str], status: int, code: str
) -> None:
    answer = ask(api, user, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not EmailChange.objects.exists()
    assert not OutboxMessage.objects.exists()


def test_nobody_sends_many_mails_to_strangers(api: APIClient, user: User) -> None:
    answers = [ask(api, user, f"stranger{number}@example.org").status_code for number in range(6)]

    assert answers == [202] * 5 + [429]


def test_wishes_are_forgotten_after_a_day(user: User) -> None:
    make.email_change(user, NEW)

    assert prune_email_changes(now=timezone.now() + timedelta(hours=23)) == 0
    assert prune_email_changes(now=timezone.now() + timedelta(hours=25)) == 1
