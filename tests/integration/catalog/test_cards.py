from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from catalog.models import ProductImage, Variant
from catalog.selectors import VariantCard, forget_pages, variant_cards, variants_for_sale
from catalog.services import (
    Availability,
    ImageDraft,
    PriceDraft,
    archive_products,
    record_availability,
    set_prices,
    upsert_product,
)
from tests.integration.catalog.conftest import Committing, Trips
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
LATER = NOW + timedelta(hours=1)


def test_a_card_says_all_that_a_line_needs() -> None:
    product = make.product(
        slug="shirt",
        title="Shirt",
        options=["Size", "Colour"],
        images=[
            ImageDraft(url="https://pictures.example/a.jpg"),
            ImageDraft(url="https://pictures.example/b.jpg"),
        ],
        variants=[
            make.variant_draft(
                "S",
                "Red",
                sku="SHIRT-S-RED",
                price=3000,
                compare_at=3500,
                weight_grams=180,
                tax_class="REDUCED",
                image_position=2,
            ),
            make.variant_draft("M", "Red", sku="SHIRT-M-RED", requires_shipping=False),
        ],
        in_stock=4,
    )
    small, medium = product.variants.order_by("position")

    cards = variant_cards([small.pk, medium.pk], currency="GBP")

    assert cards[small.pk] == VariantCard(
        variant_id=small.pk,
        product_id=product.pk,
        product_slug="shirt",
        sku="SHIRT-S-RED",
        title="Shirt",
        variant_title="S / Red",
        options={"Size": "S", "Colour": "Red"},
        image="https://pictures.example/b.jpg",
        unit_price_minor=3000,
        compare_at_minor=3500,
        currency="GBP",
        tax_class="REDUCED",
        weight_grams=180,
        requires_shipping=True,
        availability_state="in_stock",
        availability_quantity=4,
    )
    assert cards[medium.pk].image == "https://pictures.example/a.jpg"
    assert not cards[medium.pk].requires_shipping
    assert variants_for_sale([small.pk, medium.pk], currency="GBP", now=NOW) == cards


def test_a_picture_is_not_looked_for_among_all_pictures() -> None:
    product = make.product(images=[ImageDraft(url="https://pictures.example/a.jpg")])
    crowded = make.product()
    ProductImage.objects.bulk_create(
        ProductImage(product=crowded, position=n, url=f"https://pictures.example/{n}.jpg")
        for n in range(2000)
    )
    variant = product.variants.get()

    def read() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT seq_tup_read FROM pg_stat_xact_user_tables"
                " WHERE relname = 'catalog_productimage'"
            )
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalog_productimage")
    before = read()
    cards = variants_for_sale([variant.pk], currency="GBP", now=NOW)

    assert cards[variant.pk].image == "https://pictures.example/a.jpg"
    assert read() == before


