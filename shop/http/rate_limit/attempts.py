"""Counting what might be guessed, by account and address (django-ratelimit), Redis or no Redis."""

import math
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from shop.http.rate_limit.limiter import shared
from shop.http.rate_limit.rates import Rate, read_rate
from shop.http.rate_limit.windows import LocalWindows


class Usage(NamedTuple):
    """How much of a rate is used."""

    is_used_up: bool
    retry_after: int  # seconds


_local = LocalWindows(size=10_000)


def count_attempt(request: HttpRequest, *, group: str, key: str, rate: str) -> Usage:
    """Count one attempt, and tell whether it was one too many."""
    return _usage(request, group, key, rate, is_counted=True)


def look_at_attempts(request: HttpRequest, *, group: str, key: str, rate: str) -> Usage:
    """Tell whether one more attempt would be too many, and count nothing."""
    return _usage(request, group, key, rate, is_counted=False)


def forget_local_attempts() -> None:
    """Begin anew in this process, as after a start."""
    _local.clear()


def _usage(request: HttpRequest, group: str, key: str, rate: str, *, is_counted: bool) -> Usage:
    """Ask Redis; while it is away this process counts alone, with its share of the rate.

    Guessing does not become free then, and nobody is locked out for want of a counter. A request
    that has already waited for Redis in vain does not wait again.
    """
    if not getattr(request, "is_counted_locally", False) and shared.breaker.may_call():
        try:
            usage = get_usage(  # type: ignore[no-untyped-call]
                request,
                group=group,
                key=lambda _group, _request: key,
                rate=rate,
                increment=is_counted,
            )
        except (RedisError, ConnectionInterrupted) as error:
            shared.note_failure(error)
            request.is_counted_locally = True  # type: ignore[attr-defined]
        else:
            shared.note_success()
            if usage is None:  # django-ratelimit is switched off by settings
                return Usage(is_used_up=False, retry_after=0)
            if usage["time_left"] >= 0:
                spent = usage["should_limit"] if is_counted else usage["count"] >= usage["limit"]
                return Usage(spent, max(1, usage["time_left"]))
    whole = read_rate(rate)
    share = Rate(math.ceil(whole.limit / settings.SHOP_WEB_WORKERS), whole.seconds)
    name = f"{group} {key}"
    taken = _local.take(name, share) if is_counted else _local.look(name, share)
    return Usage(not taken.is_allowed, taken.reset_seconds)
