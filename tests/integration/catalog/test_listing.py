import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.models import ProductListing
from catalog.selectors import facets, listing
from catalog.serializers import ProductListResponse
from catalog.services import (
    Availability,
    ImageDraft,
    rebuild_listing,
    record_availability,
    set_popularity,
    upsert_products,
)
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
SORTS = ("relevance", "newest", "price", "-price", "title", "best_selling")


def listed(api: APIClient, query: str = "") -> dict[str, Any]:
    response = api.get(f"/api/v1/products?{query}")
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def slugs(api: APIClient, query: str = "") -> list[str]:
    return [row["slug"] for row in listed(api, query)["results"]]


def wardrobe() -> None:
    """Four products that every filter tells apart."""
    make.category("Clothes", "Shirts")
    make.category("Clothes", "Hats")
    make.product(
        slug="linen-shirt",
        title="Linen Shirt",
        vendor="Weaver",
        tags=["summer", "linen"],
        category_slug="shirts",
        options=["Size", "Colour"],
        variants=[
            make.variant_draft("S", "Red", price=3000, compare_at=4000),
            make.variant_draft("M", "Blue", price=5500),
        ],
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        in_stock=5,
        popularity=7,
    )
    make.product(
        slug="wool-shirt",
        title="wool shirt",
        vendor="Shepherd",
        tags=["winter"],
        category_slug="shirts",
        options=["Size"],
        variants=[make.variant_draft("M", price=4500)],
        published_at=datetime(2026, 3, 1, tzinfo=UTC),
        in_stock=0,
        popularity=9,
    )
    make.product(
        slug="straw-hat",
        title="Straw Hat",
        vendor="Weaver",
        tags=["summer"],
        category_slug="hats",
        price=1250,
        published_at=datetime(2026, 2, 1, tzinfo=UTC),
        in_stock=5,
    )
    make.product(
        slug="ecru-socks",
        title="Écru Socks",
        price=500,
        published_at=datetime(2026, 4, 1, tzinfo=UTC),
        popularity=1,
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"linen-shirt", "wool-shirt", "straw-hat", "ecru-socks"}),
        ("category=shirts", {"linen-shirt", "wool-shirt"}),
        ("category=clothes", {"linen-shirt", "wool-shirt", "straw-hat"}),
        ("category=nowhere", set()),
        ("vendor=Weaver", {"linen-shirt", "straw-hat"}),
        ("vendor=Weaver&vendor=Shepherd", {"linen-shirt", "straw-hat", "wool-shirt"}),
        ("tag=summer", {"linen-shirt", "straw-hat"}),
        ("tag=summer&tag=linen", {"linen-shirt"}),
        ("min_price=12.50", {"linen-shirt", "wool-shirt", "straw-hat"}),
        ("min_price=12.51", {"linen-shirt", "wool-shirt"}),
        ("max_price=30", {"linen-shirt", "straw-hat", "ecru-socks"}),
        ("max_price=29.99", {"straw-hat", "ecru-socks"}),
        ("min_price=10&max_price=40", {"linen-shirt", "straw-hat"}),
        ("min_price=40&max_price=10", set()),
        ("in_stock=true", {"linen-shirt", "straw-hat"}),
        ("in_stock=false", {"wool-shirt", "ecru-socks"}),
        ("option.Size=M", {"linen-shirt", "wool-shirt"}),
        ("option.size=m", {"linen-shirt", "wool-shirt"}),
        ("option.Size=S&option.Size=M", {"linen-shirt", "wool-shirt"}),
        ("option.Size=M&option.Colour=Blue", {"linen-shirt"}),
        ("option.Size=M&option.Colour=Green", set()),
        ("option.Nothing=M", set()),
        ("category=clothes&vendor=Weaver&in_stock=true&max_price=20&tag=summer", {"straw-hat"}),
        ("currency=EUR", set()),
        ("q=shirt&vendor=Weaver", {"linen-shirt"}),
        ("q=", {"linen-shirt", "wool-shirt", "straw-hat", "ecru-socks"}),
    ],
)
def test_filters(api: APIClient, query: str, found: set[str]) -> None:
    wardrobe()

    assert set(slugs(api, query)) == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("newest", ["ecru-socks", "wool-shirt", "straw-hat", "linen-shirt"]),
        ("price", ["ecru-socks", "straw-hat", "linen-shirt", "wool-shirt"]),
        ("-price", ["wool-shirt", "linen-shirt", "straw-hat", "ecru-socks"]),
        ("title", ["ecru-socks", "linen-shirt", "straw-hat", "wool-shirt"]),
        ("best_selling", ["wool-shirt", "linen-shirt", "ecru-socks", "straw-hat"]),
        ("relevance", ["wool-shirt", "linen-shirt", "ecru-socks", "straw-hat"]),
    ],
)
def test_sorts(api: APIClient, sort: str, order: list[str]) -> None:
    wardrobe()

    assert slugs(api, f"sort={sort}") == order


