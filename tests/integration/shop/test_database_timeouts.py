"""A lock, a statement or a transaction that takes too long: 503 and `Retry-After`, and no harm."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from inventory.models import Stock, StockMovement
from orders.models import Order
from shop.db.timeouts import TIMEOUTS
from shop.db.version import server_version
from shop.models import IdempotencyKey
from tests.make import inventory as make_inventory
from tests.make import orders as make
from tests.make.accounts import signed_in, superuser
from tests.make.database_roles import drop_roles

pytestmark = pytest.mark.django_db(transaction=True)

ADJUSTMENTS = "/api/v1/inventory/adjustments"


@contextmanager
def patience(**milliseconds: int) -> Iterator[None]:
    """Have this connection wait no longer than so many milliseconds."""
    with connection.cursor() as cursor:
        for name, value in milliseconds.items():
            cursor.execute(f"SET {name} = {value}")
    try:
        yield
    finally:
        connection.close()  # the next one has the settings of the process again


@contextmanager
def another() -> Iterator[psycopg.Connection[Any]]:
    """Give a connection of somebody else's, in a transaction that is rolled back."""
    theirs = connections.create_connection("default")
    try:
        theirs.connect()
        raw = theirs.connection
        assert raw is not None
        raw.autocommit = False
        yield raw
        raw.rollback()
    finally:
        theirs.close()


def is_busy(answer: Any) -> None:
    assert answer.status_code == 503, answer.content
    assert answer.json()["code"] == "busy"
    assert answer.json()["retryable"] is True
    assert int(answer["Retry-After"]) >= 1


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for one in resolver.url_patterns:
        path = f"{prefix}{one.pattern}"
        if isinstance(one, URLResolver):
            yield from routes(one, path)
        elif isinstance(one, URLPattern):
            yield path, one.callback


def requests() -> Iterator[tuple[str, str]]:
    """Return every method and path under /api/v1, with something in the place of parameters."""
    some = {"int": "1", "uuid": str(uuid.uuid4()), "str": "x", "slug": "x", "path": "x"}
    for path, view in routes(get_resolver()):
        # Without those that would sign us out.
        if not path.startswith("api/v1/") or path.startswith("api/v1/auth/") or "(?P" in path:
            continue
        parts = [
            some.get(part[1:-1].partition(":")[0], "x") if part.startswith("<") else part
            for part in path.split("/")
        ]
        methods = getattr(view, "actions", None) or [
            method
            for method in ("get", "post", "put", "patch", "delete")
            if hasattr(getattr(view, "view_class", getattr(view, "cls", None)), method)
        ]
        for method in methods:
            yield method, "/" + "/".join(parts)


def test_no_route_fails_for_a_lock_that_it_does_not_get(api: APIClient) -> None:
    """Each table is locked by somebody else: whoever needs one is told to come again."""
    user = superuser()
    signed_in(api, user)
    api.get("/api/v1/me")  # so that who asks is known for a while without a look
    # But for who may come in, which would stop every request at the door.
    tables = sorted(
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.managed
        and model._meta.app_label in {"shop", "catalog", "inventory", "cart", "orders"}
    )
    busy, asked = set(), list(requests())

    with another() as theirs, patience(lock_timeout=30):
        theirs.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        for method, path in asked:
            for headers in ({}, {"Idempotency-Key": uuid.uuid4().hex}):
                answer = getattr(api, method)(path, {}, format="json", headers=headers)
                if answer.status_code >= 500:
                    is_busy(answer)
                    busy.add((method, path))
                elif answer.status_code == 409:  # the key itself may be in somebody's hands
                    assert answer.json()["code"] == "idempotency_in_progress"
                else:
                    assert answer.status_code in {200, 202, 204, 400, 401, 403, 404, 415}, path

    assert len(asked) > 40
    assert len(busy) > len(asked) / 3, (len(asked), sorted(busy))
    assert ("get", "/api/v1/inventory/stock") in busy


def test_a_row_that_somebody_holds_changes_nothing_and_the_same_key_may_try_again(
    api: APIClient,
) -> None:
    stock = make_inventory.stock(on_hand=5)
    signed_in(api, superuser())
    body = {"sku": stock.variant.sku, "warehouse": "main", "delta": 1, "reason": "Counted"}
    key = {"Idempotency-Key": "k-1"}

    with another() as theirs, patience(lock_timeout=50):
        theirs.execute("SELECT FROM inventory_stock WHERE id = %s FOR UPDATE", [stock.pk])
        is_busy(api.post(ADJUSTMENTS, body, headers=key))
    assert not IdempotencyKey.objects.exists()
    assert StockMovement.objects.filter(kind="ADJUSTMENT").count() == 0

    assert api.post(ADJUSTMENTS, body, headers=key).status_code == 201
    assert Stock.objects.get(pk=stock.pk).on_hand == 6


