"""How often a client may call each route: the window, the routes, the clients, the headers."""

import math
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import jwt
import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from prometheus_client import REGISTRY
from redis.connection import AbstractConnection
from rest_framework.test import APIClient

from shop.http.rate_limit.limiter import Decision, check
from shop.http.rate_limit.policies import UNKNOWN, routes_with_rules
from shop.http.rate_limit.rates import Rate
from shop.http.rate_limit.windows import Taken, take_shared
from shop.redis import limiter
from tests.concurrency import run_together
from tests.make import accounts as make
from tests.make import catalog

pytestmark = pytest.mark.django_db

LIMIT = 100
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "BREW")
READ = "api/v1/products/<ref:ref>"


@pytest.fixture(autouse=True)
def _default_limit(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(LIMIT, 60)


def asked(path: str = "/api/v1/products/1", method: str = "GET", **meta: str) -> Decision:
    """Ask the limiter alone about a request, as the outermost middleware does."""
    decision = check(RequestFactory().generic(method, path, **meta))
    assert decision is not None
    return decision


def allowed(count: int, ask: Callable[[], Decision]) -> int:
    return sum(ask().taken.is_allowed for _ in range(count))


def age(key: str, seconds: float) -> None:
    """Make every call in the log older, as if that much time had gone by."""
    for member, score in limiter().zrange(key, 0, -1, withscores=True):
        limiter().zadd(key, {member: score - seconds * 1_000_000})


# The window


def test_the_hundred_and_first_call_is_refused_with_a_problem_that_says_when(
    client: Client,
) -> None:
    first = client.get("/api/v1/nowhere")
    for _ in range(LIMIT - 1):
        assert client.get("/api/v1/nowhere").status_code == 404

    refused = client.get("/api/v1/nowhere")

    assert first["RateLimit-Policy"] == '"default";q=100;w=60'
    assert re.fullmatch(r'"default";r=99;t=60', first["RateLimit"])
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    problem = refused.json()
    assert problem["code"] == "rate_limited"
    assert problem["retryable"] is True
    assert problem["retry_after"] == int(refused["Retry-After"])
    assert 55 <= int(refused["Retry-After"]) <= 60
    assert refused["RateLimit"] == f'"default";r=0;t={refused["Retry-After"]}'
    assert refused["X-Request-ID"]


def test_exactly_the_limit_passes_when_all_come_at_once() -> None:
    rate = Rate(10, 60)

    taken = run_together([lambda: take_shared("rl:{at-once}", rate)] * 60, workers=20)

    assert sum(one.is_allowed for one in taken if isinstance(one, Taken)) == 10
    assert limiter().zcard("rl:{at-once}") == 10


def test_looking_and_counting_in_two_steps_would_let_more_through() -> None:
    """The negative control: without the script the same rush gets past the limit."""
    rate = Rate(10, 60)

    all_have_looked = threading.Barrier(20)

    def in_two_steps() -> bool:
        is_allowed = int(limiter().zcard("rl:{two-steps}")) < rate.limit
        all_have_looked.wait(timeout=10)
        if is_allowed:
            limiter().zadd("rl:{two-steps}", {uuid.uuid4().hex: time.time()})
        return is_allowed

    passed = run_together([in_two_steps] * 60, workers=20).count(True)

    assert passed > rate.limit


def test_no_span_of_the_windows_length_holds_more_than_the_limit() -> None:
    rate = Rate(5, 1)
    passed_at: list[float] = []

    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        if take_shared("rl:{span}", rate).is_allowed:
            ((_, score),) = limiter().zrange("rl:{span}", -1, -1, withscores=True)
            passed_at.append(score)

    spans = [b - a for a, b in zip(passed_at, passed_at[rate.limit :], strict=False)]
    assert min(spans) > 1_000_000  # microseconds from a call to the fifth after it
    assert len(passed_at) >= 10  # and what is free again is given out


def test_calls_age_out_one_by_one_and_no_minute_begins_anew() -> None:
    assert allowed(LIMIT, asked) == LIMIT
    (key,) = limiter().keys("rl:*")
    age(key, 59)

    at_59 = asked()
    age(key, 1)  # the first hundred are gone at 60 s …
    at_60 = allowed(LIMIT + 1, asked)  # … and as many may come
    age(key, 2)
    at_62 = asked()

    assert not at_59.taken.is_allowed
    assert at_59.taken.reset_seconds == 1
    assert at_60 == LIMIT
    assert not at_62.taken.is_allowed
    assert at_62.taken.reset_seconds in (57, 58)


@pytest.mark.parametrize("gone_by", [0.0, 12.3, 30.0, 58.5])
def test_whoever_waits_as_told_is_let_in_and_a_second_sooner_is_not(gone_by: float) -> None:
    assert allowed(LIMIT, asked) == LIMIT
    (key,) = limiter().keys("rl:*")
    age(key, gone_by)
    told = asked().taken.reset_seconds

    assert math.ceil(60 - gone_by) - 1 <= told <= math.ceil(60 - gone_by)
    age(key, told - 1.1)
    assert not asked().taken.is_allowed
    age(key, 1.1)
    assert asked().taken.is_allowed


def test_a_refused_call_does_not_make_the_wait_longer() -> None:
    assert allowed(LIMIT, asked) == LIMIT
    (key,) = limiter().keys("rl:*")
    log, ends_at = limiter().zrange(key, 0, -1, withscores=True), limiter().pexpiretime(key)

    assert allowed(50, asked) == 0

    assert limiter().zrange(key, 0, -1, withscores=True) == log
    assert limiter().pexpiretime(key) == ends_at
    assert 0 < limiter().pttl(key) <= 60_001


@pytest.mark.parametrize("skew", [timedelta(minutes=-5), timedelta(minutes=5)])
def test_the_clock_of_a_web_process_changes_nothing(
    skew: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert allowed(60, asked) == 60
    clock = time.time

    monkeypatch.setattr(time, "time", lambda: clock() + skew.total_seconds())

    assert allowed(60, asked) == 40


def test_a_clock_that_is_set_back_on_the_server_locks_nobody_out() -> None:
    seconds, microseconds = limiter().time()
    ahead = (seconds + 3600) * 1_000_000 + microseconds
    limiter().zadd("rl:{back}", {str(n): ahead + n for n in range(5)})

    assert take_shared("rl:{back}", Rate(5, 60)).is_allowed


def test_a_full_log_is_small_and_a_call_is_one_trip() -> None:
    assert allowed(LIMIT, asked) == LIMIT
    (key,) = limiter().keys("rl:*")
    original = AbstractConnection.send_packed_command
    trips: list[bytes] = []

    def noted(self: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> Any:
        trips.append(b"".join(command) if isinstance(command, list) else command)
        return original(self, command, *args, **kwargs)

    with mock.patch.object(AbstractConnection, "send_packed_command", noted):
        asked()

    assert len(trips) == 1
    assert b"EVALSHA" in trips[0]
    assert limiter().memory_usage(key) <= 10_000


def test_a_redis_that_was_wiped_begins_anew_and_knows_the_script_again() -> None:
    assert allowed(LIMIT + 1, asked) == LIMIT

    limiter().flushdb()
    limiter().script_flush()
    after = allowed(LIMIT + 1, asked)

    assert after == LIMIT
    assert not asked().is_local


# Routes


def routes() -> list[str]:
    """Return the template of every route below /api/v1/, from the URL conf."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            here = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, here)
            elif isinstance(pattern, URLPattern) and here.startswith("api/v1/"):
                yield here

    return sorted(set(walk(get_resolver().url_patterns, "")))


def path_of(route: str) -> str:
    """Return a path of this route: each parameter gets a value that its converter takes."""
    values = {"int": "1", "uuid": str(uuid.UUID(int=7)), "ref": "x", "str": "X1", "slug": "x"}
    return "/" + re.sub(r"<(\w+):\w+>", lambda found: values[found[1]], route)


ROUTES = routes()
STRAY = [
    *("/api/v1", "/api/v1/", "/api/v1/nowhere", "/api/v1/nowhere/else", "/api/v1/products/1/2/3"),
    *("/API/v1/products", "/api/V1/products", "/api/v1/Products", "//api/v1/products"),
    *("/api//v1/products", "/api/v1//products", "/api/v1/.", "/api/v1/%00", "/api/v1/é"),
    "/api/v1/" + "x" * 5000,
]


@pytest.mark.parametrize("path", [*map(path_of, ROUTES), *STRAY])
def test_every_path_is_limited_by_every_method(client: Client, settings: Any, path: str) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)  # one call a minute, on stricter routes as well
    client.raise_request_exception = False
    unlimited = []

    for number, method in enumerate(METHODS):
        address = f"192.0.2.{number + 1}"
        # The path as it stands: the test client would take what follows // for a host.
        meta = {"REMOTE_ADDR": address, "PATH_INFO": path}
        first = client.generic(method, "/", "{}", "application/json", **meta)
        second = client.generic(method, "/", "{}", "application/json", **meta)
        if (
            first.status_code in (429, 500)
            or second.status_code != 429
            or any('";q=1;w=60' not in one["RateLimit-Policy"] for one in (first, second))
            or not re.fullmatch(r'"\w+";r=0;t=60', first["RateLimit"])
            or int(second["Retry-After"]) not in (59, 60)
        ):
            unlimited.append((method, first.status_code, second.status_code))

    assert unlimited == []


def test_the_walk_found_the_routes() -> None:
    assert len(ROUTES) > 30
    assert READ in ROUTES


def test_routes_of_the_table_exist() -> None:
    assert routes_with_rules() - set(ROUTES) == set()


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/api/v1/products/2", {}),
        ("GET", "/api/v1/products/a-slug/", {}),
        ("HEAD", "/api/v1/products/1", {}),
        ("OPTIONS", "/api/v1/products/1", {}),
        ("DELETE", "/api/v1/products/1", {}),
        ("BREW", "/api/v1/products/1", {}),
        ("POST", "/api/v1/products/1", {"X-HTTP-Method-Override": "GET"}),
        ("GET", "/api/v1/products/1?page=2&x=y", {}),
        ("GET", "/api/v1/products/1", {"Host": "somebody.else"}),
        ("GET", "/api/v1/products/1", {"Accept": "text/csv"}),
        ("GET", "/api/v1/products/1", {"Content-Encoding": "gzip"}),
    ],
)
def test_parameters_slashes_methods_and_headers_make_no_other_route(
    client: Client, settings: Any, method: str, path: str, headers: dict[str, str]
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    client.get("/api/v1/products/1")

    again = client.generic(method, path, headers=headers)

    assert again.status_code == 429
    assert client.get("/api/v1/products").status_code == 200  # another route
    elsewhere = client.get("/api/v1/products/1", REMOTE_ADDR="192.0.2.1")
    assert elsewhere.status_code == 404  # another client


def test_all_paths_that_lead_nowhere_are_one_route() -> None:
    decisions = [asked(f"/api/v1/nowhere/{n}") for n in range(LIMIT + 1)]

    assert {decision.route for decision in decisions} == {UNKNOWN}
    assert not decisions[-1].taken.is_allowed


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/metrics",
        "/problems",
        "/api/schema",
        "/api/docs",
        "/admin/",
        "/nowhere",
    ],
)
def test_probes_pages_and_the_admin_are_not_limited(
    client: Client, settings: Any, path: str
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)

    answers = [client.get(path) for _ in range(3)]

    assert all(answer.status_code != 429 for answer in answers)
    assert not any(answer.has_header("RateLimit") for answer in answers)
    assert limiter().keys("rl:*") == []


def test_a_stricter_route_tells_its_own_limit(client: Client) -> None:
    response = client.post("/api/v1/auth/token", {}, content_type="application/json")

    assert response["RateLimit-Policy"] == '"log_in";q=60;w=60'
    assert response["RateLimit"] == '"log_in";r=59;t=60'


ADD = {"method": "POST", "path": "/api/v1/cart/items"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"method": "GET", "path": "/api/v1/me"}, 401),
        ({"method": "PUT", "path": "/api/v1/me"}, 405),
        ({"method": "GET", "path": "/api/v1/me/"}, 401),
        ({**ADD, "data": "{"}, 400),
        ({**ADD, "data": " " * 2_000_000}, 413),
        (
            {
                "method": "POST",
                "path": "/api/v1/cart/items",
                "data": "a",
                "content_type": "text/csv",
            },
            415,
        ),
        ({"method": "GET", "path": "/api/v1/products", "HTTP_HOST": "somebody.else"}, 400),
        ({"method": "GET", "path": "/api/v1/products", "HTTP_ACCEPT": "text/csv"}, 406),
    ],
)
def test_a_refused_request_has_counted(client: Client, sent: dict[str, Any], status: int) -> None:
    answers = [client.generic(**{"content_type": "application/json", **sent}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert [";r=99;" in answers[0]["RateLimit"], ";r=98;" in answers[1]["RateLimit"]] == [True] * 2


def test_an_unchanged_page_has_the_headers_too(client: Client) -> None:
    product = catalog.product()
    etag = client.get(f"/api/v1/products/{product.pk}")["ETag"]

    unchanged = client.get(f"/api/v1/products/{product.pk}", headers={"If-None-Match": etag})

    assert unchanged.status_code == 304
    assert unchanged["RateLimit"] == '"default";r=98;t=60'


def test_off_limits_nothing_and_says_nothing(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = None

    response = client.get("/api/v1/products")

    assert response.status_code == 200
    assert not response.has_header("RateLimit")


# Browsers


def test_a_browser_may_read_why_and_how_long(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    settings.CORS_ALLOWED_ORIGINS = ["https://www.shop.example"]
    origin = {"Origin": "https://www.shop.example"}
    client.get("/api/v1/products", headers=origin)

    refused = client.get("/api/v1/products", headers=origin)
    stranger = client.get("/api/v1/products", headers={"Origin": "https://evil.example"})

    assert refused.status_code == 429
    assert refused["Access-Control-Allow-Origin"] == "https://www.shop.example"
    exposed = set(refused["Access-Control-Expose-Headers"].split(", "))
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed
    assert not stranger.has_header("Access-Control-Allow-Origin")


def test_what_a_browser_asks_by_itself_takes_nothing_from_the_route(
    client: Client, settings: Any
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    asks = {"Origin": "https://www.shop.example", "Access-Control-Request-Method": "GET"}

    answers = [client.options("/api/v1/products", headers=asks) for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert answers[0]["RateLimit-Policy"] == '"preflight";q=6;w=60'
    assert client.get("/api/v1/products").status_code == 200


# Clients


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
        jwt.encode({"sub": str(uuid.uuid4())}, None, algorithm="none"),
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


# What is told of it


def test_decisions_are_counted_by_policy() -> None:
    def value(outcome: str) -> float:
        labels = {"outcome": outcome, "policy": "default"}
        return REGISTRY.get_sample_value("shop_rate_limit_decisions_total", labels) or 0

    before = value("allowed"), value("refused")

    allowed(LIMIT + 5, asked)

    assert (value("allowed") - before[0], value("refused") - before[1]) == (LIMIT, 5)


def test_a_refused_request_is_counted_under_its_route(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    labels = {"method": "GET", "route": READ, "status": "429"}
    before = REGISTRY.get_sample_value("shop_http_requests_total", labels) or 0

    for _ in range(2):
        client.get("/api/v1/products/1")

    assert REGISTRY.get_sample_value("shop_http_requests_total", labels) == before + 1


def test_what_is_refused_does_nothing(api: APIClient, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    make.signed_in(api, make.customer())
    address = {
        "name": "Ada Byron",
        "line1": "12 St James's Square",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    }
    assert api.post("/api/v1/me/addresses", address).status_code == 201

    refused = api.post("/api/v1/me/addresses", address, headers={"Idempotency-Key": "abc"})

    settings.SHOP_RATE_LIMIT = Rate(100, 60)
    assert refused.status_code == 429
    assert len(api.get("/api/v1/me/addresses").json()["results"]) == 1
    again = api.post("/api/v1/me/addresses", address, headers={"Idempotency-Key": "abc"})
    assert again.status_code == 201  # the refusal was not stored for the key


def test_nothing_of_the_request_but_who_and_where_is_kept() -> None:
    asked("/api/v1/orders/ABC123?email=ada@example.com", HTTP_X_ORDER_TOKEN="secret")

    (key,) = limiter().keys("*")
    assert key == b"rl:{a:127.0.0.1:api/v1/orders/<str:number>}"
