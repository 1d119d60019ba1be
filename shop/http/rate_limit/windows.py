"""Sliding windows, exact: a log of the calls that passed, in Redis or in this process."""

import math
import threading
import time
from collections import OrderedDict, deque
from functools import cache
from typing import NamedTuple

from redis.commands.core import Script

from shop.http.rate_limit.rates import Rate
from shop.redis import ask_script, limiter


class Taken(NamedTuple):
    """What one call found."""

    is_allowed: bool
    remaining: int  # calls that may follow at once
    reset_seconds: int  # until the oldest counted call is too old to count, 1 or more


# KEYS[1] the log: a list of the times of the calls that passed, in microseconds, oldest first.
# ARGV: limit, window in microseconds. A list, as times go in at one end and out at the other: a
# sorted set of them takes a fifth more of the server's time, and a name for each call. To ask the
# server from within costs more than what it does, so most calls ask three things.
# Time is the server's, so that no client's clock can open or close the window. A call counts until
# the window has passed since it and not a microsecond less: no span of that length, its ends
# included, holds more than the limit. What lies ahead of the clock was written before the clock was
# set back, and would count for as long as it was; it is dropped. A refused call leaves nothing.
# The log is kept for two windows from its first call and from each one that finds an old one in it:
# whatever is written in between is too old by then.
# Because of the first line a server that is full refuses the script, and is not filled further.
_TAKE = """#!lua
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = redis.call('RPUSH', key, string.format('%.0f', now))
local oldest = now
local is_aged = used == 1
while used > 1 do
  oldest = tonumber(redis.call('LINDEX', key, 0))
  if oldest >= now - window and oldest <= now then break end
  redis.call('LPOP', key)
  used, oldest, is_aged = used - 1, now, true
end
local allowed = 1
if used > limit then
  redis.call('RPOP', key)
  used, allowed = used - 1, 0
end
if is_aged then
  redis.call('PEXPIRE', key, 2 * math.ceil(window / 1000) + 1)
end
return {allowed, limit - used, oldest + window - now}
"""


@cache
def _take_script() -> Script:
    """Return the script, which is sent by its digest and only once to each server by its text."""
    return limiter().register_script(_TAKE)


def take_shared(key: str, rate: Rate) -> Taken:
    """Count one call under `key`, for every process of the shop. One trip.

    Raises RedisError.
    """
    allowed, remaining, reset = ask_script(
        limiter(),
        _take_script(),
        key,
        rate.limit,
        rate.seconds * 1_000_000,
    )
    return Taken(bool(allowed), max(0, remaining), max(1, math.ceil(reset / 1_000_000)))


class LocalWindows:
    """Sliding windows of this process alone, for while Redis is away.

    Safe to share between threads. Holds `size` logs and drops the one unused for longest.
    """

    def __init__(self, *, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._logs: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, rate: Rate) -> Taken:
        """Count one call under `key`. A refused call is not counted."""
        with self._lock:
            log, now = self._log_of(key, rate)
            is_allowed = len(log) < rate.limit
            if is_allowed:
                log.append(now)
            return self._taken(log, rate, now, is_allowed)

    def look(self, key: str, rate: Rate) -> Taken:
        """Tell what `take` would find, and count nothing."""
        with self._lock:
            log, now = self._log_of(key, rate)
            return self._taken(log, rate, now, len(log) < rate.limit)

    def clear(self) -> None:
        with self._lock:
            self._logs.clear()

    def _log_of(self, key: str, rate: Rate) -> tuple[deque[float], float]:
        now = time.monotonic()
        log = self._logs.setdefault(key, deque())
        self._logs.move_to_end(key)
        while len(self._logs) > self._size:
            self._logs.popitem(last=False)
        while log and log[0] < now - rate.seconds:
            log.popleft()
        return log, now

    @staticmethod
    def _taken(log: deque[float], rate: Rate, now: float, is_allowed: bool) -> Taken:
        oldest = log[0] if log else now
        return Taken(
            is_allowed,
            max(0, rate.limit - len(log)),
            # In this order: a large stopwatch plus the seconds may be rounded up to one more.
            max(1, math.ceil(rate.seconds - (now - oldest))),
        )
