"""A stage on which a checkout has twelve points, at which actors stop or meet."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pkgutil import resolve_name
from typing import Any
from unittest import mock

import psycopg
from django.db import connection, connections

# Where a checkout crosses to a database or to the provider, in the order in which it comes by.
POINTS = (
    "orders.services.checking_out.cart_or_none",  # the cart is read from Valkey
    "orders.services.checking_out._prepare",  # the first transaction begins
    "shop.idempotency.claim",  # the key is claimed
    "orders.services.checking_out.offer_for",  # prices and rules are read
    "orders.services.checking_out.refuse_short_lines",  # stock is looked at
    "orders.services.checking_out.place_order",  # order, lines and payment are written
    "orders.services.placing.reserve_stock",  # stock is locked
    "inventory.services.stock._hold",  # and held, under the lock
    "orders.services.checking_out.pay",  # committed; the payment is claimed
    "orders.providers.sandbox.provider.SandboxProvider.pay",  # the provider is asked
    "orders.services.checking_out._settled",  # it has answered; the second transaction begins
    "orders.services.paying.commit_stock",  # order and payment are locked; stock leaves
)
SECONDS = 120.0


class Actor(threading.Thread):
    """Somebody who does one thing, with a database connection of their own."""

    def __init__(self, does: Callable[[], object]) -> None:
        super().__init__()
        self.does = does
        self.meets: dict[str, Callable[[], None]] = {}
        self.outcome: object = None
        self.pid = 0  # of their database connection
        self.is_ready, self.is_over = threading.Event(), threading.Event()
        self.has_stopped, self.may_go_on = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            self.is_ready.set()
            self.outcome = self.does()
        except Exception as error:
            self.outcome = error
        finally:
            connections.close_all()
            self.is_ready.set()
            self.is_over.set()

    def stops_before(self, point: str) -> None:
        """Have them stop the first time that they come to this point."""

        def stop() -> None:
            self.has_stopped.set()
            assert self.may_go_on.wait(SECONDS)

        self.meets[point] = stop

    def act(self, watch: "Watch") -> None:
        """Begin, or go on; return when they are done, have stopped, or wait for a lock."""
        if self.is_ready.is_set():
            self.may_go_on.set()
            self.has_stopped.clear()
        else:
            self.start()
            assert self.is_ready.wait(SECONDS)
        for _ in range(int(SECONDS / 0.002)):
            if self.is_over.wait(0.002) or self.has_stopped.is_set() or watch.waits(self.pid):
                return
        raise AssertionError("neither done, nor stopped, nor waiting")

    def finish(self) -> object:
        """Return what came of it, once they are done."""
        self.may_go_on.set()
        self.join(SECONDS)
        assert self.is_over.is_set()
        return self.outcome


class Watch:
    """Sees who waits for a lock, by a connection that takes part in nothing."""

    def __init__(self) -> None:
        known = connection.get_connection_params()
        names = ("dbname", "user", "password", "host", "port")
        self._connection = psycopg.connect(
            **{name: known[name] for name in names if known.get(name)}, autocommit=True
        )

    def waits(self, pid: int) -> bool:
        row = self._connection.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [pid]
        ).fetchone()
        return bool(row and row[0])

    def close(self) -> None:
        self._connection.close()


@contextmanager
def on_stage(points: Sequence[str] = POINTS) -> Iterator[Watch]:
    """Have each actor who comes to a point for the first time do there what they are to do."""
    watch = Watch()
    with ExitStack() as stack:
        stack.callback(watch.close)
        for point in points:
            owner_name, attribute = point.rsplit(".", 1)
            owner = resolve_name(owner_name)
            stack.enter_context(mock.patch.object(owner, attribute, _met(owner, attribute, point)))
        yield watch


def _met(owner: Any, attribute: str, point: str) -> Callable[..., object]:
    original = getattr(owner, attribute)

    def meeting(*args: Any, **kwargs: Any) -> object:
        actor = threading.current_thread()
        if isinstance(actor, Actor) and (meet := actor.meets.pop(point, None)):
            meet()
        return original(*args, **kwargs)

    return meeting
