"""Cache-aside: look in the cache, fill it from the database, drop it when the truth changes.

One Redis hash for each thing: a field for each schema version (two releases live side by side and
one DEL clears both), until when that is fresh, and a generation. Rules that keep it honest:

* a fill is stored only if the generation is still the one that was seen before the database was
  read, so a slow reader cannot bury a newer state;
* one caller fills (lease); the others get the old value, which is kept for as long again after its
  time, or wait briefly if there is none;
* what does not exist is remembered too, for a short time;
* Redis being away is a miss, never an error; but only so many read past it at once (`Gate`), and
  after some failures nobody waits for it for a while (`Breaker`).
"""

import random
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import structlog
from django.conf import settings
from redis.commands.core import Script
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from shop.breaker import Breaker
from shop.cache.drops import DropLog
from shop.cache.gate import Gate
from shop.observe import metrics
from shop.redis import ask, ask_each, ask_script, ask_script_of_many, cache_client

LEASE_MS = 2000
WAIT_SECONDS = 0.3
WAIT_STEP_SECONDS = 0.02
ABSENT_SECONDS = 30
MOST_FIELDS = 300  # of one thing: about a hundred parts
_ABSENT = b"\x00absent"

log = structlog.get_logger("shop.cache")
AnswerT = TypeVar("AnswerT")

_breaker = Breaker()
_past_the_cache = Gate(at_once=settings.SHOP_UNCACHED_READS, wait_seconds=0.3)

# What a reader runs who has found nothing fresh. KEYS[1] the hash; ARGV: field, lease token,
# lease ms, most fields. Returns the value (false if there is none), what to do ('use', 'fill' when
# the lease is ours, 'wait' when another's), and the generation to fill under. A hash that is full
# gives no leases: what is asked for by addresses that somebody makes up is not kept without end.
_READ = """
local value = redis.call('HGET', KEYS[1], ARGV[1])
local generation = redis.call('HGET', KEYS[1], 'generation') or '0'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if value then
  local fresh = redis.call('HGET', KEYS[1], 'fresh:' .. ARGV[1])
  if not fresh or tonumber(fresh) > now then return {value, 'use', generation} end
end
local lease_field = 'lease:' .. ARGV[1]
local held = redis.call('HGET', KEYS[1], lease_field)
if held then
  local until_ms = tonumber(string.match(held, '^(%d+):'))
  if until_ms and until_ms > now then return {value, 'wait', generation} end
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) and not value then
  return {value, 'fill', generation}
end
redis.call('HSET', KEYS[1], lease_field, (now + tonumber(ARGV[3])) .. ':' .. ARGV[2])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], 60000) end
return {value, 'fill', generation}
"""

# ARGV: field, generation seen, value, ms that it is fresh, ms that it is kept, most fields.
_FILL = """
local generation = redis.call('HGET', KEYS[1], 'generation') or '0'
redis.call('HDEL', KEYS[1], 'lease:' .. ARGV[1])
if generation ~= ARGV[2] then return 0 end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6])
    and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3], 'fresh:' .. ARGV[1], now + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""

# Drops every release's copy and moves the generation on. The new generation is kept for longer
# than any reader can take, so that a fill begun before is refused. ARGV: a generation never used.
_DROP = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'generation', ARGV[1])
redis.call('EXPIRE', KEYS[1], 60)
return 1
"""


@cache
def _script(source: str) -> Script:
    """Return the script, which is sent by its digest and only once to each server by its text."""
    return cache_client().register_script(source)


def forget_outage() -> None:
    """Ask Redis again at once, as a new process would."""
    _breaker.reset()


def _answer_of(ask: Callable[[], AnswerT]) -> AnswerT:
    """Return what Redis answers. Raises RedisError, at once while it is left alone."""
    if not _breaker.may_call():
        raise RedisConnectionError("It failed too often: left alone for some seconds.")
    try:
        answer = ask()
    except RedisError:
        _breaker.failed()
        raise
    _breaker.succeeded()
    return answer


class _Found(NamedTuple):
    """What a reader is told: a value, fresh or old, and whether to use it, wait or fill."""

    value: bytes | None
    verdict: bytes
    generation: bytes = b"0"


