"""Units of work that are a transaction, or a part of one."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

P = ParamSpec("P")
R = TypeVar("R")


def joining(unit: Callable[P, R]) -> Callable[P, R]:
    """Run `unit` inside the caller's transaction, or in one of its own where there is none.

    `transaction.atomic` would set a savepoint inside of another, which is two more round trips
    while locks are held. So what `unit` raises has undone nothing yet: the caller's transaction
    is to be rolled back.
    """

    @wraps(unit)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return unit(*args, **kwargs)
        with transaction.atomic():
            return unit(*args, **kwargs)

    return run
