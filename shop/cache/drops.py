"""Copies inside a process that hear of every drop from the shared cache.

Whoever drops something from Redis says so in a stream there, after the drop. A process that keeps
copies reads what is new in the stream a few times a second, in one short trip for all its copies,
and forgets what was named. So a copy may live for seconds and is still never older than
`HEARD_SECONDS`: while the stream cannot be read, or has lost anything since the last look, copies
count for no more than their short time.
"""

import secrets
import threading
import time
from collections.abc import Collection
from typing import Any, Final, NamedTuple, TypeVar, cast

import structlog
from redis.exceptions import RedisError

from shop.cache.memory import ShortMemory
from shop.redis import cache_client

HEARD_SECONDS: Final = 0.5  # how late a drop is heard of at most, where copies are still shown
LOOK_SECONDS: Final = 0.25
LEFT_ALONE_SECONDS: Final = 2.0  # after a look that failed: each may be a wait

STREAM: Final = "aside-drops:1"
_KEPT_ENTRIES: Final = 1000
_MOST_ENTRIES: Final = 200  # that are worth reading one by one
_MOST_KEYS: Final = 500  # that are worth naming one by one
_ALL: Final = b"*"
_BEGUN: Final = b"begun"

log = structlog.get_logger("shop.cache")
ValueT = TypeVar("ValueT")
_Entry = tuple[bytes, dict[bytes, bytes]]
_Entries = list[_Entry]


class DropLog:
    """The stream, as one process writes and follows it. Safe to share between threads."""

    def __init__(self) -> None:
        self._memories: dict[bytes, FollowingMemory[Any]] = {}
        self._looking = threading.Lock()
        self.forget_place()

    def forget_place(self) -> None:
        """Begin anew, as a new process does."""
        self._last: _Entry | None = None
        self._next_look = self._heard_until = float("-inf")

    def follow(self, name: str, memory: "FollowingMemory[Any]") -> None:
        """Have `memory` forget whatever is dropped of the cache of this name."""
        self._memories[name.encode()] = memory

    def note(self, name: str, keys: Collection[str | int]) -> None:
        """Say that these were dropped, after they were. Raises RedisError."""
        told = _ALL if len(keys) > _MOST_KEYS else "\n".join(map(str, keys)).encode()
        _add({name.encode(): told})

    def is_heard(self) -> bool:
        """Tell whether all drops have been applied here, but those of the last `HEARD_SECONDS`.

        Looks at the stream itself where that is due: then it takes a trip. Never fails.
        """
        now = time.monotonic()
        if now >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._look(now)
            except RedisError as error:
                self._next_look = time.monotonic() + LEFT_ALONE_SECONDS
                log.warning("drops_unheard", error=type(error).__name__)
            finally:
                self._looking.release()
        return time.monotonic() < self._heard_until

    def _look(self, now: float) -> None:
        if self._last is None or not self._read_on(self._last):
            self._begin()
        # From before the question, as a drop may come while it is on its way.
        self._next_look, self._heard_until = now + LOOK_SECONDS, now + HEARD_SECONDS

    def _read_on(self, last: _Entry) -> bool:
        """Apply what came after the entry `last`. False where that cannot be told any more."""
        entries = cast(
            _Entries, cache_client().xrange(STREAM, min=last[0], count=_MOST_ENTRIES + 1)
        )
        # Our place is gone when the stream was cut, evicted, or lost with its server. Where it was
        # begun anew within a millisecond the number may be the same, and what it says is not.
        if not entries or entries[0] != last or len(entries) > _MOST_ENTRIES:
            return False
        for _, dropped in entries[1:]:
            self._apply(dropped)
        self._last = entries[-1]
        return True

    def _begin(self) -> None:
        """Take the end of the stream for our place, and forget all that was read before."""
        self._last = None
        entries = cast(_Entries, cache_client().xrevrange(STREAM, count=1))
        if entries:
            last = entries[0]
        else:
            mark = {_BEGUN: secrets.token_bytes(8)}  # unlike any other's
            last = (_add(mark), mark)
        for memory in self._memories.values():
            memory.clear()
        self._last = last

    def _apply(self, dropped: dict[bytes, bytes]) -> None:
        for name, keys in dropped.items():
            memory = self._memories.get(name)  # None: of another release
            if memory is None:
                continue
            if keys == _ALL:
                memory.clear()
            else:
                memory.drop(*keys.decode().split("\n"))


def _add(fields: dict[bytes, bytes]) -> bytes:
    return cast(
        bytes,
        cache_client().xadd(STREAM, cast(Any, fields), maxlen=_KEPT_ENTRIES, approximate=True),
    )


class Mark(NamedTuple):
    """A moment before a read, for `FollowingMemory.keep`."""

    since: float
    drops: int


class FollowingMemory(ShortMemory[str, ValueT]):
    """A `ShortMemory` whose entries live for `kept_seconds` while every drop is heard of.

    Its keys are those of the `AsideCache` called `name`. Where drops are not heard of, an entry
    counts for `seconds`, as in any other.
    """

    def __init__(
        self, drops: DropLog, *, name: str, seconds: float, kept_seconds: float, size: int
    ) -> None:
        super().__init__(seconds=seconds, size=size)
        self._kept_seconds = kept_seconds
        self._log = drops
        self._drops = 0
        drops.follow(name, self)

    def get(self, key: str) -> ValueT | None:
        young = super().get(key)
        if young is not None:
            return young
        if self._kept(key) is None or not self._log.is_heard():
            return None
        return self._kept(key)  # again: it may be what was just heard of

    def _kept(self, key: str) -> ValueT | None:
        entry = self._entries.get(key)
        if entry is None or time.monotonic() - entry[0] > self._kept_seconds:
            return None
        return entry[1]

    def mark(self) -> Mark:
        """Return the moment, to be taken before something is read that is to be kept."""
        return Mark(time.monotonic(), self._drops)

    def keep(self, key: str, value: ValueT, *, read_at: Mark) -> None:
        """Remember what was read after the mark, unless anything was dropped meanwhile."""
        with self._lock:
            if self._drops == read_at.drops:
                self._put(key, value, since=read_at.since)

    def drop(self, *keys: str) -> None:
        with self._lock:
            self._drops += 1
        super().drop(*keys)

    def clear(self) -> None:
        with self._lock:
            self._drops += 1
        super().clear()
