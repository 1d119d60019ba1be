from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.models import Product, Variant
from catalog.serializers import ProductResponse, RelatedResponse
from catalog.services import (
    Availability,
    ImageDraft,
    PriceDraft,
    archive_products,
    move_category,
    record_availability,
    set_prices,
    upsert_product,
)
from catalog.tasks import invalidate_product
from shop.http.conditional import etag_of
from shop.models import OutboxMessage
from tests.integration.catalog.conftest import Committing, Trips
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
CACHE_CONTROL = "public, max-age=60, stale-while-revalidate=30"


def page(api: APIClient, ref: object, **query: str) -> dict[str, Any]:
    response = api.get(f"/api/v1/products/{ref}", query)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def shirt() -> Product:
    make.category("Clothes", "Shirts")
    return make.product(
        slug="shirt",
        title="Linen Shirt",
        category_slug="shirts",
        description_html="<p>Cool.</p>",
        vendor="Weaver",
        tags=["summer"],
        options=["Size", "Colour"],
        attributes={"fabric": "linen"},
        seo_description="A shirt",
        images=[
            ImageDraft(url="https://pictures.example/a.jpg", alt="Front"),
            ImageDraft(file=make.picture(), alt="Back"),
        ],
        variants=[
            make.variant_draft("S", "Red", sku="S-RED", price=3000, compare_at=4000),
            make.variant_draft("M", "Red", sku="M-RED", price=3200, barcode="5012345678900"),
            make.variant_draft("L", "Blue", sku="L-BLUE", price=3300, is_active=False),
        ],
        in_stock=3,
    )


def test_a_product_shows_everything(api: APIClient) -> None:
    product = shirt()

    shown = page(api, product.pk)

    assert shown["price"] == {
        "min": {"amount": "30.00", "currency": "GBP"},
        "max": {"amount": "32.00", "currency": "GBP"},
    }
    assert shown["compare_at_price"] == {"amount": "40.00", "currency": "GBP"}
    assert shown["category"] == {"slug": "shirts", "name": "Shirts"}
    assert [step["slug"] for step in shown["breadcrumbs"]] == ["clothes", "shirts"]
    assert shown["options"] == [
        {"name": "Size", "values": ["S", "M"]},
        {"name": "Colour", "values": ["Red"]},
    ]
    assert [variant["sku"] for variant in shown["variants"]] == ["S-RED", "M-RED"]
    assert shown["variants"][0]["options"] == {"Size": "S", "Colour": "Red"}
    assert shown["variants"][0]["availability"] == {"state": "in_stock", "quantity": 3}
    assert shown["variants"][0]["lowest_price_30d"] == {"amount": "30.00", "currency": "GBP"}
    assert shown["variants"][1]["barcode"] == "5012345678900"
    assert shown["availability"] == {"state": "in_stock", "quantity": 6}
    assert shown["image"] == shown["images"][0]["url"] == "https://pictures.example/a.jpg"
    assert shown["images"][1]["url"].startswith("http://")
    assert (shown["images"][1]["width"], shown["images"][1]["height"]) == (8, 6)
    assert shown["attributes"] == {"fabric": "linen"}
    assert shown["seo"] == {"title": "Linen Shirt", "description": "A shirt"}
    assert shown["rating"] == {"average": None, "count": 0}


def test_answers_fit_their_schema(api: APIClient) -> None:
    product = shirt()
    make.product(category_slug="shirts")
    bare = make.product()

    for ref in (product.pk, bare.slug):
        shown = page(api, ref)
        assert ProductResponse(shown).data == shown
    related = api.get(f"/api/v1/products/{product.pk}/related").json()
    assert len(related["results"]) == 1
    assert RelatedResponse(related).data == related


def test_id_and_slug_lead_to_the_same_page(api: APIClient) -> None:
    product = shirt()

    by_id = api.get(f"/api/v1/products/{product.pk}")
    by_slug = api.get(f"/api/v1/products/{product.slug}")

    assert by_id.content == by_slug.content
    assert by_id["ETag"] == by_slug["ETag"]


def test_where_a_slug_looks_like_an_id_the_id_wins(api: APIClient) -> None:
    first = make.product()
    second = make.product(slug=str(first.pk))
    third = make.product(slug=str(second.pk + 1000))

    assert page(api, first.pk)["id"] == first.pk
    assert page(api, third.slug)["id"] == third.pk


def test_slugs_may_be_of_any_script(api: APIClient) -> None:
    product = make.product(slug="陶器のカップ")

    assert page(api, "陶器のカップ")["id"] == product.pk