def test_a_checkout_that_waits_for_its_stock_in_vain_leaves_nothing(api: APIClient) -> None:
    make.ground()
    variant = make.variant(on_hand=5)
    make.guest(api, (variant, 2))

    with another() as theirs, patience(lock_timeout=50):
        theirs.execute("SELECT FROM inventory_stock FOR UPDATE")
        is_busy(make.check_out(api, key="k-1"))
    assert not Order.objects.exists()
    assert make.units(variant) == (5, 0)

    assert make.check_out(api, key="k-1").status_code == 201
    assert make.units(variant) == (3, 0)


def test_a_statement_that_takes_too_long_is_told_to_come_again(api: APIClient) -> None:
    stock = make_inventory.stock(on_hand=5)
    signed_in(api, superuser())

    # A lock is waited for longer than a statement may take: it is the statement that ends.
    with another() as theirs, patience(statement_timeout=50):
        theirs.execute("LOCK TABLE inventory_stock IN ACCESS EXCLUSIVE MODE")
        is_busy(api.get("/api/v1/inventory/stock"))
        is_busy(
            api.post(
                ADJUSTMENTS,
                {"sku": stock.variant.sku, "warehouse": "main", "delta": 1, "reason": "x"},
            )
        )

    assert api.get("/api/v1/inventory/stock").status_code == 200


def test_a_page_of_the_admin_is_told_so_too(client: Client) -> None:
    client.force_login(superuser())

    with another() as theirs, patience(lock_timeout=50):
        theirs.execute("LOCK TABLE inventory_warehouse IN ACCESS EXCLUSIVE MODE")
        is_busy(client.get("/admin/inventory/warehouse/"))


@pytest.mark.parametrize("limit", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_whoever_is_cut_off_in_a_transaction_is_back_at_once(
    api: APIClient, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = make_inventory.stock(on_hand=5)
    signed_in(api, superuser())
    body = {"sku": stock.variant.sku, "warehouse": "main", "delta": 1, "reason": "Counted"}

    def dawdling(**_: Any) -> None:
        time.sleep(0.3)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr("inventory.services.adjustments.already_moved", dawdling)

    with patience(**{limit: 100}):
        cut_off = api.post(ADJUSTMENTS, body)
    monkeypatch.undo()

    assert cut_off.status_code == 503, cut_off.content
    assert cut_off["Retry-After"]
    assert Stock.objects.get(pk=stock.pk).on_hand == 5
    assert api.post(ADJUSTMENTS, body).status_code == 201


class TestRoles:
    NAMES = ("shop_web", "shop_worker", "shop_readonly", "shop_migrator")

    @pytest.fixture
    def roles(self) -> Iterator[None]:
        with connection.cursor() as cursor:
            for name in self.NAMES:
                cursor.execute(f"CREATE ROLE {name} LOGIN")
        yield
        drop_roles({name: name for name in self.NAMES})

    def test_are_told_in_sql_and_left_alone(self) -> None:
        out = StringIO()

        call_command("database_roles", web="till", stdout=out)

        assert """ALTER ROLE "till" SET "statement_timeout" = '2000ms';""" in out.getvalue()
        assert """ALTER ROLE "shop_worker" SET "lock_timeout" = '2000ms';""" in out.getvalue()

    def test_have_the_timeouts_of_their_purpose(self, roles: None) -> None:
        out = StringIO()
        call_command("database_roles", apply=True, stdout=out)
        call_command("database_roles", apply=True, stdout=out)

        for purpose, limits in TIMEOUTS.items():
            if purpose == "command":
                continue
            found = _settings_of(f"shop_{purpose}")
            assert found["statement_timeout"] == f"{limits.statement}ms"
            assert found["lock_timeout"] == f"{limits.lock}ms"
            assert found["idle_in_transaction_session_timeout"] == f"{limits.idle_in_transaction}ms"
            if server_version() >= 170_000:
                assert found["transaction_timeout"] == f"{limits.transaction}ms"
            assert found["pg_trgm.word_similarity_threshold"] == "0.3"
        assert _settings_of("shop_readonly")["default_transaction_read_only"] == "on"

    def test_that_do_not_exist_or_are_for_two_things_are_refused(self) -> None:
        with pytest.raises(CommandError, match="no role shop_migrator, shop_readonly"):
            call_command("database_roles", apply=True, stdout=StringIO())
        with pytest.raises(CommandError, match="two things"):
            call_command("database_roles", web="one", worker="one", stdout=StringIO())


def _settings_of(role: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [role])
        (told,) = cursor.fetchone()
    return dict(pair.split("=", 1) for pair in told)
