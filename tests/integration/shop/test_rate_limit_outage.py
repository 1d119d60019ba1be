"""The limiter's Redis is away, slow or full: what is limited then, and how long one waits."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_ratelimit.core import get_usage
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from shop.embedded.home import Home
from shop.embedded.valkey import KEEPS, Valkey
from shop.http.rate_limit.limiter import shared
from shop.http.rate_limit.rates import Rate
from shop.http.rate_limit.windows import Taken, take_shared
from shop.redis import limiter
from tests.integration.shop.limits import asked
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/auth/token"
TIMEOUT_SECONDS = 0.3  # in production 0.05, which a busy test machine may take for one trip


class Stub:
    """Something that listens and is no Redis: it swallows what it is sent, or answers late."""

    def __init__(self, *, answers_after: float | None, to: tuple[str, int]) -> None:
        self.delay, self._to = answers_after, to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if self.delay is None:
                    continue
                time.sleep(self.delay)
                sink.sendall(chunk)


@pytest.fixture
def real_redis(settings: Any) -> tuple[str, int]:
    """Return where the limiter's Redis is, with the default limit and four processes."""
    settings.SHOP_RATE_LIMIT = Rate(100, 60)
    settings.SHOP_WEB_WORKERS = 4
    where = limiter().get_connection_kwargs()
    return str(where["host"]), int(where["port"])


@pytest.fixture(params=["refused", "black hole", "slow"])
def broken_redis(request: Any, settings: Any, real_redis: tuple[str, int]) -> Iterator[Stub]:
    """Put something broken where the limiter's Redis was."""
    delay = {"refused": None, "black hole": None, "slow": 3 * TIMEOUT_SECONDS}[request.param]
    stub = Stub(answers_after=delay, to=real_redis)
    if request.param == "refused":
        stub.close()
    settings.REDIS_TIMEOUT_SECONDS = {
        **settings.REDIS_TIMEOUT_SECONDS,
        "limiter": TIMEOUT_SECONDS,
    }
    whole = settings.REDIS_LIMITER_URL
    settings.REDIS_LIMITER_URL = whole.replace(f":{real_redis[1]}/", f":{stub.port}/")
    settings.CACHES = {
        **settings.CACHES,
        "limiter": {
            **settings.CACHES["limiter"],
            "LOCATION": settings.REDIS_LIMITER_URL,
            "OPTIONS": {
                **settings.CACHES["limiter"]["OPTIONS"],
                "SOCKET_CONNECT_TIMEOUT": TIMEOUT_SECONDS,
                "SOCKET_TIMEOUT": TIMEOUT_SECONDS,
            },
        },
    }
    yield stub
    stub.close()


def fallbacks() -> float:
    labels = {"policy": "default"}
    return REGISTRY.get_sample_value("shop_rate_limit_fallback_total", labels) or 0


def test_each_process_counts_alone_and_nobody_waits_more_than_once(
    broken_redis: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fallbacks()
    waits: list[float] = []

    def timed(key: str, rate: Rate) -> Taken:
        started = time.perf_counter()
        try:
            return take_shared(key, rate)
        finally:
            waits.append(time.perf_counter() - started)

    monkeypatch.setattr("shop.http.rate_limit.limiter.take_shared", timed)

    began = time.monotonic()
    decisions = [asked() for _ in range(60)]
    gone_by = time.monotonic() - began

    passed = sum(decision.taken.is_allowed for decision in decisions)
    assert passed == 25  # a quarter of the limit: four processes share it
    assert all(decision.is_local for decision in decisions)
    assert fallbacks() - before == 60
    assert len(waits) == 5  # five found out; the breaker spares all others
    assert min(waits) < 1.9 * TIMEOUT_SECONDS  # one wait and not two, whatever else is going on
    refused = decisions[-1]
    assert 59 - gone_by <= refused.taken.reset_seconds <= 60
    assert refused.policy.header == '"default";q=100;w=60'


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("/api/v1/cart", 25),
        ("/api/v1/nowhere", 25),
        ("/api/v1/checkout", 7),
        ("/api/v1/auth/token/refresh", 7),
        ("/api/v1/auth/token", 4),
        ("/api/v1/auth/password/reset", 2),
        ("/api/v1/orders/lookup", 2),
    ],
)
def test_where_one_may_guess_or_spend_it_is_stricter(
    settings: Any, real_redis: tuple[str, int], path: str, passes: int
) -> None:
    settings.REDIS_LIMITER_URL = "redis://127.0.0.1:1/0"

    assert sum(asked(path).taken.is_allowed for _ in range(40)) == passes


