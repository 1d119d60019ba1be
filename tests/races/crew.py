"""Threads that race: they start together, and keep their database connections between races."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from django.db import connections


class Crew:
    """So many threads with connections of their own, which leaving closes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(max_workers=size)

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.race([connections.close_all] * self.size)
        self._pool.shutdown()

    def race(
        self,
        calls: Sequence[Callable[[], Any]],
        *,
        delays: Sequence[float] = (),
        timeout_seconds: float = 120,
    ) -> list[Any]:
        """Run all calls, the first ones from one moment on; return what each returned or raised.

        `delays` are the seconds that a call waits after that moment. With more calls than threads
        the others follow when a thread is free.
        """
        first = min(self.size, len(calls))
        barrier = threading.Barrier(first)
        waits = [*delays, *[0.0] * (len(calls) - len(delays))]

        def started(call: Callable[[], Any], delay: float, number: int) -> Any:
            if number < first:
                barrier.wait(timeout=timeout_seconds)
            if delay > 0:
                time.sleep(delay)
            return call()

        futures = [
            self._pool.submit(started, call, delay, number)
            for number, (call, delay) in enumerate(zip(calls, waits, strict=True))
        ]
        outcomes: list[Any] = []
        for future in futures:
            error = future.exception(timeout=timeout_seconds)
            outcomes.append(future.result() if error is None else error)
        return outcomes


def troubles(outcomes: Sequence[Any], *expected: type[BaseException]) -> list[str]:
    """Return what was raised that nobody expected, in words."""
    return [
        f"raised {outcome!r}"
        for outcome in outcomes
        if isinstance(outcome, BaseException) and not isinstance(outcome, expected)
    ]
