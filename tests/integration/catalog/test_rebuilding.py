"""The listing is made anew while the shop works: without a gap, and no change is lost."""

from contextlib import ExitStack

import pytest
from django.db import transaction

from catalog.models import Product, ProductListing
from catalog.services import listing, rebuild_listing, refresh_listing
from tests.concurrency import in_background
from tests.make import catalog as make

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_waits_for_a_change_under_way_and_then_says_what_that_says() -> None:
    product = make.product(title="Old")

    with ExitStack() as background:
        with transaction.atomic():
            Product.objects.filter(pk=product.pk).update(title="New")
            rebuilding = background.enter_context(
                in_background(lambda: rebuild_listing(now=make.NOW))
            )
            with pytest.raises(TimeoutError):
                rebuilding.result(timeout=0.5)
            refresh_listing(product_ids=[product.pk], now=make.NOW)
        assert rebuilding.result(timeout=60) == 1

    assert ProductListing.objects.get(product=product).title == "New"


def test_lists_are_whole_at_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        make.product()
    ProductListing.objects.update(title="Drifted")
    monkeypatch.setattr(listing, "BATCH", 2)
    seen: list[tuple[int, int]] = []

    def look(done: int) -> None:
        rows = ProductListing.objects
        seen.append((rows.count(), rows.filter(title="Drifted").count()))

    assert rebuild_listing(now=make.NOW, progress=look) == 5
    assert seen == [(5, 3), (5, 1), (5, 0)]
