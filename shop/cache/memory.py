"""Copies inside one process, for a very short time: what is asked for again and again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

PATIENCE_SECONDS = 0.3  # how long a caller waits for another one who reads the same


class _Flight(Generic[ValueT]):
    """A read that is under way, and what came of it."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.value: ValueT | None = None


class ShortMemory(Generic[KeyT, ValueT]):
    """A small cache inside one process that forgets by itself after `seconds`.

    Safe to share between threads; holds `size` entries, and drops the oldest first.
    """

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[KeyT, tuple[float, ValueT]] = OrderedDict()
        self._flights: dict[KeyT, _Flight[ValueT]] = {}

    def get(self, key: KeyT) -> ValueT | None:
        entry = self._entries.get(key)
        # A stopwatch and no clock: it cannot be set back.
        if entry is None or time.monotonic() - entry[0] > self._seconds:
            return None
        return entry[1]

    def put(self, key: KeyT, value: ValueT) -> None:
        with self._lock:
            self._put(key, value, since=time.monotonic())

    def through(self, key: KeyT, load: Callable[[], ValueT | None]) -> ValueT | None:
        """Return what is remembered, or else what `load` gives, and remember that if it is any.

        Of callers who miss the same key at once one loads, and the others wait for it for
        `PATIENCE_SECONDS` at most. `seconds` count from before `load` began, so that they bound
        how old an answer may be. What `load` raises is passed on to the one who called it. The
        others load for themselves then, and also when it gave None: their `load` may look
        further.
        """
        known = self.get(key)
        if known is not None:
            return known
        with self._lock:
            flight = self._flights.get(key)
            is_mine = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not is_mine:
            flight.is_over.wait(PATIENCE_SECONDS)
            return load() if flight.value is None else flight.value
        since = time.monotonic()
        try:
            flight.value = load()
        finally:
            with self._lock:
                # Not the one that is kept there: the key was dropped while we read.
                if self._flights.get(key) is flight:
                    del self._flights[key]
                    if flight.value is not None:
                        self._put(key, flight.value, since=since)
            flight.is_over.set()
        return flight.value

    def drop(self, *keys: KeyT) -> None:
        """Forget these. What is being read at this moment is not remembered either."""
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)
                self._flights.pop(key, None)

    def clear(self) -> None:
        """Forget everything, and what is being read at this moment."""
        with self._lock:
            self._entries.clear()
            self._flights.clear()

    def _put(self, key: KeyT, value: ValueT, *, since: float) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (since, value)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
