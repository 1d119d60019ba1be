"""Redis clients by role, one a process, with short timeouts.

`carts` holds the only copy of something and must not evict; `cache` holds copies; `limiter`
counts. They are clients of our own, beside those of Django's caches: scripts need them.
"""

import time
from functools import cache
from typing import Any, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from shop.observe.timing import cache_clock


class TimedPipeline(Pipeline):
    """A pipeline that reports its one trip."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        if not cache_clock.is_running:
            return super().execute(raise_on_error)
        started = time.perf_counter()
        try:
            return super().execute(raise_on_error)
        finally:
            cache_clock.note(time.perf_counter() - started)


class TimedRedis(redis.Redis):
    """A client that reports each trip to `Server-Timing` while that is on."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not cache_clock.is_running:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        started = time.perf_counter()
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        finally:
            cache_clock.note(time.perf_counter() - started)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> TimedPipeline:
        return TimedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


_ONCE_MORE = Retry(NoBackoff(), 1)
# After a time-out nobody knows whether a call was counted, and a second wait is one too many. A
# connection that was closed (the server was started anew) is worth another one.
_ONCE_MORE_IF_CLOSED = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))


@cache
def _client(
    url: str, timeout_seconds: float, retry: Retry = _ONCE_MORE, health_check_seconds: int = 30
) -> TimedRedis:
    return cast(
        TimedRedis,
        TimedRedis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=retry,
            max_connections=64,
            health_check_interval=health_check_seconds,
        ),
    )


def carts() -> TimedRedis:
    """Return the client of the store that keeps: an error here means 503, never a guess."""
    return _client(settings.REDIS_CARTS_URL, settings.REDIS_TIMEOUT_SECONDS["carts"])


def cache_client() -> TimedRedis:
    """Return the client of the store that may forget: an error here is a miss."""
    return _client(settings.REDIS_CACHE_URL, settings.REDIS_TIMEOUT_SECONDS["default"])


def limiter() -> TimedRedis:
    """Return the client of the store that counts requests: an error here costs one short wait."""
    return _client(
        settings.REDIS_LIMITER_URL,
        settings.REDIS_TIMEOUT_SECONDS["limiter"],
        _ONCE_MORE_IF_CLOSED,
        0,  # a check would be a trip, and may be a wait, of its own
    )
