"""Telling the triggers who makes a change, and by which request.

pghistory's own context puts two settings before each statement of a request, which a prepared
statement cannot carry and a shopper's request should not pay for. Here staff alone are named, and
only before statements that write to a table that is tracked.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

from django.db import connection, transaction

from shop.audit.tracking import tracked_tables

_SETTING = "SELECT set_config('pghistory.context_metadata', %s, true)"
_thread = threading.local()


def act_as(*, user_id: int | None, request_id: str, through: str) -> None:
    """Have this thread's changes written down under this name, until `stop_acting`."""
    stop_acting()
    told = json.dumps({"user": user_id, "request": request_id, "through": through})

    def name_first(
        execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if not _writes_tracked_table(str(sql)):
            return execute(sql, params, many, context)
        # For the transaction, and again at each statement: a savepoint may take it back.
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            # Past Django, as it is no statement of the shop's: nobody counts it.
            connection.connection.execute(_SETTING, [told])
            return execute(sql, params, many, context)

    _thread.named = (connection.execute_wrappers, name_first)
    connection.execute_wrappers.append(name_first)


def stop_acting() -> None:
    """End what `act_as` began in this thread, if anything. Costs next to nothing otherwise."""
    named = getattr(_thread, "named", None)
    if named is None:
        return
    wrappers, name_first = named
    wrappers.remove(name_first)
    _thread.named = None
    # A transaction that goes on, as a test's does, goes on without the name.
    if connection.in_atomic_block and not connection.needs_rollback:
        connection.connection.execute(_SETTING, [""])


@contextmanager
def acting(*, user_id: int | None, request_id: str, through: str) -> Iterator[None]:
    """Name who makes the changes of this block."""
    act_as(user_id=user_id, request_id=request_id, through=through)
    try:
        yield
    finally:
        stop_acting()


@cache
def _pattern() -> re.Pattern[str]:
    names = "|".join(map(re.escape, sorted(tracked_tables())))
    return re.compile(rf'\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(?:{names})"?\b')


def _writes_tracked_table(sql: str) -> bool:
    return _pattern().search(sql) is not None