@pytest.mark.parametrize(
    "ref",
    [
        "nothing",
        "987654321",
        "9223372036854775807",
        "9223372036854775808",
        "9" * 200,
        "a" * 255,
        "a" * 256,
        "%00",
        "a%20b",
        "1.5",
        "-1",
        "1;drop",
        "..%2f..%2fetc",
        "٣",
    ],
)
def test_what_is_not_there_is_404(api: APIClient, ref: str) -> None:
    for path in (f"/api/v1/products/{ref}", f"/api/v1/products/{ref}/related"):
        response = api.get(path)
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == 404


@pytest.mark.parametrize(
    "draft",
    [
        {"status": "DRAFT"},
        {"status": "ARCHIVED"},
        {"is_published": False},
        {"published_at": datetime(2027, 6, 1, tzinfo=UTC)},
        {"variants": [make.variant_draft(price=None)]},
        {"variants": []},
    ],
    ids=str,
)
def test_what_is_not_for_everyone_is_404(api: APIClient, draft: dict[str, Any]) -> None:
    with time_machine.travel(NOW):
        product = make.product(**draft)

        for ref in (product.pk, product.slug):
            response = api.get(f"/api/v1/products/{ref}")
            assert response.status_code == 404
            assert response.json()["code"] == "product_not_found"
        assert api.get("/api/v1/products").json()["results"] == []


def test_the_second_reader_costs_no_sql_and_one_trip(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, redis_trips: Trips
) -> None:
    product = shirt()

    # Expect 8: product with category, variants, prices, options, pictures, price history, and 2
    # for the path of the category.
    with django_assert_num_queries(8):
        slow = api.get(f"/api/v1/products/{product.pk}")
    with django_assert_num_queries(0), redis_trips() as trips:
        fast = api.get(f"/api/v1/products/{product.pk}")

    # The limiter has one trip of its own.
    assert len(trips) <= 2
    assert fast.content == slow.content
    assert _headers(fast) == _headers(slow)


