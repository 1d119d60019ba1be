"""The sliding window: exact, by the clock of Redis, in one trip; and what is told of it."""

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from shop.http.rate_limit.rates import Rate
from shop.http.rate_limit.windows import Taken, take_shared
from tests.concurrency import run_together
from tests.integration.shop.limits import age, allowed, asked, set_age, store, the_log
from tests.make import accounts as make
from tests.trips import seeing_trips

pytestmark = pytest.mark.django_db

LIMIT = 100
READ = "api/v1/products/<ref:ref>"


@pytest.fixture(autouse=True)
def _default_limit(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(LIMIT, 60)


def test_the_hundred_and_first_call_is_refused_with_a_problem_that_says_when(
    client: Client,
) -> None:
    started = time.monotonic()
    first = client.get("/api/v1/nowhere")
    for _ in range(LIMIT - 1):
        assert client.get("/api/v1/nowhere").status_code == 404

    refused = client.get("/api/v1/nowhere")
    gone_by = time.monotonic() - started

    assert first["RateLimit-Policy"] == '"default";q=100;w=60'
    assert re.fullmatch(r'"default";r=99;t=60', first["RateLimit"])
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    problem = refused.json()
    assert problem["code"] == "rate_limited"
    assert problem["retryable"] is True
    assert problem["retry_after"] == int(refused["Retry-After"])
    assert 59 - gone_by <= int(refused["Retry-After"]) <= 60
    assert refused["RateLimit"] == f'"default";r=0;t={refused["Retry-After"]}'
    assert refused["X-Request-ID"]


def test_exactly_the_limit_passes_when_all_come_at_once() -> None:
    rate = Rate(10, 60)

    taken = run_together([lambda: take_shared("rl:{at-once}", rate)] * 60, workers=20)

    assert sum(one.is_allowed for one in taken if isinstance(one, Taken)) == 10
    assert store().llen("rl:{at-once}") == 10


def test_looking_and_counting_in_two_steps_would_let_more_through() -> None:
    """The negative control: without the script the same rush gets past the limit."""
    rate = Rate(10, 60)

    all_have_looked = threading.Barrier(20)

    def in_two_steps() -> bool:
        is_allowed = int(store().llen("rl:{two-steps}")) < rate.limit
        all_have_looked.wait(60)
        if is_allowed:
            store().rpush("rl:{two-steps}", int(time.time() * 1_000_000))
        return is_allowed

    passed = run_together([in_two_steps] * 60, workers=20).count(True)

    assert passed > rate.limit


def test_no_span_of_the_windows_length_holds_more_than_the_limit() -> None:
    rate = Rate(5, 1)
    passed_at: list[int] = []

    end = time.monotonic() + 60
    # Until what is free again has been given out twice, which takes two seconds.
    while len(passed_at) < 3 * rate.limit and time.monotonic() < end:
        if take_shared("rl:{span}", rate).is_allowed:
            passed_at.append(int(store().lindex("rl:{span}", -1)))

    spans = [b - a for a, b in zip(passed_at, passed_at[rate.limit :], strict=False)]
    assert min(spans) > 1_000_000  # microseconds from a call to the fifth after it
    assert len(passed_at) == 3 * rate.limit


def test_calls_age_out_one_by_one_and_no_minute_begins_anew() -> None:
    assert allowed(LIMIT) == LIMIT
    key = the_log()
    set_age(key, 50)

    at_50 = asked()
    set_age(key, 60.001)  # the first hundred are gone after 60 s …
    at_60 = allowed(LIMIT + 1)  # … and as many may come
    set_age(key, 2)
    at_62 = asked()

    assert not at_50.taken.is_allowed
    assert 1 <= at_50.taken.reset_seconds <= 10
    assert at_60 == LIMIT
    assert not at_62.taken.is_allowed
    assert 45 <= at_62.taken.reset_seconds <= 58


@pytest.mark.parametrize("gone_by", [0.0, 12.3, 30.0, 50.0])
def test_whoever_waits_as_told_is_let_in_and_sooner_is_not(gone_by: float) -> None:
    assert allowed(LIMIT) == LIMIT
    key = the_log()
    age(key, gone_by)
    oldest = int(store().lindex(key, 0))

    def left() -> float:
        seconds, microseconds = store().time()
        return float(oldest - seconds * 1_000_000 - microseconds) / 1_000_000 + 60

    before = left()
    told = asked().taken.reset_seconds
    after = left()

    assert after <= told < before + 1  # rounded up
    set_age(key, 60 - 9)
    assert not asked().taken.is_allowed
    age(key, 9.001)
    assert asked().taken.is_allowed


def test_a_refused_call_does_not_make_the_wait_longer() -> None:
    assert allowed(LIMIT) == LIMIT
    key = the_log()
    log, ends_at = store().lrange(key, 0, -1), store().pexpiretime(key)

    assert allowed(50) == 0

    assert store().lrange(key, 0, -1) == log
    assert store().pexpiretime(key) == ends_at
    # Two windows from the first call, so that the last one counts to its end.
    assert 60_000 < store().pttl(key) <= 120_001


@pytest.mark.parametrize("skew", [timedelta(minutes=-5), timedelta(minutes=5)])
def test_the_clock_of_a_web_process_changes_nothing(
    skew: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert allowed(60) == 60
    clock = time.time

    monkeypatch.setattr(time, "time", lambda: clock() + skew.total_seconds())

    assert allowed(60) == 40


def test_a_clock_that_is_set_back_on_the_server_locks_nobody_out() -> None:
    seconds, microseconds = store().time()
    ahead = (seconds + 3600) * 1_000_000 + microseconds
    store().rpush("rl:{back}", *(ahead + n for n in range(5)))

    assert take_shared("rl:{back}", Rate(5, 60)).is_allowed


def test_a_full_log_is_small_and_a_call_is_one_trip() -> None:
    assert allowed(LIMIT) == LIMIT
    key = the_log()
    trips: list[bytes] = []

    with seeing_trips(lambda _, packet: trips.append(packet)):
        asked()

    assert len(trips) == 1
    assert b"EVALSHA" in trips[0]
    assert store().memory_usage(key) in range(100, 10_000)


def test_a_redis_that_was_wiped_begins_anew_and_knows_the_script_again() -> None:
    assert allowed(LIMIT + 1) == LIMIT

    store().flushdb()
    store().script_flush()
    after = allowed(LIMIT + 1)

    assert after == LIMIT
    assert not asked().is_local


def test_decisions_are_counted_by_policy() -> None:
    def value(outcome: str) -> float:
        labels = {"outcome": outcome, "policy": "default"}
        return REGISTRY.get_sample_value("shop_rate_limit_decisions_total", labels) or 0

    before = value("allowed"), value("refused")

    allowed(LIMIT + 5)

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

    (key,) = store().keys("*")
    assert key == b"rl:3:{a:127.0.0.1:api/v1/orders/<str:number>}"
