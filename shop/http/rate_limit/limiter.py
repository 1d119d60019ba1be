"""`check`: what every request is asked once, in one place, and what its answer then says."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from redis.exceptions import RedisError

from shop.breaker import Breaker
from shop.errors import TooMany
from shop.http.headers import write_own
from shop.http.rate_limit.clients import client_of
from shop.http.rate_limit.policies import Policy, names, policy_of
from shop.http.rate_limit.routes import limited_route
from shop.http.rate_limit.windows import LocalWindows, Taken, take_shared
from shop.observe import metrics

TOLD_EVERY_SECONDS = 60.0  # a limiter that is away is one line a minute in the log, not one a call

log = structlog.get_logger("shop.limiter")

# There from the start: an alert on a rate does not see a series begin.
for _name in names():
    metrics.rate_limit_fallbacks.labels(_name)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go on, and what its answer says of the limit."""

    route: str  # the template it counted for
    policy: Policy
    taken: Taken
    is_local: bool  # counted by this process alone, as Redis was away

    def require_allowed(self) -> None:
        """Raise TooMany, with the seconds to wait, when the request is one too many."""
        if not self.taken.is_allowed:
            raise TooMany(
                f"At most {self.policy.rate.limit} calls of this route are answered in"
                f" {self.policy.rate.seconds} seconds.",
                retry_after=self.taken.reset_seconds,
            )

    def write_headers(self, response: HttpResponseBase) -> None:
        """Tell the limit and what is left of it (draft-ietf-httpapi-ratelimit-headers-11)."""
        taken = self.taken
        write_own(response, "RateLimit-Policy", self.policy.header)
        left = f'"{self.policy.name}";r={taken.remaining};t={taken.reset_seconds}'
        write_own(response, "RateLimit", left)


class SharedCounter:
    """The limiter's Redis behind a breaker: asked unless it keeps failing, and complained about."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._told_at = float("-inf")

    def take(self, key: str, policy: Policy) -> Taken | None:
        """Count one call, or return None when Redis cannot: after one wait at most."""
        if not self.breaker.may_call():
            return None
        try:
            taken = take_shared(key, policy.rate)
        except RedisError as error:
            self.note_failure(error)
            return None
        self.note_success()
        return taken

    def note_success(self) -> None:
        if self.breaker.succeeded():
            log.info("limiter_back")

    def note_failure(self, error: Exception) -> None:
        self.breaker.failed()
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY_SECONDS:
            self._told_at = now
            log.error("limiter_unavailable", error=type(error).__name__)

    def reset(self) -> None:
        self.breaker.reset()
        self._told_at = float("-inf")


shared = SharedCounter()
_local = LocalWindows(size=10_000)


def check(request: HttpRequest) -> Decision | None:
    """Count the request for its client and route, and decide. Never raises for want of Redis.

    None where nothing is limited: outside of `/api/v1/`, and with `SHOP_RATE_LIMIT=off`. One trip
    to Redis; while that is away this process counts alone, with its share of the limit.
    """
    rate = settings.SHOP_RATE_LIMIT
    if rate is None or (route := limited_route(request)) is None:
        return None
    policy = policy_of(route, rate, settings.SHOP_WEB_WORKERS)
    # The version is that of the log: its shape and how long it is kept. Another counts by itself.
    key = f"rl:3:{{{client_of(request)}:{route}}}"
    taken = shared.take(key, policy)
    is_local = taken is None
    if taken is None:
        taken = _local.take(key, policy.local_rate)
        metrics.rate_limit_fallbacks.labels(policy.name).inc()
    _count_of("allowed" if taken.is_allowed else "refused", policy.name)()
    decision = Decision(route=route, policy=policy, taken=taken, is_local=is_local)
    request.rate_limit = decision  # type: ignore[attr-defined]
    request.is_counted_locally = is_local  # type: ignore[attr-defined]
    return decision


@cache
def _count_of(outcome: str, policy: str) -> Callable[[], None]:
    # Looked up once: to find a series by its labels takes longer than to count in it.
    return metrics.rate_limit_decisions.labels(outcome, policy).inc


def forget_local_counts() -> None:
    """Begin anew in this process, as after a start."""
    _local.clear()
    shared.reset()