@pytest.mark.parametrize("size", [1, 20])
def test_warm_cards_need_one_trip_and_no_sql(
    size: int,
    django_assert_num_queries: DjangoAssertNumQueries,
    redis_trips: Trips,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("catalog.store._near_cards._seconds", 60.0)
    ids = [make.variant().pk for _ in range(size)]

    # Expect 1: the variants with their prices.
    with django_assert_num_queries(1):
        assert set(variant_cards(ids, currency="GBP")) == set(ids)
    with django_assert_num_queries(0), redis_trips() as trips:
        assert set(variant_cards(ids, currency="GBP")) == set(ids)
    assert len(trips) == 0

    forget_pages()  # as another process, or a moment later
    with django_assert_num_queries(0), redis_trips() as trips:
        assert set(variant_cards(ids, currency="GBP")) == set(ids)
    assert len(trips) == 1


@pytest.mark.parametrize("size", [1, 20])
def test_cards_from_the_database_take_one_query(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ids = [make.variant().pk for _ in range(size)]

    with django_assert_num_queries(1):
        assert set(variants_for_sale(ids, currency="GBP", now=NOW)) == set(ids)


@pytest.mark.parametrize(
    "draft",
    [
        {"status": "DRAFT"},
        {"status": "ARCHIVED"},
        {"is_published": False},
        {"published_at": datetime(2027, 6, 1, tzinfo=UTC)},
        {"variants": [make.variant_draft(price=None)]},
        {"variants": [make.variant_draft(is_active=False)]},
        {"variants": [make.variant_draft(prices={"EUR": (1000, None)})]},
    ],
    ids=str,
)
def test_what_is_not_for_sale_has_no_card(draft: dict[str, Any]) -> None:
    with time_machine.travel(NOW):
        variant = make.variant(**draft)

        assert variant_cards([variant.pk], currency="GBP") == {}
    assert variants_for_sale([variant.pk], currency="GBP", now=NOW) == {}


@pytest.mark.parametrize("pk", [0, -1, 987654321, 2**63, 10**30])
def test_unknown_variants_have_no_card(pk: int) -> None:
    assert variant_cards([pk], currency="GBP") == {}


def test_unknown_variants_are_remembered(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    variant_cards([987654321], currency="GBP")

    with django_assert_num_queries(0):
        assert variant_cards([987654321], currency="GBP") == {}


def test_nothing_asked_is_nothing_answered(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert variant_cards([], currency="GBP") == {}


def test_each_change_is_seen_once_it_is_committed(committing: Committing) -> None:
    variant = make.variant(slug="mug", price=2000)

    def card() -> VariantCard:
        return variant_cards([variant.pk], currency="GBP")[variant.pk]

    assert card().unit_price_minor == 2000

    with committing():
        set_prices(drafts=[PriceDraft(variant.pk, "GBP", 1000)], now=NOW)
    assert card().unit_price_minor == 1000

    with committing():
        record_availability(levels={variant.pk: Availability("low_stock", 2)}, now=NOW)
    assert (card().availability_state, card().availability_quantity) == ("low_stock", 2)

    with committing():
        upsert_product(
            draft=make.product_draft(
                slug="mug", title="Cup", variants=[make.variant_draft(sku=variant.sku, price=5)]
            ),
            now=NOW,
        )
    assert (card().title, card().unit_price_minor) == ("Cup", 5)

    with committing():
        archive_products(product_ids=[variant.product_id], now=NOW)
    assert variant_cards([variant.pk], currency="GBP") == {}


def test_a_scheduled_price_is_seen_from_its_first_moment_without_anybody_s_help() -> None:
    variant = make.variant(price=2000)
    set_prices(drafts=[PriceDraft(variant.pk, "GBP", 1500, starts_at=LATER, ends_at=None)], now=NOW)

    def price() -> int:
        return variant_cards([variant.pk], currency="GBP")[variant.pk].unit_price_minor

    with time_machine.travel(LATER - timedelta(seconds=1), tick=False):
        assert price() == 2000
    with time_machine.travel(LATER, tick=False):
        assert price() == 1500


def test_availability_writes_only_what_differs(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    variant = make.variant(in_stock=5)
    levels = {variant.pk: Availability("in_stock", 5), 987654321: Availability("in_stock", 1)}

    # Expect 3: whose variants; lock the products; look. The other 2 are the service's savepoint.
    with django_assert_num_queries(5):
        record_availability(levels=levels, now=NOW)

    assert Variant.objects.get().availability_quantity == 5


@pytest.mark.parametrize("size", [1, 20])
def test_availability_takes_the_same_statements_for_any_number(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    levels = {make.variant().pk: Availability("in_stock", 50) for _ in range(size)}

    # Expect 9: the 3 looks, the update, 5 for the listing. The other 4 are savepoints.
    with django_assert_num_queries(13):
        record_availability(levels=levels, now=NOW)

    assert set(Variant.objects.values_list("availability_quantity", flat=True)) == {10}
