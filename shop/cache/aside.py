"""Cache-aside: look in the cache, fill it from the database, drop it when the truth changes.

One Redis hash for each thing: a field for each schema version (two releases live side by side and
one DEL clears both), and a generation. Rules that keep it honest:

* a fill is stored only if the generation is still the one that was seen before the database was
  read, so a slow reader cannot bury a newer state;
* one caller fills (lease), the others wait briefly for it or read for themselves;
* what does not exist is remembered too, for a short time;
* Redis being away is a miss, never an error.
"""

import random
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import cast

import structlog
from redis.commands.core import Script
from redis.exceptions import RedisError

from shop.observe import metrics
from shop.redis import cache_client

LEASE_MS = 2000
WAIT_SECONDS = 0.3
WAIT_STEP_SECONDS = 0.02
ABSENT_SECONDS = 30
_ABSENT = b"\x00absent"

log = structlog.get_logger("shop.cache")

# What a reader runs who has found nothing. KEYS[1] the hash; ARGV: field, lease token, lease ms.
# Returns the value if there is one by now, or false and then whether the lease is ours with the
# generation to fill under.
_READ = """
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value then return {value} end
local generation = redis.call('HGET', KEYS[1], 'generation') or '0'
local lease_field = 'lease:' .. ARGV[1]
local held = redis.call('HGET', KEYS[1], lease_field)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if held then
  local until_ms = tonumber(string.match(held, '^(%d+):'))
  if until_ms and until_ms > now then return {false, 'wait', generation} end
end
redis.call('HSET', KEYS[1], lease_field, (now + tonumber(ARGV[3])) .. ':' .. ARGV[2])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], 60000) end
return {false, 'fill', generation}
"""

# ARGV: field, generation seen, value, seconds.
_FILL = """
local generation = redis.call('HGET', KEYS[1], 'generation') or '0'
redis.call('HDEL', KEYS[1], 'lease:' .. ARGV[1])
if generation ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
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


class AsideCache:
    """A cache of bytes by key, for one kind of thing in one schema version.

    `version` names the shape of the bytes: raise it when the shape changes, and the other
    release's copies are simply misses. `ttl_seconds` gets ±10 % of jitter.
    """

    def __init__(self, *, name: str, version: str, ttl_seconds: int = 3600) -> None:
        self._name = name
        self._field = f"v{version}"
        self._ttl_seconds = ttl_seconds

    def _key(self, key: str | int) -> str:
        return f"aside:{{{self._name}:{key}}}"

    def get(self, key: str | int, load: Callable[[], bytes | None]) -> bytes | None:
        """Return the bytes for `key`: cached, or loaded and then cached. None if there are none.

        `load` reads the database and is called at most once here; what it raises is passed on.
        """
        name = self._key(key)
        deadline = time.monotonic() + WAIT_SECONDS
        token = secrets.token_hex(8)
        while True:
            try:
                # Nearly always it is there, and a plain read is cheaper than a script.
                value = cast(bytes | None, cache_client().hget(name, self._field))
                found = (
                    [value]
                    if value is not None
                    else _script(_READ)(
                        keys=[name], args=[self._field, token, LEASE_MS], client=cache_client()
                    )
                )
            except RedisError as error:
                self._note("error")
                log.warning("cache_unavailable", name=self._name, error=type(error).__name__)
                return load()
            if found[0] is not None:
                self._note("hit")
                return None if found[0] == _ABSENT else bytes(found[0])
            if found[1] == b"fill":
                self._note("fill")
                value = load()
                self._store(name, generation=found[2], value=value)
                return value
            if time.monotonic() >= deadline:
                self._note("impatient")
                return load()
            time.sleep(WAIT_STEP_SECONDS)

    def at_hand(self, key: str | int) -> bytes | None:
        """Return the bytes for `key` if they are cached, in one trip.

        None says nothing: neither that there are none, nor that Redis answered.
        """
        try:
            value = cast(bytes | None, cache_client().hget(self._key(key), self._field))
        except RedisError:
            return None  # whoever reads on says so in the log
        if value is None or value == _ABSENT:
            return None
        self._note("hit")
        return value

    def get_many(
        self,
        keys: Collection[str | int],
        load_many: Callable[[Collection[str | int]], Mapping[str | int, bytes]],
    ) -> dict[str | int, bytes]:
        """Return the bytes for each key that has any, in one trip when all are cached.

        `load_many` gets the missing keys and reads them from the database in one go.
        """
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        try:
            pipe = cache_client().pipeline(transaction=False)
            for key in wanted:
                pipe.hmget(self._key(key), self._field, "generation")
            rows = pipe.execute()
        except RedisError as error:
            self._note("error")
            log.warning("cache_unavailable", name=self._name, error=type(error).__name__)
            return dict(load_many(wanted))
        found = {
            key: bytes(value)
            for key, (value, _) in zip(wanted, rows, strict=True)
            if value is not None
        }
        missing = {
            key: generation or b"0"
            for key, (value, generation) in zip(wanted, rows, strict=True)
            if value is None
        }
        if missing:
            self._note("fill")
            loaded = load_many(list(missing))
            self._store_many(missing, loaded)
            found.update(loaded)
        else:
            self._note("hit")
        return {key: value for key, value in found.items() if value != _ABSENT}

    def peek(self, keys: Collection[str | int]) -> dict[str | int, bytes | None]:
        """Return what is kept of these, in one trip: None for what is known not to exist.

        Nothing is loaded or counted; what is not kept is absent, and all is if Redis is away.
        """
        wanted = list(dict.fromkeys(keys))
        try:
            pipe = cache_client().pipeline(transaction=False)
            for key in wanted:
                pipe.hget(self._key(key), self._field)
            rows = pipe.execute()
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
            pipe = cache_client().pipeline(transaction=False)
            for key in dict.fromkeys(keys):
                _script(_DROP)(keys=[self._key(key)], args=[secrets.token_hex(8)], client=pipe)
            pipe.execute()
        except RedisError as error:
            log.warning("cache_unavailable", name=self._name, error=type(error).__name__)

    def _seconds(self, value: bytes | None) -> int:
        if value is None:
            return ABSENT_SECONDS
        return int(self._ttl_seconds * random.uniform(0.9, 1.1))  # noqa: S311 — jitter, no secret

    def _store(self, name: str, *, generation: bytes, value: bytes | None) -> None:
        stored = _ABSENT if value is None else value
        try:
            _script(_FILL)(
                keys=[name],
                args=[self._field, generation, stored, self._seconds(value)],
                client=cache_client(),
            )
        except RedisError as error:
            log.warning("cache_unavailable", name=self._name, error=type(error).__name__)

    def _store_many(
        self, missing: Mapping[str | int, bytes], loaded: Mapping[str | int, bytes]
    ) -> None:
        try:
            pipe = cache_client().pipeline(transaction=False)
            for key, generation in missing.items():
                value = loaded.get(key)
                stored = _ABSENT if value is None else value
                seconds = self._seconds(value)
                _script(_FILL)(
                    keys=[self._key(key)],
                    args=[self._field, generation, stored, seconds],
                    client=pipe,
                )
            pipe.execute()
        except RedisError as error:
            log.warning("cache_unavailable", name=self._name, error=type(error).__name__)

    def _note(self, outcome: str) -> None:
        metrics.cache_reads.labels(self._name, outcome).inc()
