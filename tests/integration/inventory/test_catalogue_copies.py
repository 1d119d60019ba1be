"""Cached products that are not what the catalogue says are found, and dropped if asked."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Product
from catalog.selectors import stale_products
from inventory.models import ReconciliationFinding, ReconciliationRun
from inventory.services import reconcile_catalogue
from inventory.tasks import reconcile_catalogue as task
from shop.redis import cache_client
from tests.make import cart as make

pytestmark = pytest.mark.django_db


def read(api: APIClient, product: Product) -> None:
    for ref in (product.slug, product.pk):
        for currency in ("GBP", "EUR"):
            assert api.get(f"/api/v1/products/{ref}", {"currency": currency}).status_code == 200


@pytest.fixture
def products(api: APIClient) -> list[Product]:
    made = [make.variant_for_sale().product for _ in range(3)]
    for product in made:
        read(api, product)
    return made


def test_what_was_just_read_is_not_stale(products: list[Product]) -> None:
    assert stale_products(sample=500, now=timezone.now()) == []
    assert task() == 0


def test_a_lost_invalidation_is_found_and_mended(products: list[Product], api: APIClient) -> None:
    changed = products[1]
    Product.objects.filter(pk=changed.pk).update(title="Another title")

    seen = reconcile_catalogue(now=timezone.now())

    assert seen is not None
    assert {(copy.ref, copy.currency) for copy in seen.stale} == {
        (ref, currency) for ref in (changed.slug, str(changed.pk)) for currency in ("GBP", "EUR")
    }
    assert ReconciliationRun.objects.get().scope == "catalogue"
    assert ReconciliationFinding.objects.filter(state="OPEN").count() == 4

    told, mended = StringIO(), StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile_catalogue", json=True, stdout=told)
    assert len(json.loads(told.getvalue())["findings"]) == 4
    call_command("reconcile_catalogue", fix=True, stdout=mended)
    assert mended.getvalue().count("Dropped from the cache") == 4
    assert {finding.resolution for finding in ReconciliationFinding.objects.all()} == {
        "Dropped from the cache"
    }
    read(api, changed)
    assert stale_products(sample=500, now=timezone.now()) == []


def test_only_as_many_as_were_asked_for_are_compared(products: list[Product]) -> None:
    Product.objects.update(title="Another title")

    assert len(stale_products(sample=2, now=timezone.now())) == 2


def test_a_cache_that_is_empty_is_no_fault(products: list[Product]) -> None:
    Product.objects.update(title="Another title")
    cache_client().flushdb()

    assert stale_products(sample=500, now=timezone.now()) == []
