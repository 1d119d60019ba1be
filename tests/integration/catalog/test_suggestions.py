"""Suggestions for the first letters of a search."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.make import catalog as make

pytestmark = pytest.mark.django_db
URL = "/api/v1/products/suggest"


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.category("Kitchen", "Teapots")
    make.category("Empty Teaching Rooms")
    make.product(
        slug="blue-teapot",
        title="Blue Stoneware Teapot",
        vendor="Potter & Sons",
        category_slug="teapots",
        tags=["gift"],
        description_html="<p>Pours without dripping.</p>",
        in_stock=3,
    )
    make.product(slug="teaspoon", title="Teaspoon", popularity=5, in_stock=1)
    make.product(slug="tea-towel", title="Tea Towel", popularity=9)
    make.product(slug="shirt", title="Linen Shirt")


def suggested(api: APIClient, words: str, **query: str) -> list[tuple[str, str]]:
    answer = api.get(URL, {"q": words, **query})
    assert answer.status_code == 200, answer.content
    return [(row["kind"], row["slug"]) for row in answer.json()["results"]]


def test_categories_come_first_then_titles_that_begin_so_in_stock_first(api: APIClient) -> None:
    assert suggested(api, "tea") == [
        ("category", "teapots"),
        ("product", "teaspoon"),
        ("product", "tea-towel"),
        ("product", "blue-teapot"),
    ]


def test_a_row_says_what_a_field_needs(api: APIClient) -> None:
    answer = api.get(URL, {"q": "linen"})

    assert answer.json() == {
        "results": [{"kind": "product", "title": "Linen Shirt", "slug": "shirt", "image": None}]
    }


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("t", "teaspoon"),
        ("TEASP", "teaspoon"),
        ("shirts", "shirt"),
        ("stone tea", "blue-teapot"),
        ("teapot bl", "blue-teapot"),
        ("potter", "blue-teapot"),
        ("gif", "blue-teapot"),
        ("taeps", "teaspoon"),  # letters that changed places
        ("tespo", "teaspoon"),
        ("shrt", "shirt"),
        ("lnen shi", "shirt"),
        ("stoneware taepo", "blue-teapot"),
        ("the teaspoon", "teaspoon"),
    ],
)
def test_beginnings_are_found_also_misspelt(api: APIClient, words: str, slug: str) -> None:
    assert ("product", slug) in suggested(api, words)


@pytest.mark.parametrize(
    "words",
    ["", "  ", "!!!", "xyl", "dripping", "shr", "' & | ! :* \\", "__", "teaching", "teaspoon blue"],
)
def test_what_begins_nothing_suggests_nothing(api: APIClient, words: str) -> None:
    assert suggested(api, words) == []


def test_what_is_not_shown_is_not_suggested(api: APIClient) -> None:
    make.product(title="Zeppelin", status="DRAFT")
    make.product(title="Zebra", published_at=datetime(2999, 1, 1, tzinfo=UTC))

    assert suggested(api, "ze") == []
    assert suggested(api, "linen", currency="EUR") == []


@pytest.mark.parametrize(
    "query", [{}, {"q": "a" * 101}, {"q": "a", "x": "1"}, {"q": ["a", "b"]}, {"q": "a\x00"}]
)
def test_bad_questions_are_refused(api: APIClient, query: dict[str, Any]) -> None:
    assert api.get(URL, query).status_code == 400


@pytest.mark.parametrize("size", [1, 30])
def test_takes_one_query_and_then_none_for_a_while(api: APIClient, size: int) -> None:
    for _ in range(size):
        make.product(title="Teacup")

    with CaptureQueriesContext(
        connection,
    ) as first:
        rows = suggested(api, "teac")
    with CaptureQueriesContext(connection) as again:
        assert suggested(api, " TEAC ") == rows

    assert len(rows) == min(size, 10)
    assert (len(first), len(again)) == (1, 0)


def test_nothing_typed_asks_nobody(api: APIClient) -> None:
    with CaptureQueriesContext(connection) as asked:
        suggested(api, " ")

    assert len(asked) == 0


def test_everybody_may_keep_it_for_a_minute_and_ask_whether_it_is_current(api: APIClient) -> None:
    answer = api.get(URL, {"q": "tea"})
    again = api.get(URL, {"q": "tea"}, HTTP_IF_NONE_MATCH=answer["ETag"])

    assert answer["Cache-Control"].startswith("public, max-age=60")
    assert "RateLimit" in answer
    assert again.status_code == 304
