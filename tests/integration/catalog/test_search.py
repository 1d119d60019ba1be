import pytest
from rest_framework.test import APIClient

from tests.make import catalog as make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.category("Kitchen", "Teapots")
    make.product(
        slug="teapot",
        title="Blue Stoneware Teapot",
        vendor="Potter & Sons",
        category_slug="teapots",
        tags=["gift"],
        description_html="<p>Pours without <strong>dripping</strong>.</p>",
        options=["Glaze"],
        variants=[make.variant_draft("Celadon", sku="TEA-0815")],
    )
    make.product(
        slug="shirt",
        title="Linen Shirt",
        description_html="<p>Goes well with a blue jacket.</p>",
    )
    make.product(slug="jacket", title="Blue Jacket", product_type="Outerwear")
    make.product(slug="candle", title="Beeswax Candle")


def found(api: APIClient, words: str) -> list[str]:
    answer = api.get("/api/v1/products", {"q": words})
    assert answer.status_code == 200, answer.content
    return [row["slug"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("teapot", "teapot"),
        ("TEAPOTS", "teapot"),
        ("stoneware blue", "teapot"),
        ("potter", "teapot"),
        ("gifts", "teapot"),
        ("kitchen", "teapot"),
        ("dripping", "teapot"),
        ("celadon", "teapot"),
        ("TEA-0815", "teapot"),
        ("tea-0815", "teapot"),
        ("outerwear", "jacket"),
        ('"linen shirt"', "shirt"),
        ("blue -teapot -shirt", "jacket"),
        ("candles", "candle"),
    ],
)
def test_words_are_found_wherever_they_stand(api: APIClient, words: str, first: str) -> None:
    assert found(api, words)[0] == first


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("teapto", "teapot"),
        ("taepot", "teapot"),
        ("shrt", "shirt"),
        ("cndle", "candle"),
        ("stonware taepot", "teapot"),
        ("stonware xylophone", "teapot"),
        ("ceramc candl", "candle"),
        ("teapt", "teapot"),
        ("stonware", "teapot"),
        ("stoneware teepot", "teapot"),
        ("shrit", "shirt"),
        ("linnen shirt", "shirt"),
        ("jackt", "jacket"),
        ("beewax", "candle"),
        ("cand", "candle"),
    ],
)
def test_misspelt_words_are_found(api: APIClient, words: str, first: str) -> None:
    assert found(api, words)[0] == first


def test_a_title_counts_for_more_than_a_description(api: APIClient) -> None:
    assert found(api, "blue jacket") == ["jacket", "shirt"]


def test_search_joins_filters_and_sorts(api: APIClient) -> None:
    answer = api.get("/api/v1/products", {"q": "blue", "category": "kitchen", "sort": "price"})

    assert [row["slug"] for row in answer.json()["results"]] == ["teapot"]


@pytest.mark.parametrize(
    "words", ["xylophone", "the", "!!!", "& | ! :*", "''", "\\", "%", "(", "<script>", "a" * 200]
)
def test_odd_words_find_little_and_break_nothing(api: APIClient, words: str) -> None:
    assert len(found(api, words)) <= 4


def test_nothing_sounds_like_everything(api: APIClient) -> None:
    assert found(api, "xylophone") == []
    assert found(api, "!!!") == []


def test_hidden_products_are_not_found(api: APIClient) -> None:
    make.product(slug="secret", title="Zeppelin", status="DRAFT")

    assert found(api, "zeppelin") == []


def test_a_misspelt_search_ranks_like_the_one_that_was_meant(api: APIClient) -> None:
    make.product(slug="saucer", title="Saucer", description_html="<p>For a stoneware mug.</p>")
    make.product(slug="mug", title="Stoneware Mug")
    make.product(slug="plain", title="Glass Mug")

    assert found(api, "stonware mug") == found(api, "stoneware mug") == ["mug", "saucer"]


def test_words_that_never_meet_are_found_apart_once_one_is_misspelt(api: APIClient) -> None:
    assert set(found(api, "candel jackt")) == {"candle", "jacket", "shirt"}


def test_words_of_hidden_products_lead_nowhere(api: APIClient) -> None:
    make.product(title="Zeppelin", status="DRAFT")

    assert found(api, "zepelin") == []
