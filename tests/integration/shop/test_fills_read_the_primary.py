"""E5 of the plan, its second part: fills of the caches are read from the primary.

A replica may lag behind the invalidation that a fill follows: what it gives is then kept for an
hour. There is none, and this says so; the second test shows what one would do.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections, router
from django.db.models import Model
from django.test import Client

from catalog.models import Product
from catalog.selectors import forget_pages
from catalog.services import PriceDraft, set_prices
from tests.make import catalog as make

REPLICA = "replica"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def paused() -> Iterator[None]:
    """A replica that stands still: a connection that goes on seeing what it saw at first."""
    make.product(slug="mug", price=1500)
    # Not in the settings: Django's tests let nobody through who is not declared there.
    connections[REPLICA] = connections.create_connection(DEFAULT_DB_ALIAS)
    with connections[REPLICA].cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT count(*) FROM catalog_product")
        assert cursor.fetchone() == (1,)
    yield
    connections[REPLICA].close()
    del connections[REPLICA]


class ReadsFromReplica:
    """What somebody would write who adds one."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return REPLICA


def shown(client: Client) -> Any:
    forget_pages()  # as half a second later
    return client.get("/api/v1/products/mug").json()["price"]["min"]["amount"]


def test_there_is_one_database_and_it_is_the_primary() -> None:
    assert list(settings.DATABASES) == [DEFAULT_DB_ALIAS]
    assert settings.DATABASE_ROUTERS == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        assert cursor.fetchone() == (False,)


def test_a_replica_that_stands_still_is_not_asked_by_a_fill(paused: None, client: Client) -> None:
    """Negative control: the next test."""
    asked: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    assert shown(client) == "15.00"
    raise_price()

    with connections[REPLICA].execute_wrapper(note):
        assert shown(client) == "17.00"

    assert asked == []


def test_a_replica_that_fills_read_would_bury_an_update(
    paused: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(client) == "15.00"
    raise_price()
    monkeypatch.setattr(router, "routers", [ReadsFromReplica()])

    assert shown(client) == "15.00"

    monkeypatch.setattr(router, "routers", [])
    assert shown(client) == "15.00"  # and so it stays: what was kept is the old one


def raise_price() -> None:
    variant = Product.objects.get(slug="mug").variants.get()
    set_prices(drafts=[PriceDraft(variant.pk, "GBP", amount_minor=1700)], now=make.NOW)
