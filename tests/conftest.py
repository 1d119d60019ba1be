"""What every test may rely on: servers that run, Redis that is empty, and an API client."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Generator, Iterator
from unittest import mock
from urllib.parse import urlsplit

import pytest

from tests import servers

# On import, and not in a hook: conftests of the folders below import models when they are loaded.
servers.begin()

import django  # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()
# Inherited by xdist's workers, it would make pytest-django read settings before this file is run.
del os.environ["DJANGO_SETTINGS_MODULE"]

import hypothesis  # noqa: E402
import redis  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.cache import caches  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import TransactionTestCase  # noqa: E402
from pytest_django.plugin import DjangoDbBlocker  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from xdist.remote import Producer  # noqa: E402

from cart import selectors as cart_selectors  # noqa: E402
from cart.selectors import forget_rules  # noqa: E402
from catalog.selectors import forget_pages  # noqa: E402
from inventory.selectors import forget_sale_board, sales  # noqa: E402
from inventory.store import forget_plenty, forget_shortages, shortages  # noqa: E402
from shop.cache import drops, memory  # noqa: E402
from shop.cache.aside import forget_outage  # noqa: E402
from shop.http.rate_limit.attempts import forget_local_attempts  # noqa: E402
from shop.http.rate_limit.limiter import forget_local_counts  # noqa: E402
from tests import emptying  # noqa: E402
from tests.sharing_out import ByFile, put_long_ones_first  # noqa: E402

# How fast a busy machine makes up examples says nothing about the shop.
hypothesis.settings.register_profile(
    "shop", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shop")

_redis = [
    redis.Redis.from_url(os.environ[role], socket_timeout=10)
    for role in ("REDIS_CARTS_URL", "REDIS_CACHE_URL", "REDIS_LIMITER_URL", "CELERY_BROKER_URL")
    if os.environ[role].startswith("redis")
]


MIGRATED = "test_shop_migrated"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Have the database of each worker copied from one: migrating takes longer than most tests."""
    if "PYTEST_XDIST_WORKER" not in os.environ or not servers.are_ours():
        return
    with servers.made_once(MIGRATED) as (_, is_first):
        if is_first:
            name = connection.settings_dict["NAME"]
            test = connection.settings_dict["TEST"]
            with django_db_blocker.unblock(), mock.patch.dict(test, NAME=MIGRATED):
                connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
                connection.close()  # nobody may look at what is copied
            settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
    connection.settings_dict["TEST"]["TEMPLATE"] = MIGRATED


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Have what was committed by a test taken back in less time than Django takes."""
    with django_db_blocker.unblock():
        emptying.remember()
    with mock.patch.object(TransactionTestCase, "_fixture_teardown", emptying.empty):
        yield


class Stopwatch:
    """What `time` is to what a process remembers for a second or two: it stands still.

    So nothing is forgotten because a test goes on for longer than usual. A test that is about
    forgetting sets it forward: `monkeypatch.setattr("shop.cache.memory.time.monotonic", …)`.
    """

    def __init__(self) -> None:
        now = time.monotonic()
        self.monotonic = lambda: now


REMEMBERING = (cart_selectors, drops, memory, sales, shortages)


@pytest.fixture(autouse=True)
def stopwatch() -> Iterator[Stopwatch]:
    """Have the memories of this process grow no older than a test makes them."""
    stopwatch = Stopwatch()
    with contextlib.ExitStack() as still:
        for module in REMEMBERING:
            still.enter_context(mock.patch.object(module, "time", stopwatch))
        yield stopwatch


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    """Leave nothing in this worker's Redis databases, or remembered of them, for the next test."""
    yield
    for client in _redis:
        client.flushdb()
    forget_rules()
    forget_pages()
    forget_outage()
    forget_sale_board()
    forget_shortages()
    forget_plenty()
    forget_local_counts()
    forget_local_attempts()
    caches.close_all()


@pytest.fixture
def wiped_redis() -> Callable[[], None]:
    """Return what empties this worker's Redis databases, as a crash without a copy would."""

    def wipe() -> None:
        for client in _redis:
            client.flushdb()

    return wipe


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5672), 1).close()
    except OSError:
        return False
    return True


RABBITMQ_URL = os.environ.get("RABBITMQ_URL") or "amqp://guest:guest@127.0.0.1:5672//"


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """Return the address of a RabbitMQ that answers; only for tests marked `rabbitmq`."""
    return RABBITMQ_URL


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)
    marked = [item for item in items if item.get_closest_marker("rabbitmq")]
    is_required = os.environ.get("SHOP_REQUIRE_RABBITMQ") == "1"
    if marked and not is_required and not _answers(RABBITMQ_URL):
        where = urlsplit(RABBITMQ_URL)
        reason = f"no RabbitMQ answers at {where.hostname}:{where.port or 5672}"
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))
    yield
    put_long_ones_first(items)  # when they have been shuffled


class SharingOut:
    """What only xdist's controller has a use for."""

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> ByFile | None:
        return ByFile(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.has_plugin("xdist"):
        config.pluginmanager.register(SharingOut())
