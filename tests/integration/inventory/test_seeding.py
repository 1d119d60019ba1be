"""A large catalogue made up: the same for the same seed, sound in every table."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalog.models import (
    Price,
    PriceHistory,
    Product,
    ProductListing,
    ProductOption,
    Variant,
)
from catalog.services import rebuild_listing
from inventory.models import Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import record_availability
from inventory.services.seeding import catalogue, seed_catalogue
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture(autouse=True)
def _warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    make_warehouse()
    monkeypatch.setattr(catalogue, "BATCH", 40)


def made() -> list[Any]:
    return [
        *Product.objects.order_by("slug").values_list(
            "slug", "title", "description_html", "vendor", "tags", "category__slug", "popularity"
        ),
        *Variant.objects.order_by("sku").values_list(
            "sku", "option_values", "prices__amount_minor", "prices__compare_at_minor",
            "stocks__on_hand", "availability_state", "weight_grams",
        ),
    ]  # fmt: skip


def empty() -> None:
    """Rename what is there, so that its slugs and SKUs are free."""
    for product in Product.objects.all():
        Product.objects.filter(pk=product.pk).update(slug=f"old-{product.pk}")
    for variant in Variant.objects.all():
        Variant.objects.filter(pk=variant.pk).update(sku=f"OLD-{variant.pk}")


def test_the_same_seed_makes_the_same_products_wherever_it_was_interrupted() -> None:
    seed_catalogue(products=100, seed=3, now=NOW)
    first = made()
    empty()

    seed_catalogue(products=30, seed=3, now=NOW)
    again = seed_catalogue(products=100, seed=3, now=NOW)

    assert again.products == 70
    assert [row for row in made() if not row[0].lower().startswith("old-")] == first
    other = Product.objects.get(slug="seed-3-1")
    seed_catalogue(products=1, seed=4, now=NOW)
    assert Product.objects.get(slug="seed-4-1").description_html != other.description_html


def test_what_is_there_is_not_made_twice() -> None:
    seed_catalogue(products=20, seed=1, now=NOW)
    before = (made(), StockMovement.objects.count(), PriceHistory.objects.count())

    result = seed_catalogue(products=20, seed=1, now=NOW)

    assert (result.products, result.variants, result.listed) == (0, 0, 0)
    assert (made(), StockMovement.objects.count(), PriceHistory.objects.count()) == before


def test_everything_is_as_the_services_would_have_written_it() -> None:
    seed_catalogue(products=200, seed=1, now=NOW)

    variants = Variant.objects.count()
    assert 200 < variants < 600
    assert Price.objects.count() == PriceHistory.objects.count() == Stock.objects.count()
    assert StockMovement.objects.count() == Stock.objects.filter(on_hand__gt=0).count()
    assert drifted_stock() == []
    shown = list(Variant.objects.order_by("pk").values())
    record_availability(variant_ids=[row["id"] for row in shown], now=NOW)
    assert list(Variant.objects.order_by("pk").values()) == shown
    listed = list(ProductListing.objects.order_by("pk").values())
    assert len(listed) == 200
    rebuild_listing(now=NOW)
    assert list(ProductListing.objects.order_by("pk").values()) == listed
    # Each answer is one that the product offers, and no two variants are the same.
    for product in Product.objects.prefetch_related("variants", "options"):
        options = list(ProductOption.objects.filter(product=product).order_by("position"))
        answers = [tuple(variant.option_values) for variant in product.variants.all()]
        assert len(set(answers)) == len(answers)
        assert all(len(answer) == len(options) for answer in answers)
        assert all(
            value in option.values
            for answer in answers
            for value, option in zip(answer, options, strict=True)
        )
        assert [v.title for v in product.variants.all()] == [" / ".join(a) for a in answers]


def test_a_killed_run_leaves_whole_products_and_the_next_one_lists_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(**_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(catalogue, "rebuild_listing", killed)
        with pytest.raises(KeyboardInterrupt):
            seed_catalogue(products=50, seed=1, now=NOW)
    assert not ProductListing.objects.exists()

    result = seed_catalogue(products=50, seed=1, now=NOW)

    assert (result.products, result.listed) == (0, 50)
    assert ProductListing.objects.count() == 50


def test_the_command_tells_what_it_made() -> None:
    out = StringIO()
    call_command("seed_catalog", "--products", "10", "--seed", "5", stdout=out)
    call_command("seed_catalog", "--products", "10", "--seed", "5", stdout=out)

    first, second = out.getvalue().splitlines()
    assert first.startswith("10 products with ")
    assert second == "They are there already."


def test_production_is_asked_twice(settings: Any) -> None:
    settings.IS_PRODUCTION = True

    with pytest.raises(CommandError):
        call_command("seed_catalog", "--products", "10")

    assert not Product.objects.exists()


@pytest.mark.parametrize("text", ["0", "-1", "1e6", "99999999999"])
def test_what_is_no_number_of_products_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        call_command("seed_catalog", f"--products={text}")
