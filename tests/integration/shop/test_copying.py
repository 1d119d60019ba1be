"""Many rows at once: what COPY and the merge write is what single saves would have written."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from catalog.models import Product, Variant
from shop.db.copying import FEW, insert_rows, update_rows

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)
AWKWARD = ['a, "b"', "\\N", "{}", "é\t\n\r", "null", ""]


def product(number: int, **more: Any) -> Product:
    return Product(
        slug=f"p-{number}",
        title="\\N \t 'x' \"y\"",
        tags=AWKWARD,
        attributes={"a": [1, 2.5, None], "b": "\\"},
        published_at=None if number % 2 else NOW,
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


@pytest.mark.parametrize("size", [1, FEW, FEW + 1, 500])
def test_new_rows_are_as_saved_one_by_one(size: int) -> None:
    rows = [product(number) for number in range(size)]

    insert_rows(rows)

    kept = {row.pk: row for row in Product.objects.all()}
    assert len(kept) == size
    for row in rows:
        for field in Product._meta.concrete_fields:
            assert getattr(kept[row.pk], field.attname) == getattr(row, field.attname), field.name
    later = product(-1)
    later.save()  # the numbers that COPY took are not given again
    assert later.pk > max(kept)


def test_children_find_the_number_of_a_parent_that_was_copied_before() -> None:
    parents = [product(number) for number in range(FEW * 2)]
    children = [Variant(product=parent, sku=parent.slug) for parent in parents]

    insert_rows(parents)
    for child in children:
        child.product = child.product  # as the services build them: after the parents
    insert_rows(children)

    assert Variant.objects.filter(product__slug="p-7").get().sku == "p-7"


def test_a_row_that_is_there_already_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows([product(1) for _ in range(FEW * 2)])

    assert not Product.objects.exists()


@pytest.mark.parametrize("size", [1, 500])
def test_changed_rows_are_as_saved_one_by_one_in_one_statement(size: int) -> None:
    rows = [product(number) for number in range(size)]
    insert_rows(rows)
    others = product(-1)
    others.save()
    for row in rows:
        row.title, row.tags, row.attributes = f"=\\ {row.pk}", AWKWARD[::-1], {"n": None}
        row.published_at = None if row.published_at else NOW
        row.popularity = 7
        row.vendor = "not among the names"

    with CaptureQueriesContext(connection) as seen:
        update_rows(rows, ["title", "tags", "attributes", "published_at", "popularity"])

    assert len(seen) == 1
    found = Product.objects.exclude(pk=others.pk)
    assert set(found.values_list("popularity", "vendor")) == {(7, "")}
    assert {row.pk: (row.title, row.tags, row.attributes, row.published_at) for row in found} == {
        row.pk: (row.title, row.tags, row.attributes, row.published_at) for row in rows
    }
    assert Product.objects.get(pk=others.pk).title == others.title


def test_nothing_is_no_statement() -> None:
    with CaptureQueriesContext(connection) as seen:
        insert_rows([])
        update_rows([], ["title"])

    assert len(seen) == 0