def test_a_row_shows_what_a_list_needs(api: APIClient) -> None:
    make.category("Home", "Mugs")
    product = make.product(
        slug="mug",
        title="Mug",
        vendor="Potter",
        category_slug="mugs",
        tags=["clay"],
        options=["Size"],
        variants=[
            make.variant_draft("S", price=900, compare_at=1200),
            make.variant_draft("L", price=1500),
        ],
        images=[ImageDraft(url="https://pictures.example/mug.jpg")],
        in_stock=4,
    )

    assert listed(api)["results"] == [
        {
            "id": product.pk,
            "slug": "mug",
            "title": "Mug",
            "vendor": "Potter",
            "category": {"slug": "mugs", "name": "Mugs"},
            "price": {
                "min": {"amount": "9.00", "currency": "GBP"},
                "max": {"amount": "15.00", "currency": "GBP"},
            },
            "compare_at_price": {"amount": "12.00", "currency": "GBP"},
            "image": "https://pictures.example/mug.jpg",
            "availability": {"state": "in_stock", "quantity": 8},
            "tags": ["clay"],
        }
    ]


def test_answers_fit_their_schema(api: APIClient) -> None:
    wardrobe()

    for query in ("facets=true", "facets=true&q=shirt&page_size=1", "facets=true&tag=none", ""):
        shown = listed(api, query)
        assert ProductListResponse(shown).data == shown


def test_a_row_agrees_with_its_page(api: APIClient) -> None:
    wardrobe()

    for row in listed(api)["results"]:
        page = api.get(f"/api/v1/products/{row['id']}").json()
        assert {name: page[name] for name in row} == row


def pages(api: APIClient, address: str | None, direction: str) -> Iterator[list[int]]:
    while address:
        parts = urlsplit(address)
        answer = api.get(f"{parts.path}?{parts.query}").json()
        yield [row["id"] for row in answer["results"]]
        address = answer[direction]


def many(count: int = 60) -> None:
    upsert_products(
        drafts=[
            make.product_draft(
                title=f"Thing {number % 7}",  # many ties in every order
                description_html="<p>plain thing</p>",
                price=100 * (number % 5 + 1),
                vendor="Maker",
                published_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number % 4),
            )
            for number in range(count)
        ],
        now=NOW,
    )


@pytest.mark.parametrize("words", ["", "&q=thing", "&q=thnig"])
@pytest.mark.parametrize("sort", SORTS)
def test_walking_both_ways_meets_each_product_once(api: APIClient, sort: str, words: str) -> None:
    many()
    start = f"/api/v1/products?sort={sort}&page_size=7&vendor=Maker{words}"

    forward = [pk for page in pages(api, start, "next") for pk in page]
    assert len(forward) == len(set(forward)) == 60

    # To the last page, and back from there.
    address = start
    while following := api.get(address).json()["next"]:
        address = following
    backward = [pk for page in pages(api, address, "previous") for pk in reversed(page)]
    assert backward == forward[::-1]


def test_neighbours_keep_the_filters(api: APIClient) -> None:
    many(10)

    answer = listed(api, "vendor=Maker&vendor=Other&page_size=3&sort=price&min_price=1.00")

    assert answer["previous"] is None
    kept = parse_qs(urlsplit(answer["next"]).query)
    assert kept["vendor"] == ["Maker", "Other"]
    assert kept["sort"] == ["price"]
    assert kept["min_price"] == ["1.00"]
    assert kept["page_size"] == ["3"]


