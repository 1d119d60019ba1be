"""A store of carts that a test may stop, and trips that it may count."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from pytest_django import Settings
from redis.connection import AbstractConnection

from cart.selectors import forget_rules
from shop.embedded.home import Home
from shop.embedded.valkey import KEEPS, Valkey
from shop.redis import limiter
from tests.trips import seeing_trips


class Trips(list[str]):
    """The commands that went out, one entry for each trip to a Redis."""


class CountTrips(Protocol):
    def __call__(self) -> AbstractContextManager[Trips]: ...


@pytest.fixture(autouse=True)
def _rules_anew() -> Iterator[None]:
    forget_rules()
    yield
    forget_rules()


@pytest.fixture
def count_trips() -> CountTrips:
    """Return what counts each packet of commands that the carts' or the cache's client sends."""

    limiter_database = limiter().get_connection_kwargs()["db"]

    @contextmanager
    def counting() -> Iterator[Trips]:
        trips = Trips()

        def noted(connection: AbstractConnection, packet: bytes) -> None:
            if connection.db != limiter_database:
                trips.append(str(packet[:200]))

        with seeing_trips(noted):
            yield trips

    return counting


@pytest.fixture
def own_store(tmp_path: Path, settings: Settings) -> Iterator[Valkey]:
    """Give this test a store of carts to itself."""
    home = Home(tmp_path / "home")
    home.prepare()
    server = Valkey(home, "valkey-keep", KEEPS)
    server.start()
    try:
        server.wait()
        settings.REDIS_CARTS_URL = server.url(0)
        yield server
    finally:
        server.stop()
