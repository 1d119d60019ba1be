"""Forged, spent and outlived tokens, over HTTP: 401 at twenty routes, and nothing is changed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import jwt
import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from accounts import services
from accounts.models import User
from accounts.selectors import SESSION_MEMORY_SECONDS, forget_all_sessions
from accounts.services import SessionTokens
from accounts.services.access_tokens import SigningBackend, read_access_token
from accounts.services.links import Purpose, link_token
from tests.access.fingerprint import fingerprint
from tests.access.routes import path_of
from tests.access.table import TABLE
from tests.access.world import BOSS, World
from tests.make import accounts as make
from tests.make import tokens

pytestmark = pytest.mark.django_db

# Some of each app and method. Those that end sessions are left out: a token that opens them is no
# longer good for the others.
PROTECTED = sorted(
    route
    for route, entry in TABLE.items()
    if (entry.door in ("signed in", "staff") or (entry.door == "own" and not entry.headers))
    and not route.startswith("POST auth/")
)
SAMPLE = PROTECTED[:: len(PROTECTED) // 20][:20]


@contextmanager
def undone() -> Iterator[None]:
    savepoint = transaction.savepoint()
    yield
    transaction.savepoint_rollback(savepoint)


class Doors:
    """Twenty routes, with everything that a superuser would send to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._requests = []
        for route in SAMPLE:
            entry = TABLE[route]
            path = path_of(route, entry.of(world, BOSS) if entry.of else {})
            if entry.query:
                path += "?" + "&".join(f"{k}={v}" for k, v in entry.query(world, BOSS).items())
            body = entry.body(world, BOSS) if entry.body else None
            self._requests.append((route, route.split()[0].lower(), path, body, entry.form))

    def answers(self, authorization: str, *, is_undone: bool = False) -> Iterator[tuple[str, Any]]:
        client = APIClient()
        for route, method, path, body, form in self._requests:
            send = getattr(client, method)
            headers = {"Authorization": authorization}
            with undone() if is_undone else nullcontext():
                if method == "get":
                    answer = send(path, headers=headers)
                else:
                    answer = send(path, body, format=form, headers=headers)
            yield route, answer

    def opened_by(self, authorization: str) -> list[str]:
        """Return the routes that let it in, or do not say 401 as they should."""
        return [
            f"{route}: {answer.status_code}"
            for route, answer in self.answers(authorization)
            if answer.status_code != 401
            or answer.json()["code"] not in ("not_authenticated", "invalid_token")
            or not answer["WWW-Authenticate"].startswith("Bearer")
        ]


@pytest.fixture
def doors() -> Doors:
    return Doors(World())


def whose_token(doors: Doors) -> tokens.Whose:
    said = read_access_token(doors.world.session(BOSS).access)
    return tokens.Whose(said.subject, said.family, said.token_version)


def test_a_good_token_opens_them_all(doors: Doors) -> None:
    # Made as the forged ones are, so that those are near: but for one thing they would open too.
    near = tokens.signed(tokens.claims(whose_token(doors)))

    refused = [
        route
        for route, answer in doors.answers(f"Bearer {near}", is_undone=True)
        if answer.status_code in (401, 403, 404)
    ]

    assert len(SAMPLE) == 20
    assert refused == []


def test_no_forged_token_opens_one_or_changes_anything(doors: Doors) -> None:
    whose = whose_token(doors)
    before = fingerprint()

    opened = {
        name: found
        for name, forge in tokens.FORGED.items()
        if (found := doors.opened_by(f"Bearer {forge(whose)}"))
    }

    assert len(tokens.FORGED) > 40
    assert opened == {}
    assert fingerprint() == before


@pytest.mark.parametrize("name", ["another key, our kid", "expired a minute ago"])
def test_a_check_that_is_left_out_is_noticed(doors: Doors, name: str) -> None:
    forged = tokens.FORGED[name](whose_token(doors))

    def unchecked(backend: SigningBackend, token: str) -> dict[str, Any]:
        said: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        # So that only the check is missing, and not the time that follows from it.
        return {**said, "exp": max(said["exp"], int(time.time()) + 60)}

    with mock.patch.object(SigningBackend, "decode", unchecked):
        assert len(doors.opened_by(f"Bearer {forged}")) == 20


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {access}", "Token {access}", "{access}", "Bearer {access} x"],
)
def test_no_other_way_to_send_a_token_opens_one(doors: Doors, header: str) -> None:
    sent = header.format(access=doors.world.session(BOSS).access)
    before = fingerprint()

    assert doors.opened_by(sent) == []
    assert fingerprint() == before


