"""Whether shoppers find what they mean: a list of searches, and what has to come first."""

import tomllib
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from PIL import Image
from rest_framework.test import APIClient

from catalog.models import SearchSynonym
from inventory.services.demo import load as demo_load
from inventory.services.demo import load_demo
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

QUERIES = tomllib.loads(Path(__file__).with_name("search_queries.toml").read_text("utf-8"))
SYNONYMS = [
    ("sweater", "jumper"),
    ("carpet", "rug"),
    ("zucchini", "courgette"),
    ("coffee maker", "cafetière"),
    ("couch", "sofa"),
]
ENOUGH = 0.95
SHOPIFY = Path(__file__).resolve().parents[4] / "shared" / "data" / "shopify"


@pytest.fixture(autouse=True)
def _shop(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    make_warehouse()
    file = BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, "PNG")
    monkeypatch.setattr(demo_load, "draw_picture", lambda **_: file.getvalue())
    SearchSynonym.objects.bulk_create(
        SearchSynonym(words=words, means=means) for words, means in SYNONYMS
    )


def _any(meant: str | list[str]) -> list[str]:
    return [meant] if isinstance(meant, str) else meant


def missed(api: APIClient, queries: dict[str, str | list[str]]) -> dict[str, list[str]]:
    found = {
        words: [
            row["slug"]
            for row in api.get("/api/v1/products", {"q": words, "page_size": "3"}).json()["results"]
        ]
        for words in queries
    }
    return {
        words: slugs
        for words, slugs in found.items()
        if not set(slugs).intersection(_any(queries[words]))
    }


def test_what_is_meant_is_among_the_first_three(api: APIClient) -> None:
    queries = QUERIES["demo"]
    load_demo(now=timezone.now())

    misses = missed(api, queries)

    assert len(queries) >= 60
    assert len(misses) <= (1 - ENOUGH) * len(queries), "\n".join(map(str, misses.items()))


@pytest.mark.skipif(not SHOPIFY.is_dir(), reason="the sample files are not here")
def test_the_same_goes_for_real_descriptions(api: APIClient) -> None:
    queries = QUERIES["shopify"]
    for file in sorted(SHOPIFY.glob("*.csv")):
        call_command("import_products", str(file), "--format", "shopify_csv", verbosity=0)

    misses = missed(api, queries)

    assert len(misses) <= (1 - ENOUGH) * len(queries), "\n".join(map(str, misses.items()))
