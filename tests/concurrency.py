"""Two at once, at a chosen point: tests of races that do not hang on luck.

Threads of these helpers have database connections of their own, so the tests that use them need
`django_db(transaction=True)`.
"""

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

from django.db import connections

R = TypeVar("R")


@contextmanager
def in_background(call: Callable[[], R]) -> Iterator[Future[R]]:
    """Start `call` in a thread of its own and give its Future; leaving waits for it to end.

    What it raises comes out of `future.result()` alone.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(_with_own_connections, call)


@contextmanager
def run_before(name: str, action: Callable[[], object]) -> Iterator[None]:
    """Run `action` to its end, in a thread of its own, just before the first call of `name`.

    `name` is where the function is looked up, such as "orders.services.checking_out.cart_snapshot".
    What the action raises comes out of the call that it went before.
    """
    module_name, attribute = name.rsplit(".", 1)
    module = importlib.import_module(module_name)
    original: Callable[..., object] = getattr(module, attribute)
    is_first = threading.Lock()

    def preceded(*args: Any, **kwargs: Any) -> object:
        if is_first.acquire(blocking=False):
            with in_background(action) as rival:
                rival.result(timeout=60)
        return original(*args, **kwargs)

    with mock.patch.object(module, attribute, preceded):
        yield
    assert is_first.locked(), f"{name} was never called"


def run_together(
    calls: Sequence[Callable[[], R]], *, workers: int | None = None, timeout_seconds: float = 60
) -> list[R | BaseException]:
    """Run all calls at once and return, in their order, what each returned or raised.

    They wait for one another at a barrier, at most `workers` at a time (all, unless said).
    """
    size = min(workers or len(calls), len(calls))
    barrier = threading.Barrier(size)

    def started_together(call: Callable[[], R], is_first_wave: bool) -> R:
        if is_first_wave:
            barrier.wait(timeout=timeout_seconds)
        return _with_own_connections(call)

    with ThreadPoolExecutor(max_workers=size) as pool:
        futures = [
            pool.submit(started_together, call, number < size) for number, call in enumerate(calls)
        ]
        outcomes: list[R | BaseException] = []
        for future in futures:
            error = future.exception(timeout=timeout_seconds)
            outcomes.append(future.result() if error is None else error)
    return outcomes


def _with_own_connections(call: Callable[[], R]) -> R:
    try:
        return call()
    finally:
        connections.close_all()
