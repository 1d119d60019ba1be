"""Second factors over the API: set up, shown, renewed, removed; staff cannot do without."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.errors import InvalidCode
from accounts.models import RefreshToken, TotpFactor, User
from accounts.services import log_in_with_second_factor, read_access_token
from accounts.services.factors import accepts
from accounts.services.mails import send_second_factor_changed
from shop.models import OutboxMessage
from tests.access.entry import Entry
from tests.access.routes import path_of, strangers_names
from tests.access.table import TABLE
from tests.concurrency import in_background
from tests.make import accounts as make
from tests.make import second_factors as factors

pytestmark = pytest.mark.django_db

FACTORS = "/api/v1/me/second-factors"
TOTP = f"{FACTORS}/totp"
CONFIRM = f"{TOTP}/confirm"
CODES = f"{FACTORS}/recovery-codes"
TOKEN = "/api/v1/auth/token"
SECOND = f"{TOKEN}/second-factor"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with factors.still_clock() as clock:
        yield clock


@pytest.fixture
def user(clock: time_machine.Traveller) -> User:
    return make.customer()


@pytest.fixture
def protected(user: User, clock: time_machine.Traveller) -> list[str]:
    """Give the user a second factor, whose next code is good; return the recovery codes."""
    codes = factors.set_up(user)
    clock.shift(factors.STEP_SECONDS)
    return codes


def proof(user: User, **changes: Any) -> dict[str, Any]:
    code = factors.code_of(factors.totp_of(user))
    return {"password": make.PASSWORD, "factor": "totp", "code": code, **changes}


def step(user: User, **changes: Any) -> dict[str, Any]:
    return {
        "challenge": factors.challenge(user),
        "factor": "totp",
        "code": factors.code_of(factors.totp_of(user)),
        **changes,
    }


def code_of_problem(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


# Setting up


def test_an_app_is_begun_confirmed_and_asked_for_from_then_on(
    api: APIClient, user: User, clock: time_machine.Traveller
) -> None:
    make.signed_in(api, user)
    begun = api.post(TOTP, {"password": make.PASSWORD})
    assert begun.status_code == 201, begun.content
    assert set(begun.json()) == {"secret", "otpauth_uri"}
    assert user.email not in begun.content.decode()
    assert api.get(FACTORS).json() == {
        "is_required": False,
        "factors": [],
        "recovery_codes_left": 0,
    }
    make.session(user)  # not confirmed: the password suffices still

    device = TotpFactor.objects.get(user=user)
    assert begun.json()["secret"] in begun.json()["otpauth_uri"]
    confirmed = api.post(CONFIRM, {"code": factors.code_of(device)})

    assert confirmed.status_code == 200, confirmed.content
    assert len(set(confirmed.json()["recovery_codes"])) == 10
    assert not RefreshToken.objects.filter(user=user, revoked_at=None).exists()
    asked = api.post(TOKEN, {"email": user.email, "password": make.PASSWORD})
    assert code_of_problem(asked) == (401, "second_factor_required")
    assert asked.json()["factors"] == ["totp", "recovery_code"]
    clock.shift(factors.STEP_SECONDS)
    shown = api.post(SECOND, step(user))
    assert shown.status_code == 200
    assert read_access_token(shown.json()["access"]).has_second_factor


@pytest.mark.parametrize("body", [{"password": "wrong-harbour-42"}])
def test_a_stolen_session_sets_nothing_up(api: APIClient, user: User, body: dict[str, Any]) -> None:
    make.signed_in(api, user)

    assert code_of_problem(api.post(TOTP, body)) == (422, "wrong_password")

    assert not TOTPDevice.objects.exists()


def test_a_wrong_code_confirms_nothing(api: APIClient, user: User) -> None:
    make.signed_in(api, user)
    assert code_of_problem(api.post(CONFIRM, {"code": "123456"})) == (
        409,
        "second_factor_not_begun",
    )
    api.post(TOTP, {"password": make.PASSWORD})
    right = factors.code_of(TotpFactor.objects.get(user=user))

    assert code_of_problem(api.post(CONFIRM, {"code": wrong(right)})) == (422, "wrong_code")

    assert not TOTPDevice.objects.filter(confirmed=True).exists()
    assert not StaticToken.objects.exists()
    assert api.get(FACTORS).status_code == 200  # the session lives


def test_another_app_takes_the_place_of_the_first_which_is_shown(
    api: APIClient, user: User, protected: list[str], clock: time_machine.Traveller
) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {factors.session(user).access}")
    first = factors.totp_of(user).pk
    assert code_of_problem(api.post(TOTP, {"password": make.PASSWORD})) == (422, "wrong_code")
    clock.shift(factors.STEP_SECONDS)
    assert api.post(TOTP, proof(user)).status_code == 201

    begun = TotpFactor.objects.get(user=user, confirmed=False)
    assert api.post(CONFIRM, {"code": factors.code_of(begun)}).status_code == 200

    assert first != factors.totp_of(user).pk == begun.pk
    assert TOTPDevice.objects.filter(user=user).count() == 1


# Log-in


@pytest.mark.usefixtures("protected")
def test_a_code_is_good_once(user: User) -> None:
    code = factors.code_of(factors.totp_of(user))
    shown = partial(
        log_in_with_second_factor,
        challenge=factors.challenge(user),
        kind="totp",
        proof=code,
        now=timezone.now(),
    )
    shown()

    with pytest.raises(InvalidCode):
        shown()

    assert RefreshToken.objects.filter(user=user, revoked_at=None).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_code"])
def test_of_two_that_come_with_one_code_one_comes_in(kind: str) -> None:
    with factors.still_clock() as clock:
        user = make.customer()
        codes = factors.set_up(user)
        clock.shift(factors.STEP_SECONDS)
        proof = codes[0] if kind == "recovery_code" else factors.code_of(factors.totp_of(user))
        challenge = factors.challenge(user)

        show = partial(
            log_in_with_second_factor,
            challenge=challenge,
            kind=kind,
            proof=proof,
            now=timezone.now(),
        )
        with ExitStack() as background:
            with transaction.atomic():
                assert accepts(user, kind=kind, proof=proof, now=timezone.now())
                waiting = background.enter_context(in_background(show))
                with pytest.raises(TimeoutError):
                    waiting.result(timeout=0.5)  # it waits for the first to commit
            with pytest.raises(InvalidCode):
                waiting.result(timeout=60)

    assert not RefreshToken.objects.filter(user=user, revoked_at=None).exists()


def test_a_recovery_code_is_good_once_and_kept_as_a_hash(
    api: APIClient, user: User, protected: list[str]
) -> None:
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert len(kept) == 10
    assert not kept & {code.replace("-", "") for code in protected}

    body = step(user, factor="recovery_code", code=f" {protected[3].upper()} ")
    assert api.post(SECOND, body).status_code == 200

    assert code_of_problem(api.post(SECOND, body)) == (401, "invalid_code")
    assert StaticToken.objects.count() == 9


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"challenge": "forged"}, 401, "invalid_challenge"),
        ({"factor": "recovery_code", "code": "abcde-fghjk"}, 401, "invalid_code"),
        ({"factor": "passkey"}, 400, "malformed_request"),
        ({"code": "1"}, 400, "malformed_request"),
    ],
)
@pytest.mark.usefixtures("protected")
def test_what_is_wrong_opens_no_session(
    api: APIClient, user: User, changes: dict[str, Any], status: int, code: str
) -> None:
    before = RefreshToken.objects.count()

    assert code_of_problem(api.post(SECOND, step(user, **changes))) == (status, code)

    assert RefreshToken.objects.count() == before


@pytest.mark.usefixtures("protected")
def test_a_challenge_is_one_persons_and_five_minutes_long(
    api: APIClient, user: User, clock: time_machine.Traveller
) -> None:
    other = make.customer()
    factors.set_up(other)
    clock.shift(factors.STEP_SECONDS)
    of_other = step(other)["challenge"]
    assert code_of_problem(api.post(SECOND, step(user, challenge=of_other))) == (
        401,
        "invalid_code",
    )
    old = factors.challenge(user)
    clock.shift(5 * 60 + 1)

    assert code_of_problem(api.post(SECOND, step(user, challenge=old))) == (
        401,
        "invalid_challenge",
    )


@pytest.mark.usefixtures("protected")
def test_wrong_codes_make_one_wait_longer_and_longer(
    api: APIClient, user: User, clock: time_machine.Traveller
) -> None:
    for _ in range(3):
        right = factors.code_of(factors.totp_of(user))
        assert code_of_problem(api.post(SECOND, step(user, code=wrong(right)))) == (
            401,
            "invalid_code",
        )
        clock.shift(8)
    clock.shift(-7)

    too_soon = api.post(SECOND, step(user))

    assert code_of_problem(too_soon) == (429, "rate_limited")
    assert too_soon["Retry-After"] == "3"
    clock.shift(4)
    assert api.post(SECOND, step(user)).status_code == 200


@pytest.mark.usefixtures("protected")
def test_a_refreshed_session_keeps_its_factor_and_a_reset_password_brings_none(
    api: APIClient, user: User
) -> None:
    first = factors.session(user)

    again = api.post(f"{TOKEN}/refresh", {"refresh": first.refresh}).json()

    assert read_access_token(again["access"]).has_second_factor


# Renewing, removing, resetting


def test_recovery_codes_are_renewed(api: APIClient, user: User, protected: list[str]) -> None:
    make_token = factors.session(user).access
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token}")

    used = api.post(CODES, proof(user, factor="recovery_code", code=protected[0]))

    assert used.status_code == 200
    assert not set(used.json()["recovery_codes"]) & set(protected)
    assert StaticToken.objects.count() == 10
    assert code_of_problem(
        api.post(CODES, proof(user, factor="recovery_code", code=protected[1]))
    ) == (422, "wrong_code")


def test_a_customer_does_without_again(api: APIClient, user: User, protected: list[str]) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {factors.session(user).access}")
    assert code_of_problem(api.delete(TOTP, proof(user))) == (422, "wrong_code")  # used just now
    assert TOTPDevice.objects.exists()

    body = proof(user, factor="recovery_code", code=protected[0])
    assert api.delete(TOTP, body).status_code == 204

    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
    make.session(user)


@pytest.mark.usefixtures("protected")
def test_a_lost_one_is_reset_and_its_owner_told(user: User) -> None:
    living = factors.session(user)
    OutboxMessage.objects.all().delete()

    call_command("reset_second_factor", user.email.upper(), by="Grace")
    call_command("reset_second_factor", user.email, by="Grace")

    assert not TOTPDevice.objects.exists()
    told = OutboxMessage.objects.get()
    assert told.payload == {"v": 1, "user_id": user.pk, "change": "reset"}
    assert RefreshToken.objects.filter(user=user, revoked_at=None).count() == 0
    assert living.access
    send_second_factor_changed(message_id="1", user_id=user.pk, change="reset")
    assert "reset by the shop" in mail.outbox[0].body
    make.session(user)


# Staff

STAFF_ROUTES = {name: entry for name, entry in TABLE.items() if entry.door == "staff"}


def test_no_route_of_staff_opens_by_password_alone(settings: Settings) -> None:
    settings.SHOP_STAFF_TOTP = True
    api = make.signed_in(APIClient(), make.superuser())

    def answer(route: str, entry: Entry) -> tuple[int, str]:
        method, _, _ = route.partition(" ")
        path = path_of(route, strangers_names(route))
        return code_of_problem(getattr(api, method.lower())(path))

    opened = {
        route: told
        for route, entry in STAFF_ROUTES.items()
        if (told := answer(route, entry)) != (403, "second_factor_not_shown")
    }

    assert opened == {}
    assert len(STAFF_ROUTES) > 40


def test_staff_come_in_with_both_and_do_not_do_without(
    api: APIClient, settings: Settings, clock: time_machine.Traveller
) -> None:
    settings.SHOP_STAFF_TOTP = True
    clerk = make.superuser()
    make.signed_in(api, clerk)
    assert api.get("/api/v1/me").status_code == 200
    assert api.get("/api/v1/orders?q=x").status_code in {200, 400, 403}
    factors.set_up(clerk)
    clock.shift(factors.STEP_SECONDS)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {factors.session(clerk).access}")

    assert api.get("/api/v1/inventory/stock").status_code == 200
    assert api.get(FACTORS).json()["is_required"] is True
    clock.shift(factors.STEP_SECONDS)
    assert code_of_problem(api.delete(TOTP, proof(clerk))) == (409, "second_factor_mandatory")
    assert TOTPDevice.objects.filter(user=clerk, confirmed=True).exists()


def test_staff_by_password_alone_see_no_orders_of_others(
    api: APIClient, settings: Settings
) -> None:
    settings.SHOP_STAFF_TOTP = True
    make.signed_in(api, make.superuser())

    assert api.get("/api/v1/orders").json()["results"] == []


def test_a_copy_of_the_database_makes_no_codes(user: User, protected: list[str]) -> None:
    device = factors.totp_of(user)

    assert TOTPDevice.objects.get(pk=device.pk).bin_key != device.bin_key
    assert len(device.bin_key) == 20