@pytest.mark.parametrize("size", [1, 20])
def test_a_page_takes_the_same_queries_for_any_number_of_variants(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    product = make.product(
        options=["Size"],
        images=[ImageDraft(url=f"https://pictures.example/{n}.jpg") for n in range(size)],
        variants=[make.variant_draft(str(number)) for number in range(size)],
    )

    # Expect 6: as above without a category.
    with django_assert_num_queries(6):
        page(api, product.pk)


@pytest.mark.parametrize("ref", ["nothing", "987654321"])
def test_what_is_unknown_is_remembered(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, ref: str
) -> None:
    assert api.get(f"/api/v1/products/{ref}").status_code == 404

    with django_assert_num_queries(0):
        assert api.get(f"/api/v1/products/{ref}").status_code == 404


def test_what_was_unknown_is_seen_once_it_is_made(api: APIClient, committing: Committing) -> None:
    assert api.get("/api/v1/products/new-mug").status_code == 404

    with committing():
        make.product(slug="new-mug")

    assert page(api, "new-mug")["slug"] == "new-mug"


def test_each_change_is_seen_once_it_is_committed(api: APIClient, committing: Committing) -> None:
    product = shirt()
    small = Variant.objects.get(sku="S-RED")
    before = api.get(f"/api/v1/products/{product.pk}")["ETag"]
    assert page(api, "shirt")["title"] == "Linen Shirt"

    with committing():
        set_prices(drafts=[PriceDraft(small.pk, "GBP", 1000)], now=NOW)
    assert page(api, product.pk)["price"]["min"]["amount"] == "10.00"
    assert page(api, "shirt")["price"]["min"]["amount"] == "10.00"
    assert api.get(f"/api/v1/products/{product.pk}")["ETag"] != before

    with committing():
        record_availability(levels={small.pk: Availability("out_of_stock", 0)}, now=NOW)
    assert page(api, product.pk)["variants"][0]["availability"]["state"] == "out_of_stock"

    with committing():
        clothes = make.category("Wardrobe")
        category = Product.objects.select_related("category").get().category
        assert category is not None
        move_category(category=category, parent=clothes, now=NOW)
    assert [step["slug"] for step in page(api, "shirt")["breadcrumbs"]] == ["wardrobe", "shirts"]

    with committing():
        archive_products(product_ids=[product.pk], now=NOW)
    assert api.get(f"/api/v1/products/{product.pk}").status_code == 404
    assert api.get("/api/v1/products/shirt").status_code == 404


def test_a_copy_that_outlived_its_writer_is_dropped_by_the_message(api: APIClient) -> None:
    product = shirt()
    assert page(api, "shirt")["title"] == "Linen Shirt"
    with transaction.atomic():  # and then the process dies: nothing is done on commit
        upsert_product(draft=make.product_draft(slug="shirt", title="Other", variants=[]), now=NOW)
    assert page(api, "shirt")["title"] == "Linen Shirt"

    message = OutboxMessage.objects.filter(topic="catalog.product_changed").latest("pk")
    assert message.payload["product_ids"] == [product.pk]
    invalidate_product(message_id=str(message.pk), payload=message.payload)

    assert api.get("/api/v1/products/shirt").json().get("title") != "Linen Shirt"


def test_a_roll_back_leaves_the_copy_alone(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    product = shirt()
    page(api, product.pk)

    upsert_product(  # its transaction, the test's, never commits
        draft=make.product_draft(slug="shirt", title="Other", variants=[]), now=NOW
    )

    with django_assert_num_queries(0):
        assert page(api, product.pk)["title"] == "Linen Shirt"


def test_a_scheduled_price_is_seen_from_its_first_moment(api: APIClient) -> None:
    variant = make.variant(price=2000)
    start = NOW + timedelta(hours=1)
    set_prices(drafts=[PriceDraft(variant.pk, "GBP", 1500, starts_at=start, ends_at=None)], now=NOW)

    with time_machine.travel(start - timedelta(seconds=1), tick=False):
        assert page(api, variant.product_id)["price"]["min"]["amount"] == "20.00"
    with time_machine.travel(start, tick=False):
        shown = page(api, variant.product_id)
    assert shown["price"]["min"]["amount"] == "15.00"
    assert shown["compare_at_price"]["amount"] == "20.00"
    assert shown["variants"][0]["lowest_price_30d"]["amount"] == "15.00"


def test_each_currency_has_its_own_page(api: APIClient) -> None:
    product = make.product(
        options=["Size"],
        variants=[
            make.variant_draft("S", sku="S", prices={"GBP": (1000, None), "EUR": (1200, None)}),
            make.variant_draft("M", sku="M", prices={"GBP": (1100, None)}),
        ],
    )
    only_pounds = make.product()

    assert len(page(api, product.pk)["variants"]) == 2
    euros = page(api, product.pk, currency="EUR")
    assert [variant["sku"] for variant in euros["variants"]] == ["S"]
    assert euros["price"]["max"] == {"amount": "12.00", "currency": "EUR"}
    assert euros["options"] == [{"name": "Size", "values": ["S"]}]
    path = f"/api/v1/products/{only_pounds.pk}"
    assert api.get(path, {"currency": "EUR"}).status_code == 404


@pytest.mark.parametrize("query", [{"currency": "XXX"}, {"currency": "gbp"}, {"fields": "id"}])
def test_bad_parameters_are_400(api: APIClient, query: dict[str, str]) -> None:
    product = make.product()

    response = api.get(f"/api/v1/products/{product.pk}", query)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{next(iter(query))}"


@pytest.mark.parametrize(
    "path",
    [
        "products/shirt",
        "products/shirt/related",
        "products",
        "products?facets=true",
        "categories",
        "categories/clothes",
    ],
)
def test_every_answer_has_a_tag_that_saves_sending_it_again(api: APIClient, path: str) -> None:
    shirt()
    first = api.get(f"/api/v1/{path}")
    tag = first["ETag"]

    assert first.status_code == 200
    assert tag == etag_of(first.content)
    assert first["Cache-Control"] == CACHE_CONTROL
    assert "Cookie" not in first.get("Vary", "")
    for header in (tag, f'"other", W/{tag}', "*"):
        again = api.get(f"/api/v1/{path}", headers={"If-None-Match": header})
        assert again.status_code == 304
        assert again.content == b""
        assert again["ETag"] == tag
        assert again["Cache-Control"] == CACHE_CONTROL
    assert api.get(f"/api/v1/{path}", headers={"If-None-Match": '"other"'}).status_code == 200
    assert api.head(f"/api/v1/{path}")["ETag"] == tag


def test_who_asks_makes_no_difference(api: APIClient) -> None:
    shirt()

    nobody = api.get("/api/v1/products/shirt")
    someone = api.get("/api/v1/products/shirt", headers={"Authorization": "Bearer nonsense"})

    assert someone.content == nobody.content


def test_related_products_are_of_the_same_kind_and_can_be_had(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    product = shirt()
    make.product(slug="tagged", tags=["summer"], in_stock=5)
    make.product(slug="sold-out", category_slug="shirts", popularity=9, in_stock=0)
    make.product(slug="alike", category_slug="shirts", in_stock=5)
    make.product(slug="alike-and-loved", category_slug="shirts", in_stock=5, popularity=3)
    make.product(slug="hidden", category_slug="shirts", status="DRAFT")
    make.product(slug="unlike")

    # Expect 3: the product; its category and tags; the others.
    with django_assert_num_queries(3):
        related = api.get(f"/api/v1/products/{product.pk}/related").json()

    slugs = [row["slug"] for row in related["results"]]
    assert slugs == ["alike-and-loved", "alike", "sold-out", "tagged"]


def _headers(response: Any) -> dict[str, str]:
    varying = {"X-Request-ID", "RateLimit", "Server-Timing"}
    return {name: value for name, value in response.items() if name not in varying}
