"""Guards that are taken out, so that a race without them is seen to go wrong.

A race that does not fail without its guard proves nothing about the guard. Everything happens in a
copy of the test's database, which is thrown away: what a control breaks is gone with it.
"""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings
from django.db import connection, connections

from inventory.services import counters, statements
from orders.management.proof.control import THROWAWAY
from orders.management.proof.unguarded import drop_checks, take_out
from orders.models.orders import OrderQuerySet
from orders.models.payments import Payment, PaymentQuerySet

ROUNDS = 5


def must_show(trial: Callable[[], Sequence[str]], fault: str) -> list[str]:
    """Run a race without its guard until the `fault` shows, 5 times at most; return what it found.

    Fails when it never does: the race is then no test of the guard.
    """
    found: list[str] = []
    for _ in range(ROUNDS):
        found += trial()
        if any(fault in breach for breach in found):
            return found
    raise AssertionError(f"without its guard the race never showed “{fault}”, but: {found}")


@contextmanager
def thrown_away() -> Iterator[None]:
    """Have every connection go to a copy of the test's database, which is dropped at the end."""
    database = connections.settings["default"]
    name = database["NAME"]
    copy = f"{name}_unguarded"
    connections.close_all()
    with _elsewhere() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
    database["NAME"] = copy
    connection.settings_dict["NAME"] = copy
    marker = Path(settings.SHOP_HOME) / THROWAWAY
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    try:
        yield
    finally:
        marker.unlink()
        connections.close_all()
        database["NAME"] = name
        connection.settings_dict["NAME"] = name
        with _elsewhere() as cursor:
            cursor.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')


@contextmanager
def _elsewhere() -> Iterator[Any]:
    with connection._nodb_cursor() as cursor:
        yield cursor


@contextmanager
def no_lock_on_stock() -> Iterator[None]:
    """Have stock looked at without a lock, and nothing checked by the database."""
    with (
        thrown_away(),
        mock.patch.object(statements, "LOOK_AND_LOCK", statements.LOOK_AND_LOCK),
        mock.patch.object(counters, "_LOCK", counters._LOCK),
    ):
        take_out()
        drop_checks()
        yield


@contextmanager
def no_lock_on_orders() -> Iterator[None]:
    """Have orders and payments read without a lock by those who decide on them."""

    def orders(self: OrderQuerySet) -> OrderQuerySet:
        return self.order_by("pk")

    def payments(self: PaymentQuerySet) -> PaymentQuerySet:
        return self.select_related("order").order_by("order_id", "pk")

    def one_payment(self: PaymentQuerySet, payment_id: UUID) -> Payment | None:
        return payments(self).filter(pk=payment_id).first()

    with (
        thrown_away(),
        mock.patch.object(OrderQuerySet, "locked", orders),
        mock.patch.object(PaymentQuerySet, "locked", payments),
        mock.patch.object(PaymentQuerySet, "locked_one", one_payment),
    ):
        yield


@contextmanager
def no_constraint(table: str, name: str) -> Iterator[None]:
    """Have the database not know this constraint, or unique index."""
    with thrown_away():
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}"')
            cursor.execute(f'DROP INDEX IF EXISTS "{name}"')
        yield


@contextmanager
def sql_changed(module: object, name: str, *changes: tuple[str, str]) -> Iterator[None]:
    """Have a statement of `module` say something else; each change must be one."""
    statement: str = getattr(module, name)
    for old, new in changes:
        assert old in statement, f"{name} has no {old!r}"
        statement = statement.replace(old, new)
    with mock.patch.object(module, name, statement):
        yield


@contextmanager
def slowly(*names: str, seconds: float = 0.02) -> Iterator[None]:
    """Have those who call these functions think before and after, so that others come between.

    A name is where a function is looked up, such as "orders.services.paying.commit_stock".
    """
    with ExitStack() as stack:
        for name in names:
            module_name, attribute = name.rsplit(".", 1)
            original = getattr(importlib.import_module(module_name), attribute)

            def slow(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
                time.sleep(seconds)
                result = _original(*args, **kwargs)
                time.sleep(seconds)
                return result

            stack.enter_context(mock.patch(name, slow))
        yield
