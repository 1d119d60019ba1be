"""Where the admin is, and for whom it is nowhere; its cookies; security.txt; security events."""

import re
from datetime import UTC, datetime, timedelta
from importlib import reload

import pytest
import time_machine
from django.conf import settings as now_settings
from django.test import Client
from django.urls import clear_url_caches
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.links import Purpose, link_token, locked_user_of_link
from shop import urls
from shop.observe.security import Event
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

OUTSIDE, INSIDE = "203.0.113.7", "10.8.1.2"


def told(response: object) -> tuple[int, dict[str, object], list[str]]:
    body = response.json()  # type: ignore[attr-defined]
    body.pop("request_id")
    return response.status_code, body, sorted(response.headers)  # type: ignore[attr-defined]


@pytest.fixture
def gated(settings: Settings) -> None:
    settings.SHOP_ADMIN_NETWORKS = ["10.8.0.0/16", "2001:db8::/48"]


@pytest.mark.usefixtures("gated")
@pytest.mark.parametrize("method", ["get", "post", "head", "put", "options"])
@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/admin/accounts/user/"])
def test_a_stranger_is_told_that_there_is_nothing(client: Client, method: str, path: str) -> None:
    client.force_login(make.superuser())
    ask = getattr(client, method)

    answer = ask(path, REMOTE_ADDR=OUTSIDE)

    assert answer.status_code == 404
    if method != "head":
        nowhere = ask("/no-such-page/", REMOTE_ADDR=OUTSIDE)
        assert told(answer) == told(nowhere)


@pytest.mark.usefixtures("gated")
@pytest.mark.parametrize(
    ("address", "status"),
    [(INSIDE, 200), ("2001:db8::1", 200), ("::ffff:10.8.1.2", 200), (OUTSIDE, 404), ("", 404)],
)
def test_those_on_the_list_come_in(client: Client, address: str, status: int) -> None:
    assert client.get("/admin/login/", REMOTE_ADDR=address).status_code == status


@pytest.mark.usefixtures("gated")
def test_a_forged_header_is_not_believed(client: Client, settings: Settings) -> None:
    headers = {"X-Forwarded-For": INSIDE, "X-Real-IP": INSIDE, "Forwarded": f"for={INSIDE}"}
    assert client.get("/admin/login/", REMOTE_ADDR=OUTSIDE, headers=headers).status_code == 404

    settings.SHOP_TRUSTED_PROXIES = ["192.0.2.1/32"]
    by_proxy = {"X-Forwarded-For": f"{INSIDE}, {OUTSIDE}"}
    assert client.get("/admin/login/", REMOTE_ADDR="192.0.2.1", headers=by_proxy).status_code == 404
    by_proxy = {"X-Forwarded-For": f"{OUTSIDE}, {INSIDE}"}
    assert client.get("/admin/login/", REMOTE_ADDR="192.0.2.1", headers=by_proxy).status_code == 200


