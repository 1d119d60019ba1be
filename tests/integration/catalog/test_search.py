import pytest
from rest_framework.test import APIClient

from catalog.models import SearchSynonym
from catalog.selectors import forget_pages
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


def test_whoever_asks_for_a_synonym_finds_what_is_meant(api: APIClient) -> None:
    assert found(api, "sweetpea coat") == []
    SearchSynonym.objects.create(words="coat", means="jacket")
    SearchSynonym.objects.create(words="brew pot", means="teapot", is_one_way=True)
    forget_pages()  # as after ten seconds

    assert found(api, "coat") == ["jacket", "shirt"]
    assert found(api, "blue COATS") == found(api, "blue jacket")
    assert found(api, "brew pot") == ["teapot"]
    assert found(api, "stonware brew pot")[0] == "teapot"


def test_a_synonym_may_go_one_way_only(api: APIClient) -> None:
    make.product(slug="urn", title="Urn")
    SearchSynonym.objects.create(words="urn", means="teapot", is_one_way=True)

    assert set(found(api, "urn")) == {"urn", "teapot"}
    assert found(api, "teapot") == ["teapot"]


@pytest.mark.parametrize("words", ["& | !", "'", "(", "the", "\\"])
def test_odd_synonyms_break_nothing(api: APIClient, words: str) -> None:
    SearchSynonym.objects.create(words=words, means="teapot")

    assert found(api, "jacket") == ["jacket", "shirt"]
    found(api, words)


def test_of_equal_texts_what_sells_and_is_there_comes_first(api: APIClient) -> None:
    for slug, in_stock, popularity in [("out", 0, 90), ("slow", 5, 0), ("quick", 5, 90)]:
        make.product(slug=slug, title="Brass Kettle", in_stock=in_stock, popularity=popularity)
    make.product(
        slug="aside", title="Trivet", description_html="For a kettle.", popularity=9999, in_stock=5
    )

    assert found(api, "kettle") == ["quick", "slow", "out", "aside"]


def test_ranked_pages_follow_one_another(api: APIClient) -> None:
    for number in range(7):
        make.product(title="Brass Kettle", popularity=number)

    seen = []
    url = "/api/v1/products?q=kettle&page_size=3"
    while url:
        answer = api.get(url).json()
        seen += [row["id"] for row in answer["results"]]
        url = answer["next"]

    assert len(seen) == len(set(seen)) == 7


def test_accents_and_hyphens_may_be_left_out(api: APIClient) -> None:
    make.product(slug="cafetiere", title="Cafetière")
    make.product(slug="tee", title="T-Shirt")

    assert found(api, "cafetiere") == found(api, "cafetière") == ["cafetiere"]
    assert found(api, "tshirt") == ["tee"]


def test_two_words_may_be_one(api: APIClient) -> None:
    assert found(api, "tea pot") == ["teapot"]
    assert found(api, "blue tea pot")[0] == "teapot"