# Tokens that were good once


def _log_out(user: User, session: SessionTokens) -> None:
    services.end_session(refresh=session.refresh, now=timezone.now())


def _log_out_everywhere(user: User, session: SessionTokens) -> None:
    services.end_all_sessions(user=user, now=timezone.now())


def _change_password(user: User, session: SessionTokens) -> None:
    services.change_password(
        user=user,
        current_password=make.PASSWORD,
        new_password="a-new-harbour-43",
        now=timezone.now(),
    )


def _reset_password(user: User, session: SessionTokens) -> None:
    token = link_token(user=user, purpose=Purpose.RESET_PASSWORD, now=timezone.now())
    services.reset_password(token=token, password="a-new-harbour-43", now=timezone.now())


def _password_set_by_staff(user: User, session: SessionTokens) -> None:
    services.replace_password(user=user, password=None, now=timezone.now())


def _reuse(user: User, session: SessionTokens) -> None:
    later = timezone.now()
    first = services.refresh_session(refresh=session.refresh, now=later)
    assert isinstance(first, SessionTokens)
    services.refresh_session(refresh=first.refresh, now=later)
    services.refresh_session(refresh=session.refresh, now=later)


def _disable(user: User, session: SessionTokens) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    forget_all_sessions()  # as it is after 15 s, or in another process


def _delete(user: User, session: SessionTokens) -> None:
    user.delete()
    forget_all_sessions()


ENDS: dict[str, Callable[[User, SessionTokens], None]] = {
    "logged out": _log_out,
    "logged out everywhere": _log_out_everywhere,
    "changed the password": _change_password,
    "reset the password": _reset_password,
    "had the password set by staff": _password_set_by_staff,
    "had a refresh token stolen and used": _reuse,
    "was disabled": _disable,
    "was deleted": _delete,
}


def test_no_token_outlives_its_session(
    doors: Doors, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    opened = {}
    for name, end in ENDS.items():
        with undone():
            user = make.superuser()
            session = make.session(user)
            bearer = f"Bearer {session.access}"
            assert (
                APIClient().get("/api/v1/me", headers={"Authorization": bearer}).status_code == 200
            )
            with django_capture_on_commit_callbacks(execute=True):
                end(user, session)
            before = fingerprint()
            if found := doors.opened_by(bearer):
                opened[name] = found
            if fingerprint() != before:
                opened[name] = ["changed something"]
            refreshed = APIClient().post("/api/v1/auth/token/refresh", {"refresh": session.refresh})
            if refreshed.status_code != 401:
                opened[name] = ["refresh"]

    assert opened == {}


def test_a_refresh_token_opens_none_and_an_access_token_refreshes_nothing(doors: Doors) -> None:
    session = doors.world.session(BOSS)
    before = fingerprint()

    assert doors.opened_by(f"Bearer {session.refresh}") == []
    for other in (session.access, session.access[:200], "x" * 43):
        answer = APIClient().post("/api/v1/auth/token/refresh", {"refresh": other})
        assert answer.status_code in (400, 401)  # 400: longer than any of ours
    assert fingerprint() == before


def test_ended_sessions_stay_ended_and_others_go_on_when_redis_is_wiped(
    doors: Doors,
    wiped_redis: Callable[[], None],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    user = make.superuser()
    ended, living = make.session(user), make.session(user)
    with django_capture_on_commit_callbacks(execute=True):
        services.end_session(refresh=ended.refresh, now=timezone.now())

    wiped_redis()
    forget_all_sessions()  # in a process that has just started

    assert doors.opened_by(f"Bearer {ended.access}") == []
    alive = {"Authorization": f"Bearer {living.access}"}
    assert APIClient().get("/api/v1/me", headers=alive).status_code == 200
    # What a process that did not end the session remembers of it is gone in half a minute.
    assert SESSION_MEMORY_SECONDS <= 30
