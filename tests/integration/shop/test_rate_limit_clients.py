"""Who is one client: a verified user, else an address that nobody can forge."""

import uuid
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from shop.http.rate_limit.rates import Rate
from tests.integration.shop.limits import allowed, asked
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

LIMIT = 100


@pytest.fixture(autouse=True)
def _default_limit(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(LIMIT, 60)


def test_no_header_makes_another_client_of_an_address(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    client.get("/api/v1/products")
    forged = [
        *({"X-Forwarded-For": ", ".join(["198.51.100.7"] * n)} for n in range(1, 21)),
        *({"X-Forwarded-For": text} for text in ("", " ", ",", "garbage", "::1", "127.0.0.1")),
        *({"X-Forwarded-For": text} for text in ("unknown", "198.51.100.7:80", "[2001:db8::1]:1")),
        {"X-Real-IP": "198.51.100.7"},
        {"True-Client-IP": "198.51.100.7"},
        {"CF-Connecting-IP": "198.51.100.7"},
        {"X-Client-IP": "198.51.100.7"},
        {"X-Cluster-Client-IP": "198.51.100.7"},
        {"Forwarded": "for=198.51.100.7"},
        {"Forwarded": 'for="[2001:db8::1]:4711"'},
        {"X-Forwarded": "198.51.100.7"},
        {"Via": "1.1 proxy"},
        {"X-Cart-Token": uuid.uuid4().hex},
        {"User-Agent": uuid.uuid4().hex},
    ]

    statuses = [client.get("/api/v1/products", headers=headers).status_code for headers in forged]

    assert statuses == [429] * len(forged)


def test_behind_a_proxy_only_what_it_wrote_itself_counts(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    settings.SHOP_TRUSTED_PROXIES = ["10.0.0.0/8", "fd00::/8"]
    asked(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9")

    same = [
        "198.51.100.1, 203.0.113.9",
        *(", ".join([f"198.51.100.{n}"] * n + ["203.0.113.9"]) for n in range(2, 21)),
        "garbage, 203.0.113.9",
        "203.0.113.9, 10.0.0.2",
        "::ffff:203.0.113.9",
        "[::ffff:203.0.113.9]:80, fd00::7",
        "203.0.113.9:51234",
        "198.51.100.1,203.0.113.9,10.1.1.1,10.2.2.2",
    ]

    for chain in same:
        decision = asked(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=chain)
        assert not decision.taken.is_allowed, chain
    assert asked(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.10").taken.is_allowed
    # Somebody who is no proxy of ours and claims to come from that client.
    assert asked(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="203.0.113.9").taken.is_allowed


def test_all_addresses_of_one_ipv6_network_are_one_client() -> None:
    hopping = iter(f"2001:db8:1:2:{n:x}::{n:x}" for n in range(1000))

    passed = allowed(1000, lambda: asked(REMOTE_ADDR=next(hopping)))

    assert passed == LIMIT
    assert asked(REMOTE_ADDR="2001:db8:1:3::1").taken.is_allowed


@pytest.mark.parametrize("other", ["::ffff:192.0.2.1", "::ffff:c000:201", "192.0.2.1"])
def test_ipv4_in_the_clothes_of_ipv6_is_the_same_client(settings: Any, other: str) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    asked(REMOTE_ADDR="192.0.2.1")

    assert not asked(REMOTE_ADDR=other).taken.is_allowed
    assert asked(REMOTE_ADDR="::ffff:192.0.2.2").taken.is_allowed


@pytest.mark.parametrize("strange", ["", "unknown", "fe80::1%eth0", "1.2.3", "x" * 500, "é"])
def test_a_strange_address_is_limited_like_any(settings: Any, strange: str) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)

    decisions = [asked(REMOTE_ADDR=strange) for _ in range(2)]

    assert [decision.taken.is_allowed for decision in decisions] == [True, False]


def test_somebody_signed_in_has_a_limit_of_their_own_wherever_they_are(
    api: APIClient, settings: Any
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(2, 60)
    ada, bob = (f"Bearer {make.session(make.customer()).access}" for _ in range(2))
    for _ in range(3):
        api.get("/api/v1/me")  # nobody, and refused from here

    statuses = [
        api.get("/api/v1/me", HTTP_AUTHORIZATION=ada, REMOTE_ADDR=address).status_code
        for address in ("127.0.0.1", "192.0.2.1", "192.0.2.2")
    ]

    assert statuses == [200, 200, 429]
    assert api.get("/api/v1/me", HTTP_AUTHORIZATION=bob).status_code == 200


def test_two_tokens_of_one_user_are_one_client(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    user = make.customer()
    asked(HTTP_AUTHORIZATION=f"Bearer {make.session(user).access}")

    assert not asked(HTTP_AUTHORIZATION=f"Bearer {make.session(user).access}").taken.is_allowed


def test_a_token_that_proves_nothing_counts_as_its_address(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    user = make.customer()
    good = make.session(user).access
    expired = make.session(user, now=timezone.now() - timedelta(hours=1)).access
    head, body, signature = good.split(".")
    asked()

    for token in [
        expired,
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        jwt.encode({"sub": str(uuid.uuid4())}, "x" * 32, algorithm="HS256"),
        jwt.encode({"sub": str(uuid.uuid4())}, "", algorithm="none"),
        *(uuid.uuid4().hex for _ in range(3)),
        "",
        "a b",
        "x" * 5000,
    ]:
        decision = asked(HTTP_AUTHORIZATION=f"Bearer {token}")
        assert not decision.taken.is_allowed, token
    assert asked(HTTP_AUTHORIZATION=f"Bearer {good}").taken.is_allowed


def test_a_token_is_checked_once_for_a_request(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    decode = jwt.PyJWT.decode_complete

    def counted(*args: Any, **kwargs: Any) -> Any:
        checked.append("")
        return decode(*args, **kwargs)

    good, forged = make.session(make.customer()).access, make.session(make.customer()).access
    forged = f"{forged[:-8]}AAAAAAAA"
    monkeypatch.setattr(jwt.PyJWT, "decode_complete", counted)

    statuses = [
        api.get("/api/v1/me", HTTP_AUTHORIZATION=f"Bearer {token}").status_code
        for token in (good, good, forged)
    ]

    assert statuses == [200, 200, 401]
    assert len(checked) == 2