def test_answers_are_as_ever_until_one_is_too_many(client: Client, broken_redis: Stub) -> None:
    answers = [client.get("/api/v1/products") for _ in range(26)]

    assert [answer.status_code for answer in answers] == [200] * 25 + [429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert answers[0]["RateLimit"] == '"default";r=24;t=60'


def test_it_is_said_once_and_not_for_each_call(
    broken_redis: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(30):
        asked()

    told = [record for record in caplog.records if "limiter_unavailable" in record.getMessage()]
    assert len(told) == 1


def test_guessing_does_not_become_free_and_owners_still_get_in(
    api: APIClient, broken_redis: Stub, settings: Any
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1000, 60)
    make.customer(email="ada@example.com")
    wrong = {"email": "ada@example.com", "password": "x"}

    began = time.perf_counter()
    first = api.post(TOKEN, {"email": "ada@example.com", "password": make.PASSWORD})
    started = time.perf_counter()
    statuses = [api.post(TOKEN, wrong).status_code for _ in range(4)]
    took = time.perf_counter() - started
    stopped = api.post(TOKEN, {"email": "ada@example.com", "password": make.PASSWORD})
    elsewhere = api.post(
        TOKEN, {"email": "ada@example.com", "password": make.PASSWORD}, REMOTE_ADDR="192.0.2.7"
    )

    assert first.status_code == 200
    assert statuses == [401] * 3 + [429]  # ten failures in five minutes, shared by four processes
    assert stopped.status_code == 429
    assert 1 <= int(stopped["Retry-After"]) <= 300
    assert elsewhere.status_code == 200
    assert took < max(2.0, 4 * (started - began))  # nobody waits long to be refused


def test_a_request_that_finds_it_gone_while_counting_attempts_waits_once(
    api: APIClient, broken_redis: Stub, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SHOP_RATE_LIMIT = None  # so that the first to find out is the one who counts failures
    asked_of_redis: list[str] = []
    original: Callable[..., Any] = get_usage

    def noted(*args: Any, **kwargs: Any) -> Any:
        asked_of_redis.append(kwargs["group"])
        return original(*args, **kwargs)

    monkeypatch.setattr("shop.http.rate_limit.attempts.get_usage", noted)

    response = api.post(TOKEN, {"email": "nobody@example.com", "password": "x"})

    assert response.status_code == 401
    assert asked_of_redis == ["log_in:account_here"]


def test_back_again_within_the_breakers_pause(
    settings: Any, real_redis: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = settings.REDIS_LIMITER_URL
    settings.REDIS_LIMITER_URL = "redis://127.0.0.1:1/0"
    for _ in range(10):
        asked()
    settings.REDIS_LIMITER_URL = whole
    while_open = asked()
    clock = time.monotonic

    monkeypatch.setattr(time, "monotonic", lambda: clock() + 5.1)
    decisions = [asked() for _ in range(101)]

    assert while_open.is_local
    assert not any(decision.is_local for decision in decisions)
    # At most one more window, never an open door.
    assert sum(decision.taken.is_allowed for decision in decisions) == 100
    assert not shared.breaker.is_open


def test_a_redis_that_is_full_or_a_replica_or_stopped_is_no_reason_to_fail(
    settings: Any, real_redis: tuple[str, int], tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    server = Valkey(home, "valkey-keep", KEEPS)
    server.start()
    try:
        server.wait()
        settings.REDIS_TIMEOUT_SECONDS = {**settings.REDIS_TIMEOUT_SECONDS, "limiter": 0.5}
        settings.REDIS_LIMITER_URL = server.url(0)
        before = asked()
        limiter().config_set("maxmemory", "1")
        full = asked()
        limiter().config_set("maxmemory", "0")
        with_room = asked()
        limiter().execute_command("REPLICAOF", "127.0.0.1", "1")
        a_replica = asked()
        limiter().execute_command("REPLICAOF", "NO", "ONE")
        promoted = asked()
        limiter().connection_pool.disconnect()  # as a restart does: the next call finds it closed
        reconnected = asked()
    finally:
        server.stop()
    stopped = asked()

    asked_in_turn = (before, full, with_room, a_replica, promoted)
    assert [one.is_local for one in asked_in_turn] == [False, True, False, True, False]
    assert reconnected.taken.remaining == 96  # a closed connection costs nothing but a new one
    assert stopped.is_local
    assert stopped.taken.is_allowed
