from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from shop import idempotency
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
        claim(SCOPE, now=NOW + timedelta(seconds=59))

    assert refused.value.facts["retry_after"] == 1


def test_after_a_minute_a_retry_goes_on_where_the_first_was_killed() -> None:
    first = claim(SCOPE, now=NOW, resource="order:7")

    second = claim(SCOPE, now=NOW + timedelta(seconds=61))

    assert (second.id, second.is_new, second.resource) == (first.id, False, "order:7")
    with pytest.raises(IdempotencyInProgress):  # and a third one waits for the second
        claim(SCOPE, now=NOW + timedelta(seconds=62))


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
