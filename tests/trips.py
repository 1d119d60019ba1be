"""Trips to Redis, as they leave: for tests that count or refuse them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from unittest import mock

from redis.connection import AbstractConnection

from shop.redis import _Line


class _SeesTrips(Protocol):
    def __call__(self, connection: AbstractConnection, packet: bytes, /) -> object: ...


@contextmanager
def seeing_trips(seen: _SeesTrips) -> Iterator[None]:
    """Call `seen` with each packet before it is sent, by redis-py or on a thread's own line.

    A pipeline is one packet. What `seen` raises is what the sender is told.
    """
    send: Callable[..., Any] = AbstractConnection.send_packed_command
    sent: Callable[..., Any] = _Line._sent

    def from_the_pool(self: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> Any:
        seen(self, command if isinstance(command, bytes) else b"".join(command))
        return send(self, command, *args, **kwargs)

    def from_a_line(self: _Line, packet: bytes) -> Any:
        seen(self._connection, packet)
        return sent(self, packet)

    with (
        mock.patch.object(AbstractConnection, "send_packed_command", from_the_pool),
        mock.patch.object(_Line, "_sent", from_a_line),
    ):
        yield
