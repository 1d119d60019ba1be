import hashlib
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from shop import idempotency
from shop.http.json import dumps
from shop.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Scope,
    StoredAnswer,
    claim,
    complete,
    discard,
)
from shop.models import IdempotencyKey
from shop.privacy import keyed_digest
from tests.concurrency import in_background

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCOPE = Scope(subject="user:1", route="POST checkout", key="k", request_hash="a")
ANSWER = StoredAnswer(201, {"Content-Type": "application/json"}, b'{"number":"X"}')


def test_the_first_answer_comes_back_byte_for_byte() -> None:
    complete(claim(SCOPE, now=NOW).id, ANSWER)

    again = claim(SCOPE, now=NOW + timedelta(hours=71))

    assert not again.is_new
    assert again.answer == ANSWER


def test_the_stored_body_is_not_readable_at_rest() -> None:
    complete(claim(SCOPE, now=NOW).id, ANSWER)

    row = IdempotencyKey.objects.get()

    assert b"number" not in bytes(row.response_body or b"")


def test_another_request_with_the_same_key_is_refused() -> None:
    complete(claim(SCOPE, now=NOW).id, ANSWER)

    with pytest.raises(IdempotencyKeyReused):
        claim(Scope(SCOPE.subject, SCOPE.route, SCOPE.key, "b"), now=NOW)

    assert IdempotencyKey.objects.count() == 1


def test_another_principal_has_keys_of_its_own() -> None:
    complete(claim(SCOPE, now=NOW).id, ANSWER)

    other = claim(Scope("user:2", SCOPE.route, SCOPE.key, SCOPE.request_hash), now=NOW)

    assert other.is_new


def test_a_twin_of_a_running_request_is_told_to_wait() -> None:
    claim(SCOPE, now=NOW)

    with pytest.raises(IdempotencyInProgress) as refused:
        claim(SCOPE, now=NOW + timedelta(seconds=29))

    assert refused.value.facts["retry_after"] == 1


def test_after_half_a_minute_a_retry_goes_on_where_the_first_was_killed() -> None:
    first = claim(SCOPE, now=NOW, resource="order:7")

    second = claim(SCOPE, now=NOW + timedelta(seconds=31))

    assert (second.id, second.is_new, second.resource) == (first.id, False, "order:7")
    with pytest.raises(IdempotencyInProgress):  # and a third one waits for the second
        claim(SCOPE, now=NOW + timedelta(seconds=60))


def test_a_discarded_key_is_as_good_as_new() -> None:
    discard(claim(SCOPE, now=NOW).id)

    assert claim(SCOPE, now=NOW).is_new


def test_an_answer_once_given_is_never_overwritten() -> None:
    first = claim(SCOPE, now=NOW)
    complete(first.id, ANSWER)

    complete(first.id, StoredAnswer(500, {}, b"other"))
    discard(first.id)

    assert claim(SCOPE, now=NOW).answer == ANSWER


def test_pruning_takes_only_what_is_over() -> None:
    complete(claim(SCOPE, now=NOW).id, ANSWER)

    assert idempotency.prune(now=NOW + timedelta(hours=24)) == 0
    assert idempotency.prune(now=NOW + timedelta(days=4)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_key_is_claimed_only_inside_a_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        claim(SCOPE, now=NOW)

    assert IdempotencyKey.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_twin_that_would_have_to_wait_is_told_to_come_again() -> None:
    """A claim that is not committed yet cannot be read: the lock on it is all there is to see."""
    is_claimed, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            claim(SCOPE, now=NOW)
            is_claimed.set()
            may_end.wait(60)

    with in_background(first):
        is_claimed.wait(60)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '100ms'")
                with pytest.raises(IdempotencyInProgress), transaction.atomic():
                    claim(SCOPE, now=NOW)
        finally:
            may_end.set()

    with transaction.atomic():
        assert not claim(SCOPE, now=NOW + timedelta(minutes=2)).is_new


def test_what_a_request_said_cannot_be_guessed_from_what_is_stored(api: APIClient) -> None:
    """Passwords are in these bodies: without a key nobody may try them against the digest."""
    body = {"email": "jane@example.com", "password": "correct horse 9"}
    api.post("/api/v1/auth/register", body, headers={"Idempotency-Key": "k"})

    row = IdempotencyKey.objects.get()

    said = b"/api/v1/auth/register\0" + dumps(body)
    assert row.request_hash == keyed_digest("idempotency.request", said)
    assert row.request_hash != hashlib.sha256(said).hexdigest()


def test_a_trailing_slash_is_the_same_request(api: APIClient) -> None:
    body = {"email": "jane@example.com", "password": "correct horse 9"}
    first = api.post("/api/v1/auth/register", body, headers={"Idempotency-Key": "k"})
    again = api.post("/api/v1/auth/register/", body, headers={"Idempotency-Key": "k"})

    assert again.status_code == 202
    assert again["Idempotent-Replayed"] == "true"
    assert again.content == first.content


def test_bodies_that_are_no_objects_are_told_apart(api: APIClient) -> None:
    api.post("/api/v1/auth/register", 1, "json", headers={"Idempotency-Key": "k"})
    other = api.post("/api/v1/auth/register", 2, "json", headers={"Idempotency-Key": "k"})

    assert other.json()["code"] == "idempotency_key_reused"
