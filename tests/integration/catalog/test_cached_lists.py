"""Collections and reviews are read through the cache, and what changes them is seen at once."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from redis.exceptions import ConnectionError as RedisConnectionError

from catalog import services
from catalog.models import Collection, Review
from catalog.tasks import invalidate_collection
from shop.cache import aside
from shop.models import OutboxMessage
from shop.redis import cache_client
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
COLLECTIONS = "/api/v1/collections"


def collection(title: str, position: int = 0) -> Collection:
    return services.create_collection(
        changes={"title": title, "is_published": True, "position": position}
    )


def review(product_id: int, words: str) -> Review:
    made = services.add_review(
        product_id=product_id,
        author=f"customer:{Review.objects.count()}",
        author_name="Ada B.",
        draft=services.ReviewDraft(rating=4, body=words),
        is_verified=True,
        now=NOW,
    )
    services.moderate_reviews(review_ids=[made.pk], status="APPROVED", now=NOW)
    return made


def titles(client: Client, path: str = COLLECTIONS) -> list[str]:
    return [row["title"] for row in client.get(path).json()["results"]]


def words(client: Client, path: str) -> list[str]:
    return [row["body"] for row in client.get(path).json()["results"]]


def test_collections_are_read_without_sql(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, committing: Committing
) -> None:
    with committing():
        for number in range(3):
            collection(f"Number {number}", position=number)
    paths = [COLLECTIONS, f"{COLLECTIONS}?page_size=1", f"{COLLECTIONS}/number-1"]
    paths.append(client.get(paths[1]).json()["next"])
    before = [client.get(path).content for path in paths]

    with django_assert_num_queries(0):
        again = [client.get(path) for path in paths]
        absent = client.get(f"{COLLECTIONS}/number-1", headers={"If-None-Match": again[2]["ETag"]})

    assert [answer.content for answer in again] == before
    assert titles(client, paths[3]) == ["Number 1"]
    assert absent.status_code == 304
    assert again[0]["Cache-Control"] == "public, max-age=60, stale-while-revalidate=30"


def test_a_collection_that_changes_is_seen_at_once(client: Client, committing: Committing) -> None:
    with committing():
        collection("Summer")
    assert titles(client) == ["Summer"]
    assert client.get(f"{COLLECTIONS}/winter").status_code == 404

    with committing():
        services.change_collection(slug="summer", changes={"title": "Winter", "slug": "winter"})
    assert titles(client) == ["Winter"]
    assert client.get(f"{COLLECTIONS}/summer").status_code == 404
    assert client.get(f"{COLLECTIONS}/winter").json()["title"] == "Winter"

    with committing():
        services.remove_collection(slug="winter")
    assert titles(client) == []
    assert client.get(f"{COLLECTIONS}/winter").status_code == 404


def test_an_edit_of_a_collection_that_is_rolled_back_drops_nothing(client: Client) -> None:
    collection("Summer")
    assert titles(client) == ["Summer"]
    kept = cache_client().hgetall("aside:{collections:all}")

    services.change_collection(slug="summer", changes={"title": "Winter"})  # and no commit

    assert cache_client().hgetall("aside:{collections:all}") == kept


def test_an_invalidation_of_a_collection_that_was_lost_is_made_up_for_by_its_message(
    client: Client, committing: Committing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committing():
        collection("Summer")
    assert titles(client) == ["Summer"]

    # Killed after the commit: what waited for it is never done.
    services.change_collection(slug="summer", changes={"title": "Winter"})
    assert titles(client) == ["Summer"]  # the negative control: nothing but the message mends it
    message = OutboxMessage.objects.filter(topic="catalog.collection_changed").latest("pk")
    invalidate_collection(message_id=str(message.pk), payload=message.payload)

    assert titles(client) == ["Winter"]


def test_reviews_are_read_without_sql_until_one_is_added_rejected_or_forgotten(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, committing: Committing
) -> None:
    mug = make.product(slug="mug")
    path = "/api/v1/products/mug/reviews"
    with committing():
        first = review(mug.pk, "Holds tea.")
    assert words(client, path) == ["Holds tea."]
    with django_assert_num_queries(0):
        assert words(client, path) == ["Holds tea."]

    with committing():
        second = review(mug.pk, "Holds coffee.")
    assert words(client, path) == ["Holds coffee.", "Holds tea."]
    with committing():
        services.moderate_reviews(review_ids=[second.pk], status="REJECTED", now=NOW)
    assert words(client, path) == ["Holds tea."]
    with committing():
        services.forget_author(author=first.author)
    assert words(client, path) == [""]
    with committing():
        services.remove_review(review_id=first.pk)
    assert words(client, path) == []


def test_reviews_go_with_their_product(client: Client, committing: Committing) -> None:
    mug = make.product(slug="mug")
    path = f"/api/v1/products/{mug.pk}/reviews"
    with committing():
        review(mug.pk, "Holds tea.")
    assert client.get(path).status_code == 200

    with committing():
        services.archive_products(product_ids=[mug.pk], now=NOW)

    assert client.get(path).status_code == 404


@pytest.mark.parametrize("size", [1, 20])
def test_a_miss_takes_the_same_queries_for_any_number_of_reviews(
    size: int,
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    committing: Committing,
) -> None:
    mug = make.product(slug="mug")
    with committing():
        for number in range(size):
            review(mug.pk, f"Number {number}")

    # Expect 2: the product; its reviews.
    with django_assert_num_queries(2):
        assert len(words(client, "/api/v1/products/mug/reviews")) == size


def test_a_page_that_is_refused_leaves_nobody_waiting(client: Client) -> None:
    for _ in range(2):
        assert client.get(f"{COLLECTIONS}?cursor=nonsense").status_code == 400

    kept: Any = cache_client().hkeys("aside:{collections:all}")
    assert [name for name in kept if name.startswith((b"lease:", b"v"))] == []


def test_addresses_that_somebody_makes_up_take_no_room_without_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "MOST_FIELDS", 10)

    for size in range(1, 30):
        assert client.get(f"{COLLECTIONS}?page_size={size}").status_code == 200

    assert cache_client().hlen("aside:{collections:all}") <= 12


def test_lists_are_read_without_redis_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    collection("Summer")

    def away() -> None:
        raise RedisConnectionError("away")

    monkeypatch.setattr("shop.cache.aside.cache_client", away)

    assert titles(client) == ["Summer"]
