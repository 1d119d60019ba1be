"""How staff come into the admin: a password, then a code; set up where there is none."""

import re
from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from accounts.models import TotpFactor, User
from accounts.services import end_all_sessions
from tests.make import accounts as make
from tests.make import second_factors as factors

pytestmark = pytest.mark.django_db

LOG_IN = "/admin/login/?next=/admin/accounts/user/"
STEP = "/admin/second-factor/?next=/admin/accounts/user/"
PEOPLE = "/admin/accounts/user/"


@pytest.fixture
def clock(settings: Settings) -> Iterator[time_machine.Traveller]:
    settings.SHOP_STAFF_TOTP = True
    with factors.still_clock() as clock:
        yield clock


@pytest.fixture
def clerk(clock: time_machine.Traveller) -> User:
    return make.superuser()


def give_password(client: Client, user: User) -> None:
    client.post(LOG_IN, {"username": user.email, "password": make.PASSWORD})


def test_a_first_log_in_sets_a_factor_up_and_leads_on(client: Client, clerk: User) -> None:
    give_password(client, clerk)
    page = client.get(PEOPLE, follow=True)
    assert page.redirect_chain[-1][0].startswith("/admin/second-factor/")
    assert "data:image/svg+xml;base64," in page.content.decode()
    device = TotpFactor.objects.get(user=clerk)
    assert device.secret[:4] in page.content.decode()
    again = client.get(STEP).content.decode()
    assert device.secret[:4] in again  # the same picture

    done = client.post(STEP, {"code": factors.code_of(device)})

    assert len(re.findall(r"<li>[a-z2-9]{5}-[a-z2-9]{5}</li>", done.content.decode())) == 10
    assert client.get(PEOPLE).status_code == 200
    assert client.get(STEP)["Location"] == PEOPLE
    assert "no-store" in done["Cache-Control"]


def test_the_next_log_in_asks_for_a_code_once(
    client: Client, clerk: User, clock: time_machine.Traveller
) -> None:
    codes = factors.set_up(clerk)
    give_password(client, clerk)
    before = client.session.session_key
    assert client.get(PEOPLE).status_code == 302
    used = factors.code_of(factors.totp_of(clerk))  # at the confirmation
    assert "was used before" in client.post(STEP, {"code": used}).content.decode()
    clock.shift(factors.STEP_SECONDS)

    shown = client.post(STEP, {"code": factors.code_of(factors.totp_of(clerk))})

    assert (shown.status_code, shown["Location"]) == (302, PEOPLE)
    assert client.get(PEOPLE).status_code == 200
    assert client.session.session_key != before
    other = Client()
    give_password(other, clerk)
    assert other.post(STEP, {"code": codes[0]})["Location"] == PEOPLE


def test_a_password_alone_opens_nothing_and_changes_nothing(client: Client, clerk: User) -> None:
    factors.set_up(clerk)
    key = factors.totp_of(clerk).key
    give_password(client, clerk)

    for path in ("/admin/", PEOPLE, "/admin/password_change/", "/admin/search/?s=a"):
        assert client.get(path)["Location"].startswith("/admin/login/"), path
    assert "img" not in re.sub("<svg.*", "", client.get(STEP).content.decode().split("<form")[0])

    assert TOTPDevice.objects.get().key == key


def test_wrong_codes_make_one_wait(client: Client, clerk: User) -> None:
    factors.set_up(clerk)
    give_password(client, clerk)
    client.post(STEP, {"code": "000000"})

    page = client.post(STEP, {"code": "000000"}).content.decode()

    assert "Seconds to wait" in page
    assert client.get(PEOPLE).status_code == 302


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_it_leads_nowhere_else(
    client: Client, clerk: User, clock: time_machine.Traveller, where: str
) -> None:
    factors.set_up(clerk)
    give_password(client, clerk)
    clock.shift(factors.STEP_SECONDS)
    code = factors.code_of(factors.totp_of(clerk))

    shown = client.post("/admin/second-factor/", {"code": code, "next": where})

    assert shown["Location"] == "/admin/"


def test_nobody_and_no_customer_sees_the_second_step(
    client: Client, clock: time_machine.Traveller
) -> None:
    assert client.get(STEP)["Location"] == "/admin/login/"
    client.force_login(make.customer())
    assert client.get(STEP)["Location"] == "/admin/login/"
    assert not TOTPDevice.objects.exists()


def test_one_may_begin_anew_as_somebody_else(client: Client, clerk: User) -> None:
    give_password(client, clerk)

    assert client.post(STEP, {"leave": "1"})["Location"] == "/admin/login/"

    assert "_auth_user_id" not in client.session


def test_the_end_of_all_sessions_ends_the_admins_too(client: Client) -> None:
    clerk = make.superuser()
    client.force_login(clerk)
    assert client.get(PEOPLE).status_code == 200

    end_all_sessions(user=clerk, now=timezone.now())

    assert client.get(PEOPLE).status_code == 302


def test_guessing_at_the_admin_is_stopped_together_with_the_api(client: Client) -> None:
    clerk = make.superuser()
    for _ in range(10):
        client.post(LOG_IN, {"username": clerk.email, "password": "wrong-harbour-42"})

    page = client.post(LOG_IN, {"username": clerk.email, "password": make.PASSWORD})

    assert "Too many failed attempts" in page.content.decode()
    body = {"email": clerk.email, "password": make.PASSWORD}
    assert client.post("/api/v1/auth/token", body, "application/json").status_code == 429


def test_superusers_reset_a_factor_and_others_do_not(client: Client) -> None:
    lost = make.staff()
    factors.set_up(lost)
    act = {"action": "reset_second_factors", "_selected_action": [lost.pk]}
    client.force_login(make.staff("accounts.view_user", "accounts.change_user"))
    client.post(PEOPLE, act)
    assert TOTPDevice.objects.filter(user=lost).exists()

    client.force_login(make.superuser())
    client.post(PEOPLE, act)

    assert not TOTPDevice.objects.filter(user=lost).exists()


def test_no_screen_shows_a_secret(client: Client) -> None:
    client.force_login(make.superuser())

    for path in ("otp_totp/totpdevice", "otp_static/staticdevice"):
        assert client.get(f"/admin/{path}/").status_code == 404