def test_a_cursor_survives_a_rebuild(api: APIClient) -> None:
    many(10)
    first = listed(api, "sort=title&page_size=5")
    ProductListing.objects.all().delete()
    rebuild_listing(now=NOW)

    rest = api.get(first["next"]).json()

    seen = {row["id"] for row in first["results"]} | {row["id"] for row in rest["results"]}
    assert len(seen) == 10


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("page_size=0", "/page_size"),
        ("page_size=101", "/page_size"),
        ("page_size=99999999999999999999", "/page_size"),
        ("page_size=x", "/page_size"),
        ("cursor=nonsense", "/cursor"),
        ("cursor=W10", "/cursor"),
        ("min_price=x", "/min_price"),
        ("min_price=-1", "/min_price"),
        ("min_price=1.005", "/min_price"),
        ("max_price=NaN", "/max_price"),
        ("max_price=1e3", "/max_price"),
        ("max_price=9999999999999999999", "/max_price"),
        ("in_stock=maybe", "/in_stock"),
        ("facets=maybe", "/facets"),
        ("sort=cheapest", "/sort"),
        ("currency=XXX", "/currency"),
        ("currency=USD", "/currency"),
        ("colour=red", "/colour"),
        ("q=a%00b", "/q"),
        ("q=" + "a" * 201, "/q"),
        ("category=%00", "/category"),
        ("vendor=%00", "/vendor/0"),
        ("tag=%00", "/tag/0"),
        ("option.=M", "/option."),
        ("option.Size=", "/option.Size"),
        ("option.Size=%00", "/option.Size"),
        ("option.%00=M", "/option.\x00"),
        ("sort=price&sort=title", "/sort"),
        ("&".join(f"option.o{number}=x" for number in range(21)), ""),
    ],
)
def test_bad_parameters_are_400(api: APIClient, query: str, pointer: str) -> None:
    many(1)

    response = api.get(f"/api/v1/products?{query}")

    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_a_cursor_of_another_order_is_refused(api: APIClient) -> None:
    many(10)
    cursor = parse_qs(urlsplit(listed(api, "sort=price&page_size=2")["next"]).query)["cursor"][0]

    response = api.get("/api/v1/products", {"sort": "title", "page_size": 2, "cursor": cursor})

    assert response.status_code == 400


@pytest.mark.parametrize("value", ["x", "", -1, 1.5, True, None, 2**62, [], {}, {"t": "x"}])
@pytest.mark.parametrize("sort", SORTS)
def test_forged_cursors_break_nothing(api: APIClient, sort: str, value: object) -> None:
    many(3)
    order = {
        "newest": "-published_at,-product_id",
        "price": "min_price_minor,product_id",
        "-price": "-min_price_minor,-product_id",
        "title": "title_key,product_id",
        "best_selling": "-popularity,-product_id",
        "relevance": "-relevance,-product_id",
    }[sort]
    for values in ([value, 1], [1, value], [value, value], [value]):
        forged = base64.urlsafe_b64encode(orjson.dumps([order, 0, values])).decode().rstrip("=")

        query = urlencode({"sort": sort, "q": "thing", "page_size": 2, "cursor": forged})
        response = api.get(f"/api/v1/products?{query}")

        assert response.status_code in (200, 400), response.content


# Facets -------------------------------------------------------------------------------------------


def counts(api: APIClient, query: str, kind: str) -> dict[str, int]:
    facets = listed(api, f"facets=true&{query}")["facets"]
    return {entry["value"]: entry["count"] for entry in facets.get(kind, [])}


def test_facets_count_every_further_choice(api: APIClient) -> None:
    wardrobe()

    assert counts(api, "", "vendor") == {"Weaver": 2, "Shepherd": 1}
    assert counts(api, "", "category") == {"clothes": 3, "shirts": 2, "hats": 1}
    assert counts(api, "", "price") == {"0-10": 1, "10-25": 1, "25-50": 2}
    assert counts(api, "", "option.Size") == {"S": 1, "M": 2}
    assert counts(api, "", "option.Colour") == {"Red": 1, "Blue": 1}