class AsideCache:
    """A cache of bytes by key, for one kind of thing in one schema version.

    `version` names the shape of the bytes: raise it when the shape changes, and the other
    release's copies are simply misses. A value is fresh for `ttl_seconds`, with ±10 % of jitter,
    and kept for twice that. Drops are told to whoever keeps copies by the log `drops`.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        ttl_seconds: int = 3600,
        drops: DropLog | None = None,
    ) -> None:
        self._name = name
        self._drops = drops
        self._field = f"v{version}"
        self._ttl_seconds = ttl_seconds

    def _key(self, key: str | int) -> str:
        return f"aside:{{{self._name}:{key}}}"

    def get(
        self, key: str | int, load: Callable[[], bytes | None], *, part: str = ""
    ) -> bytes | None:
        """Return the bytes for `key`: cached, or loaded and then cached. None if there are none.

        A thing may have parts (the pages of a list), which are dropped together; about a hundred
        are kept. `load` reads the database and is called at most once here; what it raises is
        passed on. Raises Unavailable if Redis is away, or who fills takes too long, and too many
        others read past the cache already.
        """
        name, field = self._key(key), f"{self._field}:{part}" if part else self._field
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                found = self._look(name, field)
            except RedisError as error:
                self._away(error)
                with _past_the_cache.entered():
                    return load()
            if found.verdict == b"fill":
                self._note("fill")
                return self._filled(name, field, found.generation, load)
            if found.value is not None:
                self._note("hit" if found.verdict == b"use" else "stale")
                return None if found.value == _ABSENT else found.value
            if time.monotonic() >= deadline:
                return self._impatient(name, field, load)
            time.sleep(WAIT_STEP_SECONDS)

    def _filled(
        self, name: str, field: str, generation: bytes, load: Callable[[], bytes | None]
    ) -> bytes | None:
        try:
            value = load()
        except Exception:
            self._let_go(name, field)  # who waits shall not wait for a fill that has failed
            raise
        self._store(name, field, generation=generation, value=value)
        return value

    def _let_go(self, name: str, field: str) -> None:
        try:
            ask(cache_client(), "HDEL", name, f"lease:{field}")
        except RedisError as error:
            self._away(error)

    def _look(self, name: str, field: str) -> _Found:
        # Nearly always it is there and fresh, and a plain read is cheaper than a script.
        value, fresh_until = self._kept(name, field)
        if value is not None and _is_fresh(fresh_until):
            return _Found(value, b"use")
        args = (field, secrets.token_hex(8), LEASE_MS, MOST_FIELDS)
        return _Found(*_answer_of(lambda: ask_script(cache_client(), _script(_READ), name, *args)))

    def _kept(self, name: str, field: str) -> list[bytes | None]:
        """Return the value and until when it is fresh, whatever is there."""
        return _answer_of(
            lambda: cast(
                list[bytes | None],
                ask(cache_client(), "HMGET", name, field, f"fresh:{field}"),
            )
        )

    def _impatient(self, name: str, field: str, load: Callable[[], bytes | None]) -> bytes | None:
        """Read past the cache, as who fills takes too long; unless it is there after all."""
        with _past_the_cache.entered():
            try:
                value = _answer_of(lambda: cast(bytes | None, cache_client().hget(name, field)))
            except RedisError as error:
                self._away(error)
                value = None
            if value is not None:
                self._note("hit")
                return None if value == _ABSENT else value
            self._note("impatient")
            return load()

    def at_hand(self, key: str | int) -> bytes | None:
        """Return the bytes for `key` if they are cached and fresh, in one trip.

        None says nothing: neither that there are none, nor that Redis answered.
        """
        try:
            value, fresh_until = self._kept(self._key(key), self._field)
        except RedisError:
            return None  # whoever reads on says so in the log
        if value is None or value == _ABSENT or not _is_fresh(fresh_until):
            return None
        self._note("hit")
        return value

    def get_many(
        self,
        keys: Collection[str | int],
        load_many: Callable[[Collection[str | int]], Mapping[str | int, bytes]],
    ) -> dict[str | int, bytes]:
        """Return the bytes for each key that has any, in one trip when all are cached.

        `load_many` gets the missing keys and reads them from the database in one go. What another
        caller is filling is given as it was, or loaded as well if it was not. Raises Unavailable if
        Redis is away and too many others read past it already.
        """
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        try:
            found = self._look_at_many(wanted)
        except RedisError as error:
            self._away(error)
            with _past_the_cache.entered():
                return dict(load_many(wanted))
        values = {
            key: look.value
            for key, look in found.items()
            if look.value is not None and look.verdict != b"fill"
        }
        missing = [key for key in wanted if key not in values]
        if missing:
            self._note("fill")
            loaded = load_many(missing)
            mine = {key: found[key].generation for key in missing if found[key].verdict == b"fill"}
            self._store_many(mine, loaded)
            values.update(loaded)
        else:
            self._note("hit")
        return {key: value for key, value in values.items() if value != _ABSENT}

    def _look_at_many(self, keys: Collection[str | int]) -> dict[str | int, _Found]:
        fields = (self._field, f"fresh:{self._field}")
        commands = [("HMGET", self._key(key), *fields) for key in keys]
        kept = _answer_of(lambda: ask_each(cache_client(), commands))
        found = {
            key: _Found(value, b"use")
            for key, (value, fresh_until) in zip(keys, kept, strict=True)
            if value is not None and _is_fresh(fresh_until)
        }
        others = [key for key in keys if key not in found]
        if others:
            calls = [
                (self._key(key), (self._field, secrets.token_hex(8), LEASE_MS, MOST_FIELDS))
                for key in others
            ]
            answers = _answer_of(lambda: ask_script_of_many(cache_client(), _script(_READ), calls))
            for key, answer in zip(others, answers, strict=True):
                found[key] = _Found(*answer)
        return found

    def peek(self, keys: Collection[str | int]) -> dict[str | int, bytes | None]:
        """Return what is kept of these, in one trip: None for what is known not to exist.

        Nothing is loaded or counted; what is not kept is absent, and all is if Redis is away.
        """
        wanted = list(dict.fromkeys(keys))
        try:
            commands = [("HGET", self._key(key), self._field) for key in wanted]
            rows = ask_each(cache_client(), commands)
        except RedisError as error:
            log.warning("cache_unavailable", name=self._name, error=type(error).__name__)
            return {}
        return {
            key: None if value == _ABSENT else bytes(value)
            for key, value in zip(wanted, rows, strict=True)
            if value is not None
        }

    def invalidate(self, keys: Collection[str | int]) -> None:
        """Drop these, in every release's shape. Call it after the commit that changed them.

        Safe to repeat. If Redis is away the copies live on until their time is over: whoever must
        be sure publishes an outbox message as well.
        """
        if not keys:
            return
        try:
            calls = [(self._key(key), (secrets.token_hex(8),)) for key in dict.fromkeys(keys)]
            ask_script_of_many(cache_client(), _script(_DROP), calls)
            if self._drops is not None:
                # After the drop: who hears of it and looks again finds what is new.
                self._drops.note(self._name, keys)
        except RedisError as error:
            log.warning("cache_unavailable", name=self._name, error=type(error).__name__)

    def _fill_args(self, field: str, generation: bytes, value: bytes | None) -> list[Any]:
        if value is None:
            kept_ms = ABSENT_SECONDS * 1000
            return [field, generation, _ABSENT, kept_ms, kept_ms, MOST_FIELDS]
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 — no secret
        fresh_ms = int(self._ttl_seconds * 1000 * jitter)
        return [field, generation, value, fresh_ms, 2 * fresh_ms, MOST_FIELDS]

    def _store(self, name: str, field: str, *, generation: bytes, value: bytes | None) -> None:
        args = self._fill_args(field, generation, value)
        try:
            ask_script(cache_client(), _script(_FILL), name, *args)
        except RedisError as error:
            self._away(error)

    def _store_many(
        self, missing: Mapping[str | int, bytes], loaded: Mapping[str | int, bytes]
    ) -> None:
        if not missing:
            return
        try:
            calls = [
                (self._key(key), self._fill_args(self._field, generation, loaded.get(key)))
                for key, generation in missing.items()
            ]
            ask_script_of_many(cache_client(), _script(_FILL), calls)
        except RedisError as error:
            self._away(error)

    def _away(self, error: RedisError) -> None:
        self._note("error")
        log.warning("cache_unavailable", name=self._name, error=type(error).__name__)

    def _note(self, outcome: str) -> None:
        metrics.cache_reads.labels(self._name, outcome).inc()


def _is_fresh(fresh_until_ms: bytes | None) -> bool:
    # The release before this one says nothing of it, and what it keeps goes when its time is over.
    return fresh_until_ms is None or int(fresh_until_ms) > time.time() * 1000