def test_it_is_on_its_own_host_alone(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["shop.test", "staff.shop.test"]
    settings.SHOP_ADMIN_HOSTS = ["staff.shop.test"]

    def ask(host: str) -> int:
        return client.get("/admin/login/", headers={"Host": host}).status_code

    assert [ask("shop.test"), ask("staff.shop.test"), ask("staff.shop.test:8443")] == [
        404,
        200,
        200,
    ]


@pytest.mark.usefixtures("gated")
def test_a_large_body_tells_a_stranger_nothing(client: Client) -> None:
    body = b"x" * (now_settings.SHOP_MAX_BODY_BYTES + 1)

    def ask(path: str) -> int:
        return client.post(path, body, "text/plain", REMOTE_ADDR=OUTSIDE).status_code

    assert ask("/admin/login/") == ask("/no-such-page/") == 413


def test_it_moves_to_the_path_that_is_named(client: Client, settings: Settings) -> None:
    settings.SHOP_ADMIN_PATH = "/behind-the-counter/"
    settings.LOGIN_URL = "/behind-the-counter/login/"
    try:
        reload(urls)
        clear_url_caches()
        moved = client.get("/behind-the-counter/")
        assert moved["Location"].startswith("/behind-the-counter/login/")
        assert client.get(moved["Location"]).status_code == 200
        assert client.get("/admin/").status_code == 404
    finally:
        settings.SHOP_ADMIN_PATH = "/admin/"
        reload(urls)
        clear_url_caches()


def test_its_cookies_go_nowhere_else(client: Client) -> None:
    boss = make.superuser()
    client.get("/admin/login/")
    client.post("/admin/login/", {"username": boss.email, "password": make.PASSWORD})

    for name in (now_settings.SESSION_COOKIE_NAME, now_settings.CSRF_COOKIE_NAME):
        cookie = client.cookies[name]
        assert (cookie["path"], cookie["samesite"]) == ("/admin/", "Lax"), name
        assert cookie["httponly"], name


def test_who_does_nothing_for_half_an_hour_is_logged_out(client: Client) -> None:
    start = datetime.now(UTC)
    client.force_login(make.superuser())

    def ask(minutes: int) -> int:
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            return client.get("/admin/").status_code

    assert [ask(0), ask(29), ask(58), ask(89)] == [200, 200, 200, 302]


def test_security_txt_says_whom_to_tell(client: Client, settings: Settings) -> None:
    settings.SHOP_SECURITY_CONTACTS = ["mailto:security@shop.test", "https://shop.test/report"]
    settings.SHOP_SECURITY_POLICY = "https://shop.test/policy"

    answer = client.get("/.well-known/security.txt")

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    lines = dict.fromkeys(answer.content.decode().splitlines())
    assert [line for line in lines if line.startswith("Contact: ")] == [
        "Contact: mailto:security@shop.test",
        "Contact: https://shop.test/report",
    ]
    assert "Policy: https://shop.test/policy" in lines
    expires = re.search(r"^Expires: (\S+)$", answer.content.decode(), re.MULTILINE)
    assert expires is not None
    until = datetime.fromisoformat(expires.group(1)) - datetime.now(UTC)
    assert timedelta(days=80) < until < timedelta(days=365)
    settings.SHOP_SECURITY_CONTACTS = []
    assert client.get("/.well-known/security.txt").status_code == 404


# Events: one vocabulary


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [one.msg for one in caplog.records if one.name == "shop.security"]  # type: ignore[misc]


def test_events_are_told_by_their_words(
    api: APIClient, client: Client, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    user = make.customer(email="jane@example.com")
    body = {"email": user.email, "password": "wrong-harbour-42"}
    api.post("/api/v1/auth/token", body)
    make.signed_in(api, user)
    api.get("/api/v1/inventory/stock")
    api.post("/api/v1/auth/logout-all")
    settings.SHOP_ADMIN_NETWORKS = ["10.8.0.0/16"]
    client.get("/admin/")

    found = events(caplog)

    assert [(one["event"], one["user_id"]) for one in found] == [
        (Event.LOG_IN_FAILED, user.pk),
        (Event.LOGGED_IN, user.pk),
        (Event.NOT_ALLOWED, user.pk),
        (Event.SESSIONS_ENDED, user.pk),
        (Event.ADMIN_REFUSED, None),
    ]
    assert all(one["request_id"] for one in found if one["event"] != Event.LOGGED_IN)
    assert "jane" not in str(found)
    assert "harbour" not in str(found)


def test_powers_given_in_the_admin_are_told(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    boss, person = make.superuser(), make.customer()
    client.force_login(boss)

    client.post(
        f"/admin/accounts/user/{person.pk}/change/",
        {"full_name": person.full_name, "is_active": "on", "is_staff": "on"},
    )

    assert User.objects.get(pk=person.pk).is_staff
    (given,) = [one for one in events(caplog) if one["event"] == Event.POWERS_CHANGED]
    assert (given["user_id"], given["by"]) == (person.pk, f"user:{boss.pk}")
    assert given["powers"] == ["is_staff"]


# Rotation


def test_links_and_sessions_outlive_a_change_of_the_secret_key(
    client: Client, settings: Settings
) -> None:
    user = make.superuser()
    client.force_login(user)
    token = link_token(user=user, purpose=Purpose.VERIFY_EMAIL, now=timezone.now())
    old = settings.SECRET_KEY

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 60, [old]

    assert client.get("/admin/").status_code == 200
    assert locked_user_of_link(token=token, purpose=Purpose.VERIFY_EMAIL, now=timezone.now())
