"""Running a unit of work again when the database asks for it."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg import errors as pg

from shop.observe import metrics

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 3
_AGAIN = (pg.SerializationFailure, pg.DeadlockDetected)


def may_go_again(error: OperationalError) -> bool:
    """Tell whether this was a deadlock or a serialization failure, of which no unit is guilty."""
    return isinstance(error.__cause__, _AGAIN)


def note_retry(error: OperationalError) -> None:
    """Count that a unit runs again for this reason."""
    metrics.transaction_retries.labels(getattr(error.__cause__, "sqlstate", "")).inc()


def retried(unit: Callable[P, R]) -> Callable[P, R]:
    """Run `unit` again on a deadlock (40P01) or serialization failure (40001), 3 times at most.

    `unit` must be a whole outermost transaction without effects outside the database: it has been
    rolled back when it runs again. Inside a transaction it runs once, as nothing else can be done.
    """

    @wraps(unit)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return unit(*args, **kwargs)
            except OperationalError as error:
                if not may_go_again(error) or attempt == ATTEMPTS or connection.in_atomic_block:
                    raise
                note_retry(error)
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 — jitter, not a secret
        raise AssertionError("unreachable")

    return run
