"""Counting and timing the database and Redis for `Server-Timing`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class QueryClock:
    """A database execute wrapper that counts queries and adds up their seconds."""

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.calls += 1
            self.seconds += time.perf_counter() - started

    def header(self, name: str, noun: str) -> str:
        return f'{name};dur={self.seconds * 1000:.1f};desc="{self.calls} {noun}"'


class _CacheClock:
    """Counts trips to Redis; `shop.redis` clients report to it. Costs nothing when not running."""

    def __init__(self) -> None:
        self._current: ContextVar[QueryClock | None] = ContextVar("cache_clock", default=None)

    @contextmanager
    def running(self) -> Iterator[None]:
        token = self._current.set(QueryClock())
        try:
            yield
        finally:
            self._current.reset(token)

    def note(self, seconds: float) -> None:
        clock = self._current.get()
        if clock is not None:
            clock.calls += 1
            clock.seconds += seconds

    @property
    def is_running(self) -> bool:
        return self._current.get() is not None

    def header(self) -> str:
        clock = self._current.get() or QueryClock()
        return clock.header("cache", "call" if clock.calls == 1 else "calls")


cache_clock = _CacheClock()
