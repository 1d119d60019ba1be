"""What a test committed is gone after it, in the ledger too."""

from unittest import mock

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from inventory.models import StockMovement
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


def test_every_table_is_empty_but_those_of_content_types_and_permissions() -> None:
    make.stock(on_hand=5)
    assert StockMovement.objects.exists()  # which nobody may delete
    known = Permission.objects.count(), ContentType.objects.count()

    emptying.empty(None)

    assert filled() == {"django_content_type", "auth_permission"}
    assert (Permission.objects.count(), ContentType.objects.count()) == known


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
