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
                cause = error.__cause__
                if (
                    not isinstance(cause, _AGAIN)
                    or attempt == ATTEMPTS
                    or connection.in_atomic_block
                ):
                    raise
                metrics.transaction_retries.labels(cause.sqlstate).inc()
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 — jitter, not a secret
        raise AssertionError("unreachable")

    return run
