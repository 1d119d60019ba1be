"""Logging in, refreshing and logging out."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import jwt
import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from accounts import selectors, services
from accounts.errors import RefreshTokenNotValid, TokenReused
from accounts.models import RefreshToken, User
from accounts.permissions import Attempts
from accounts.services import SessionTokens
from shop.models import OutboxMessage
from tests.concurrency import in_background
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/auth/token"
REFRESH = "/api/v1/auth/token/refresh"
LOGOUT = "/api/v1/auth/logout"
LOGOUT_ALL = "/api/v1/auth/logout-all"
ME = "/api/v1/me"


def bearer(tokens: SessionTokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access}"}


def exchange(refresh: str, **later: int) -> SessionTokens:
    outcome = services.refresh_session(refresh=refresh, now=timezone.now() + timedelta(**later))
    assert isinstance(outcome, SessionTokens)
    return outcome


# Logging in


def test_the_right_password_opens_a_session(api: APIClient) -> None:
    user = make.customer(email="ada@example.com")

    response = api.post(TOKEN, {"email": " ADA@example.com", "password": make.PASSWORD})

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"access", "refresh", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert response["Cache-Control"] == "private, no-store"
    claims = jwt.decode(body["access"], options={"verify_signature": False})
    token = RefreshToken.objects.get()
    assert claims["sub"] == str(user.public_id)
    assert claims["sid"] == str(token.family)
    assert body["refresh"] not in str(vars(token))  # only its hash is kept
    assert len(body["refresh"]) == 43


def test_every_wrong_log_in_gets_one_answer(api: APIClient) -> None:
    make.customer(email="ada@example.com")
    make.customer(email="off@example.com", is_active=False)
    make.customer(email="imported@example.com", password=None)

    answers = []
    for email, password in [
        ("ada@example.com", "wrong-password"),
        ("nobody@example.com", make.PASSWORD),
        ("off@example.com", make.PASSWORD),
        ("imported@example.com", make.PASSWORD),
        ("imported@example.com", ""),
    ]:
        body = {"email": email, "password": password or "!"}
        response = api.post(TOKEN, body, headers={"X-Request-ID": "the-same-for-all"})
        del response["RateLimit"]  # counts what was asked, whatever the answer
        answers.append((response.status_code, response.content, dict(response.headers)))

    assert answers[0][0] == 401
    assert b'"code":"invalid_credentials"' in answers[0][1]
    assert answers[0][2]["WWW-Authenticate"].startswith("Bearer")
    assert all(answer == answers[0] for answer in answers)
    assert RefreshToken.objects.count() == 0


@pytest.mark.parametrize("email", ["nobody@example.com", "ada@example.com"])
def test_a_wrong_log_in_hashes_once_and_asks_once(
    api: APIClient,
    email: str,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.customer(email="ada@example.com")
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(hasher: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(salt)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)

    # Expect 1: who has the address.
    with django_assert_num_queries(1):
        api.post(TOKEN, {"email": email, "password": "wrong-password"})

    assert len(hashed) == 1


def test_fifty_people_behind_one_address_may_log_in(api: APIClient) -> None:
    users = [make.customer() for _ in range(50)]

    statuses = {
        api.post(TOKEN, {"email": user.email, "password": make.PASSWORD}).status_code
        for user in users
    }

    assert statuses == {200}


def test_guessing_at_one_account_is_stopped(api: APIClient) -> None:
    make.customer(email="ada@example.com")
    make.customer(email="bob@example.com")
    limit = int(Attempts.LIMITS["account_here"].split("/")[0])
    for _ in range(limit):
        assert api.post(TOKEN, {"email": "ada@example.com", "password": "x"}).status_code == 401

    stopped = api.post(TOKEN, {"email": "Ada@example.com", "password": make.PASSWORD})
    elsewhere = api.post(
        TOKEN, {"email": "ada@example.com", "password": make.PASSWORD}, REMOTE_ADDR="192.0.2.7"
    )
    other = api.post(TOKEN, {"email": "bob@example.com", "password": make.PASSWORD})

    assert (stopped.status_code, stopped.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(stopped["Retry-After"]) <= 300
    assert elsewhere.status_code == 200  # the owner, at home
    assert other.status_code == 200


def test_nobody_can_be_locked_out_by_others(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.customer(email="ada@example.com")
    monkeypatch.setitem(Attempts.LIMITS, "account", "12/h")
    wrong = {"email": "ada@example.com", "password": "x"}
    right = {"email": "ada@example.com", "password": make.PASSWORD}
    for n in range(4):  # from four networks, none of which is over its own limit
        for _ in range(3):
            assert api.post(TOKEN, wrong, REMOTE_ADDR=f"192.0.2.{n}").status_code == 401

    owner = api.post(TOKEN, right, REMOTE_ADDR="198.51.100.1")
    guesser = api.post(TOKEN, wrong, REMOTE_ADDR="192.0.2.1")
    another = [api.post(TOKEN, wrong, REMOTE_ADDR="203.0.113.9").status_code for _ in range(3)]
    owner_again = api.post(TOKEN, right, REMOTE_ADDR="198.51.100.1")

    assert owner.status_code == 200
    assert (guesser.status_code, guesser.json()["code"]) == (429, "rate_limited")
    assert another == [401, 401, 429]  # a network that comes anew gets two more
    assert owner_again.status_code == 200


def test_an_account_that_nobody_has_is_stopped_alike(api: APIClient) -> None:
    limit = int(Attempts.LIMITS["account_here"].split("/")[0])

    statuses = [
        api.post(TOKEN, {"email": "nobody@example.com", "password": "x"}).status_code
        for _ in range(limit + 1)
    ]

    assert statuses == [401] * limit + [429]


def test_guessing_at_many_accounts_from_one_network_is_stopped(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Attempts.LIMITS, "address", "5/5m")
    addresses = [f"2001:db8:1:2::{n}" for n in range(1, 7)]  # one /64

    statuses = [
        api.post(
            TOKEN, {"email": f"x{n}@example.com", "password": "x"}, REMOTE_ADDR=address
        ).status_code
        for n, address in enumerate(addresses)
    ]

    assert statuses == [401] * 5 + [429]


# Being signed in


def test_a_hot_read_asks_the_database_nothing_about_who_asks(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make.signed_in(api, make.customer())
    api.get("/api/v1/me/addresses")

    # Expect 1: the page.
    with django_assert_num_queries(1):
        assert api.get("/api/v1/me/addresses").status_code == 200


def test_a_token_of_a_disabled_user_is_refused(api: APIClient) -> None:
    user = make.customer()
    make.signed_in(api, user)
    User.objects.update(is_active=False)
    selectors.forget_all_sessions()

    response = api.get(ME)

    assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_a_deleted_user_is_refused(api: APIClient) -> None:
    user = make.customer()
    make.signed_in(api, user)
    user.delete()
    selectors.forget_all_sessions()

    assert api.get(ME).status_code == 401


def test_what_is_remembered_of_a_session_is_forgotten_by_itself(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make.customer()
    make.signed_in(api, user)
    assert api.get("/api/v1/me/addresses").status_code == 200
    User.objects.update(is_active=False)  # behind the back of this process
    assert api.get("/api/v1/me/addresses").status_code == 200
    later = time.monotonic() + 30

    monkeypatch.setattr("shop.cache.memory.time.monotonic", lambda: later)

    assert api.get("/api/v1/me/addresses").status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer a b",
        "Bearer x",
        "Bearer é",
        "Bearer ..",
        "bearer",
        "Token x",
        "Basic eA==",
        "",
    ],
)
def test_what_is_no_token_signs_nobody_in(api: APIClient, header: str) -> None:
    response = api.get(ME, headers={"Authorization": header})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(api: APIClient) -> None:
    tokens = make.session(make.customer())

    as_access = api.get(ME, headers={"Authorization": f"Bearer {tokens.refresh}"})
    as_refresh = api.post(REFRESH, {"refresh": tokens.access[:200]})

    assert (as_access.status_code, as_refresh.status_code) == (401, 401)
    assert RefreshToken.objects.get().used_at is None


def test_an_old_access_token_does_not_keep_one_from_logging_in(api: APIClient) -> None:
    user = make.customer()

    response = api.post(
        TOKEN,
        {"email": user.email, "password": make.PASSWORD},
        headers={"Authorization": "Bearer stale"},
    )

    assert response.status_code == 200


# Refreshing


def test_a_refresh_token_is_exchanged_for_a_new_pair(api: APIClient) -> None:
    first = make.session(make.customer())

    response = api.post(REFRESH, {"refresh": first.refresh})

    body = response.json()
    assert response.status_code == 200
    assert body.keys() == {"access", "refresh", "token_type", "expires_in"}
    assert body["refresh"] != first.refresh
    old, new = RefreshToken.objects.order_by("id")
    assert old.used_at is not None
    assert (new.parent_id, new.family, new.used_at) == (old.pk, old.family, None)
    assert new.expires_at == old.expires_at  # a session does not outlive its thirty days
    assert api.get(ME, headers={"Authorization": f"Bearer {body['access']}"}).status_code == 200


def test_two_honest_refreshes_that_cross_get_the_same_successor(api: APIClient) -> None:
    first = make.session(make.customer())

    one = api.post(REFRESH, {"refresh": first.refresh})
    other = api.post(REFRESH, {"refresh": first.refresh})

    assert (one.status_code, other.status_code) == (200, 200)
    assert one.json()["refresh"] == other.json()["refresh"]
    assert RefreshToken.objects.count() == 2
    assert api.post(REFRESH, {"refresh": one.json()["refresh"]}).status_code == 200


@pytest.mark.parametrize("case", ["later", "successor used"])
def test_a_spent_token_that_comes_back_ends_the_session(
    api: APIClient,
    case: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    user = make.customer()
    first = make.session(user)
    other_session = make.session(user)
    second = exchange(first.refresh)
    newest = second
    if case == "successor used":
        newest = exchange(second.refresh)
    else:
        RefreshToken.objects.filter(used_at__isnull=False).update(
            used_at=timezone.now() - timedelta(seconds=11)
        )
    assert api.get(ME, headers=bearer(newest)).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        reused = api.post(REFRESH, {"refresh": first.refresh})

    assert (reused.status_code, reused.json()["code"]) == (401, "token_reused")
    newest_again = api.post(REFRESH, {"refresh": newest.refresh})
    assert (newest_again.status_code, newest_again.json()["code"]) == (401, "invalid_refresh_token")
    assert api.get(ME, headers=bearer(newest)).status_code == 401
    assert api.post(REFRESH, {"refresh": first.refresh}).json()["code"] == "token_reused"
    assert list(OutboxMessage.objects.values_list("topic", "payload")) == [
        ("accounts.session_reused", {"v": 1, "user_id": user.pk})
    ]
    # The other sessions of that person go on.
    assert api.post(REFRESH, {"refresh": other_session.refresh}).status_code == 200


def test_a_reused_token_ends_the_session_under_an_idempotency_key_too(api: APIClient) -> None:
    first = make.session(make.customer())
    exchange(exchange(first.refresh).refresh)

    reused = api.post(REFRESH, {"refresh": first.refresh}, headers={"Idempotency-Key": "k"})

    assert (reused.status_code, reused.json()["code"]) == (401, "token_reused")
    assert not RefreshToken.objects.filter(revoked_at=None).exists()


def spoil(change: dict[str, object]) -> Callable[[], object]:
    return lambda: RefreshToken.objects.update(**change)


@pytest.mark.parametrize(
    "spoil",
    [
        spoil({"expires_at": timezone.now() - timedelta(seconds=1)}),
        spoil({"idle_until": timezone.now() - timedelta(seconds=1)}),
        spoil({"revoked_at": timezone.now()}),
        lambda: User.objects.update(is_active=False),
        lambda: User.objects.all().delete(),
    ],
    ids=["over", "idle", "revoked", "disabled", "deleted"],
)
def test_a_refresh_token_that_is_not_good_gives_nothing(
    api: APIClient, spoil: Callable[[], object]
) -> None:
    first = make.session(make.customer())
    spoil()
    before = list(RefreshToken.objects.values())

    response = api.post(REFRESH, {"refresh": first.refresh})

    assert (response.status_code, response.json()["code"]) == (401, "invalid_refresh_token")
    assert list(RefreshToken.objects.values()) == before


def test_a_twin_gets_nothing_once_the_account_is_disabled() -> None:
    first = make.session(make.customer())
    exchange(first.refresh)
    User.objects.update(is_active=False)

    assert isinstance(
        services.refresh_session(refresh=first.refresh, now=timezone.now()), TokenReused
    )


def test_an_unknown_refresh_token_is_refused(api: APIClient) -> None:
    response = api.post(REFRESH, {"refresh": "made-up"})

    assert (response.status_code, response.json()["code"]) == (401, "invalid_refresh_token")


def test_the_database_alone_opens_no_successor() -> None:
    first = make.session(make.customer())
    second = exchange(first.refresh)

    sealed = bytes(RefreshToken.objects.get(parent=None).sealed_successor or b"")

    assert sealed
    assert second.refresh.encode() not in sealed


def test_housekeeping_forgets_seals_and_sessions_long_over() -> None:
    first = make.session(make.customer(), now=timezone.now() - timedelta(days=32))
    kept = make.session(make.customer())
    exchange(kept.refresh)
    assert first.refresh

    services.prune_sessions(now=timezone.now() + timedelta(seconds=11))
    deleted = services.prune_sessions(now=timezone.now())

    assert deleted == 0
    assert RefreshToken.objects.count() == 2
    assert not RefreshToken.objects.exclude(sealed_successor=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_refresh_waits_for_its_twin_and_gets_its_successor() -> None:
    first = make.session(make.customer())
    again = partial(services.refresh_session, refresh=first.refresh, now=timezone.now())

    # Shown to fail with `token.used_at IS NULL` taken out of the claim, alone or with a read of
    # `used_at` before it: the second then makes a successor of its own, and trips over the unique
    # parent. Without the grace it is taken for a thief.
    with ExitStack() as background:
        with transaction.atomic():
            mine = again()
            waiting = background.enter_context(in_background(again))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        theirs = waiting.result(timeout=60)

    assert isinstance(mine, SessionTokens)
    assert isinstance(theirs, SessionTokens)
    assert mine.refresh == theirs.refresh
    assert RefreshToken.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_log_out_that_crosses_a_refresh_leaves_no_link_alive() -> None:
    first = make.session(make.customer())

    # The successor is inserted and not yet committed when the session is ended, so the end cannot
    # see that row. Shown to fail with the claim's NOT EXISTS taken out: the successor then lives.
    with ExitStack() as background:
        with transaction.atomic():
            second = services.refresh_session(refresh=first.refresh, now=timezone.now())
            end = partial(services.end_session, refresh=first.refresh, now=timezone.now())
            waiting = background.enter_context(in_background(end))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=60)

    assert isinstance(second, SessionTokens)
    assert RefreshToken.objects.filter(revoked_at=None).count() == 1
    with pytest.raises(RefreshTokenNotValid):
        services.refresh_session(refresh=second.refresh, now=timezone.now())


# Logging out


@pytest.mark.parametrize("link", ["newest", "spent"])
def test_logging_out_ends_the_session_and_its_access_tokens(
    api: APIClient, link: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    user = make.customer()
    first, other = make.session(user), make.session(user)
    newest = exchange(first.refresh)
    assert api.get(ME, headers=bearer(newest)).status_code == 200
    chosen = newest if link == "newest" else first

    with django_capture_on_commit_callbacks(execute=True):
        response = api.post(LOGOUT, {"refresh": chosen.refresh})
        again = api.post(LOGOUT, {"refresh": chosen.refresh})

    assert (response.status_code, response.content) == (204, b"")
    assert again.status_code == 204
    assert api.post(REFRESH, {"refresh": newest.refresh}).status_code == 401
    assert api.get(ME, headers=bearer(newest)).status_code == 401
    assert api.get(ME, headers=bearer(other)).status_code == 200


def test_logging_out_of_no_session_is_no_error(api: APIClient) -> None:
    make.session(make.customer())

    response = api.post(LOGOUT, {"refresh": "made-up"})

    assert response.status_code == 204
    assert RefreshToken.objects.filter(revoked_at=None).count() == 1


def test_logging_out_everywhere_ends_every_session_of_that_person_alone(
    api: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    user, stranger = make.customer(), make.customer()
    sessions = [make.session(user) for _ in range(3)]
    theirs = make.session(stranger)
    for tokens in (*sessions, theirs):
        assert api.get(ME, headers=bearer(tokens)).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        response = api.post(LOGOUT_ALL, headers=bearer(sessions[0]))

    assert (response.status_code, response.content) == (204, b"")
    for tokens in sessions:
        assert api.get(ME, headers=bearer(tokens)).status_code == 401
        assert api.post(REFRESH, {"refresh": tokens.refresh}).status_code == 401
    assert api.get(ME, headers=bearer(theirs)).status_code == 200
    user.refresh_from_db()
    assert user.token_version == 1


def test_nobody_cannot_log_out_everywhere(api: APIClient) -> None:
    make.session(make.customer())

    response = api.post(LOGOUT_ALL)

    assert response.status_code == 401
    assert RefreshToken.objects.filter(revoked_at=None).count() == 1
