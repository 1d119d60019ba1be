"""What a test committed is gone after it, in the ledger too."""

from unittest import mock

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from inventory.models import StockMovement, Warehouse
from tests import emptying
from tests.make import inventory as make

pytestmark = pytest.mark.django_db(transaction=True)


def filled() -> set[str]:
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.cursor() as cursor:
        return {
            table
            for table in tables
            if cursor.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()  # noqa: S608
        }


def test_the_database_is_as_its_migrations_left_it() -> None:
    emptying.empty(None)
    before = filled()
    warehouses = list(Warehouse.objects.order_by("pk").values())
    assert warehouses
    make.stock(on_hand=5)
    Warehouse.objects.update(name="Elsewhere")
    assert StockMovement.objects.exists()  # which nobody may delete
    assert filled() != before

    emptying.empty(None)

    assert filled() == before
    assert list(Warehouse.objects.order_by("pk").values()) == warehouses
    assert not StockMovement.objects.exists()


def test_a_permission_too_many_is_left_to_django() -> None:
    extra = Permission.objects.create(
        name="Juggle", codename="juggle", content_type=ContentType.objects.all()[0]
    )
    try:
        with mock.patch.object(emptying, "_flush") as flush:
            emptying.empty(None)
    finally:
        extra.delete()

    assert flush.called
