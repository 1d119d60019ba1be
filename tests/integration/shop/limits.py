"""Asking the limiter alone, and making its log older."""

from collections.abc import Callable
from typing import Any

from django.test import RequestFactory

from shop.http.rate_limit.limiter import Decision, check
from shop.redis import limiter

READ = "/api/v1/products/1"


def asked(path: str = READ, method: str = "GET", **meta: Any) -> Decision:
    """Ask the limiter about a request, as the outermost middleware does."""
    decision = check(RequestFactory().generic(method, path, **meta))
    assert decision is not None
    return decision


def allowed(count: int, ask: Callable[[], Decision] = asked) -> int:
    """Ask `count` times, and return how often the answer was yes."""
    return sum(ask().taken.is_allowed for _ in range(count))


def store() -> Any:
    """Return the limiter's Redis, whose many kinds of answers are of no interest to types here."""
    return limiter()


def the_log() -> bytes:
    """Return the key of the one log that there is."""
    (key,) = store().keys("rl:*")
    return bytes(key)


def set_age(key: bytes, seconds: float) -> None:
    """Make every call in the log this old, however long the calls have taken."""
    now, microseconds = store().time()
    at = int((now - seconds) * 1_000_000) + microseconds
    for place in range(store().llen(key)):
        store().lset(key, place, at)


def age(key: bytes, seconds: float) -> None:
    """Make every call in the log older, as if that much time had gone by."""
    for place, at in enumerate(store().lrange(key, 0, -1)):
        store().lset(key, place, int(at) - int(seconds * 1_000_000))
