"""Cached products that are not what the catalogue says are found, and dropped if asked."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Product, ProductListing
from catalog.selectors import drifted_listings, stale_products
from catalog.services import refresh_listing
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
    Product.objects.filter(pk=changed.pk).update(seo_description="Another text")

    seen = reconcile_catalogue(now=timezone.now())

    assert seen is not None
    assert {(copy.ref, copy.currency) for copy in seen.stale} == {
        (ref, currency) for ref in (changed.slug, str(changed.pk)) for currency in ("GBP", "EUR")
    }
    assert ReconciliationRun.objects.get().scope == "catalogue"
    assert ReconciliationFinding.objects.filter(state="OPEN").count() == 4

    told, mended = StringIO(), StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile_catalog", json=True, stdout=told)
    assert len(json.loads(told.getvalue())["findings"]) == 4
    call_command("reconcile_catalog", fix=True, stdout=mended)
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


def test_a_listing_that_is_as_it_should_be_has_not_drifted(products: list[Product]) -> None:
    assert drifted_listings(sample=500, now=timezone.now()) == []


def test_a_row_that_drifted_is_found_and_made_anew(products: list[Product]) -> None:
    other, missing, hidden = products
    cache_client().flushdb()
    ProductListing.objects.filter(product=other, currency="GBP").update(min_price_minor=1)
    ProductListing.objects.filter(product=missing, currency="GBP").delete()
    Product.objects.filter(pk=hidden.pk).update(status="DRAFT")

    found = {
        (row.product_id, row.currency, row.state)
        for row in drifted_listings(sample=500, now=timezone.now())
    }
    assert found >= {
        (other.pk, "GBP", "another row"),
        (missing.pk, "GBP", "missing"),
        (hidden.pk, "GBP", "not to be listed"),
    }
    with pytest.raises(SystemExit):
        call_command("reconcile_catalog", stdout=StringIO())
    assert ReconciliationFinding.objects.filter(state="OPEN").count() == len(found)
    call_command("reconcile_catalog", fix=True, stdout=StringIO())

    assert drifted_listings(sample=500, now=timezone.now()) == []
    assert not ReconciliationFinding.objects.filter(state="OPEN").exists()


def test_what_the_clock_has_just_made_due_has_not_drifted(products: list[Product]) -> None:
    now = timezone.now()
    product = products[0]
    price = product.variants.get().prices.get(currency="GBP")
    price.pk = None
    price.amount_minor -= 1
    price.starts_at, price.ends_at = now - timedelta(minutes=1), now + timedelta(days=1)
    price.save()
    refresh_listing(product_ids=[product.pk], now=now - timedelta(minutes=2))

    assert drifted_listings(sample=500, now=now) == []
    late = drifted_listings(sample=500, now=now + timedelta(minutes=10))
    assert {row.product_id for row in late} == {product.pk}