def test_a_facet_obeys_the_other_filters_and_not_its_own(api: APIClient) -> None:
    wardrobe()

    assert counts(api, "vendor=Weaver", "vendor") == {"Weaver": 2, "Shepherd": 1}
    assert counts(api, "vendor=Weaver", "category") == {"clothes": 2, "shirts": 1, "hats": 1}
    assert counts(api, "category=hats", "vendor") == {"Weaver": 1}
    assert counts(api, "category=hats", "category") == {"clothes": 3, "shirts": 2, "hats": 1}
    assert counts(api, "max_price=20", "price") == {"0-10": 1, "10-25": 1, "25-50": 2}
    assert counts(api, "max_price=20", "vendor") == {"Weaver": 1}
    assert counts(api, "option.Size=S", "option.Size") == {"S": 1, "M": 2}
    assert counts(api, "option.Size=S", "option.Colour") == {"Red": 1, "Blue": 1}
    assert counts(api, "option.Colour=Blue&option.Size=S", "option.Size") == {"S": 1, "M": 1}
    assert counts(api, "in_stock=false", "vendor") == {"Shepherd": 1}
    assert counts(api, "q=shirt", "vendor") == {"Weaver": 1, "Shepherd": 1}


def test_a_price_bucket_is_what_its_edges_find(api: APIClient) -> None:
    wardrobe()

    for entry in listed(api, "facets=true")["facets"]["price"]:
        found = slugs(api, f"min_price={entry['min']['amount']}&max_price={entry['max']['amount']}")
        assert len(found) == entry["count"]


def test_the_last_price_bucket_is_open(api: APIClient) -> None:
    make.product(price=500_000)

    (bucket,) = listed(api, "facets=true")["facets"]["price"]

    assert bucket == {
        "value": "1000-",
        "min": {"amount": "1000.00", "currency": "GBP"},
        "count": 1,
    }


@pytest.mark.parametrize("size", [1, 20])
def test_a_list_takes_the_same_queries_at_any_size(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    many(size)

    with django_assert_num_queries(1):
        listed(api, "page_size=100&vendor=Maker&min_price=0.01")
    # Expect 3: the page, how much is to be expected for the facets, and the facets.
    with django_assert_num_queries(3):
        listed(api, "page_size=100&facets=true&option.Size=M&category=x")
    # Expect 3: whether there are such words at all comes first, and nothing is to be expected; and
    # every ten seconds a fourth, for the synonyms.
    with django_assert_num_queries(4):
        listed(api, "page_size=100&facets=true&q=thing")
    with django_assert_num_queries(3):
        listed(api, "page_size=100&facets=true&q=thing")
    with django_assert_num_queries(3):
        listed(api, "page_size=100&facets=true&q=thnig")


@pytest.mark.parametrize("query", ["", "category=clothes&in_stock=true"])
def test_the_counts_of_what_fits_in_large_numbers_are_estimates(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    many(400)
    wardrobe()
    exact = listed(api, f"facets=true&{query}")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalog_productlisting")
    monkeypatch.setattr(facets, "EXACT", 0)
    monkeypatch.setattr(facets, "SAMPLED", 150)

    estimated = listed(api, f"facets=true&{query}")

    assert (exact["facets_are_estimates"], estimated["facets_are_estimates"]) == (False, True)
    assert estimated["results"] == exact["results"]
    assert estimated["facets"].keys() <= exact["facets"].keys()
    if not query:
        (maker,) = (e for e in estimated["facets"]["vendor"] if e["value"] == "Maker")
        assert 300 < maker["count"] < 500


def test_no_more_than_so_many_are_counted_whatever_was_expected(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(20)
    monkeypatch.setattr(facets, "EXACT", 5)
    monkeypatch.setattr(facets, "_plans_of_tables", lambda _: [])

    found = listed(api, "facets=true")

    assert found["facets_are_estimates"] is True
    assert sum(entry["count"] for entry in found["facets"]["vendor"]) == 10


def test_a_search_counts_what_it_puts_in_order(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(20)
    monkeypatch.setattr(facets, "RANKED", 5)

    found = listed(api, "q=thing&facets=true")

    assert found["facets_are_estimates"] is True
    assert sum(entry["count"] for entry in found["facets"]["vendor"]) == 5


def test_what_nothing_can_fit_has_no_facets(api: APIClient) -> None:
    wardrobe()

    found = listed(api, "collection=nowhere&facets=true")

    assert found["facets"] == {"vendor": [], "category": [], "price": []}
    assert found["facets_are_estimates"] is False


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "title", "best_selling"])
def test_a_page_is_entered_in_an_index_where_it_begins(api: APIClient, sort: str) -> None:
    many(3)
    cursor = parse_qs(urlsplit(listed(api, f"sort={sort}&page_size=1")["next"]).query)["cursor"][0]

    with CaptureQueriesContext(connection) as asked:
        listed(api, urlencode({"sort": sort, "page_size": 1, "cursor": cursor}))

    (query,) = asked.captured_queries
    # Both columns are compared at once: an index is entered there, and not where the first begins.
    assert re.search(r'"product_id"\) [<>] \(', query["sql"])


def test_of_what_many_have_best_sellers_are_put_in_order(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(30)
    best = list(ProductListing.objects.order_by("-product").values_list("product", flat=True))[
        10:15
    ]
    set_popularity(units={pk: 100 + n for n, pk in enumerate(best)}, now=NOW)
    monkeypatch.setattr(listing, "RANKED", 5)

    shown = listed(api, "q=thing&sort=best_selling&page_size=100")["results"]

    # And not the first five that an index would give.
    assert [row["id"] for row in shown] == best[::-1]


@pytest.mark.parametrize("words", ["rarity", "thing+rarity", "rraity"])
def test_what_few_have_is_found_behind_all_best_sellers(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    rare = make.product(title="Thing of Rarity")
    many(30)
    best = ProductListing.objects.exclude(product=rare).values_list("product", flat=True)
    set_popularity(units=dict.fromkeys(best, 5), now=NOW)
    monkeypatch.setattr(listing, "RANKED", 5)  # so no more than twenty are gone through

    assert [row["id"] for row in listed(api, f"q={words}")["results"]] == [rare.pk]


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "title", "best_selling"])
def test_what_is_sold_out_is_walked_by_itself(api: APIClient, sort: str) -> None:
    make.product(slug="gone", in_stock=0)
    for _ in range(3):
        make.product(in_stock=1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")

    with CaptureQueriesContext(connection) as asked:
        found = slugs(api, f"sort={sort}&in_stock=false")

    assert found == ["gone"]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked.captured_queries[-1]['sql']}")
        assert "listing_sold_out_by_" in "".join(line for (line,) in cursor.fetchall())


# The copy -----------------------------------------------------------------------------------------


def test_a_rebuild_makes_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    wardrobe()
    columns = [
        field.name for field in ProductListing._meta.fields if field.name not in ("id", "pk")
    ]
    before = list(ProductListing.objects.order_by("product").values(*columns))
    ProductListing.objects.filter(slug="straw-hat").delete()
    ProductListing.objects.filter(slug="wool-shirt").update(title="wrong", min_price_minor=1)

    call_command("rebuild_listing")

    assert list(ProductListing.objects.order_by("product").values(*columns)) == before
    assert capsys.readouterr().out == "4 products looked at\n"


def test_rows_that_are_right_are_not_written_again() -> None:
    wardrobe()
    before = _row_versions()

    rebuild_listing(now=NOW)

    assert _row_versions() == before


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (("in_stock", "out_of_stock"), "in_stock"),
        (("low_stock", "backorder"), "low_stock"),
        (("backorder", "out_of_stock"), "backorder"),
        (("out_of_stock", "out_of_stock"), "out_of_stock"),
    ],
)
def test_a_product_is_as_available_as_its_best_variant(
    api: APIClient, states: tuple[str, str], shown: str
) -> None:
    product = make.product(
        options=["Size"], variants=[make.variant_draft("S"), make.variant_draft("M")]
    )

    record_availability(
        levels={
            variant.pk: Availability(state, 7)
            for variant, state in zip(product.variants.all(), states, strict=True)
        },
        now=NOW,
    )

    (row,) = listed(api)["results"]
    assert row["availability"] == {"state": shown, "quantity": 10}
    assert ProductListing.objects.get().in_stock is (shown in ("in_stock", "low_stock"))


def _row_versions() -> list[tuple[int, str]]:
    rows = ProductListing.objects.extra(select={"written": "xmin::text"})
    return list(rows.order_by("pk").values_list("pk", "written"))
