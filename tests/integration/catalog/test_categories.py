from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.errors import CategoryCycle, CategoryNotEmpty, InvalidProduct
from catalog.models import Category, ProductListing
from catalog.serializers import CategoryResponse, CategoryTreeResponse
from catalog.services import (
    archive_products,
    category_was_edited,
    ensure_category,
    move_category,
    remove_category,
)
from tests.concurrency import run_together
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW


def tree(api: APIClient) -> list[tuple[str, int, list[Any]]]:
    def plain(nodes: list[dict[str, Any]]) -> list[tuple[str, int, list[Any]]]:
        return [(n["slug"], n["product_count"], plain(n["children"])) for n in nodes]

    return plain(api.get("/api/v1/categories").json()["results"])


def shelves() -> None:
    make.category("Clothes", "Shirts")
    make.category("Clothes", "Hats")
    make.category("Home")
    make.product(slug="shirt", category_slug="shirts")
    make.product(slug="hat", category_slug="hats")
    make.product(slug="coat", category_slug="clothes")
    make.product(slug="draft", category_slug="hats", status="DRAFT")


def test_the_tree_counts_what_stands_below(api: APIClient) -> None:
    shelves()

    assert tree(api) == [
        ("clothes", 3, [("shirts", 1, []), ("hats", 1, [])]),
        ("home", 0, []),
    ]


def test_what_appears_later_is_not_counted_yet(api: APIClient) -> None:
    shelves()
    make.product(category_slug="hats", published_at=datetime(2126, 1, 1, tzinfo=UTC))

    assert tree(api) == [("clothes", 3, [("shirts", 1, []), ("hats", 1, [])]), ("home", 0, [])]


def test_answers_fit_their_schema(api: APIClient) -> None:
    shelves()

    whole = api.get("/api/v1/categories").json()
    one = api.get("/api/v1/categories/shirts").json()

    assert CategoryTreeResponse(whole).data == whole
    assert CategoryResponse(one).data == one


def test_a_category_shows_its_path_and_children(api: APIClient) -> None:
    shelves()

    shirts = api.get("/api/v1/categories/shirts").json()
    clothes = api.get("/api/v1/categories/clothes").json()

    assert [step["slug"] for step in shirts["path"]] == ["clothes", "shirts"]
    assert [(child["slug"], child["product_count"]) for child in clothes["children"]] == [
        ("shirts", 1),
        ("hats", 1),
    ]


@pytest.mark.parametrize("slug", ["nowhere", "a" * 300, "%00", "a%20b", "1"])
def test_an_unknown_category_is_404(api: APIClient, slug: str) -> None:
    response = api.get(f"/api/v1/categories/{slug}")

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["categories", "categories/clothes"])
def test_unknown_parameters_are_400(api: APIClient, path: str) -> None:
    shelves()

    assert api.get(f"/api/v1/{path}?depth=2").status_code == 400


@pytest.mark.parametrize("size", [1, 20])
def test_takes_two_queries_at_any_size(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    for number in range(size):
        make.category("Root", f"Shelf {number}")
        make.product(category_slug=f"shelf-{number}")

    # Expect 2: the categories; the counts. Whoever comes next finds them in the cache.
    with django_assert_num_queries(2):
        api.get("/api/v1/categories")
    with django_assert_num_queries(0):
        api.get("/api/v1/categories")
        api.get("/api/v1/categories/root")
    # Expect 1: whether a category was called so before. That there is none is kept as well.
    with django_assert_num_queries(1):
        assert api.get("/api/v1/categories/nowhere").status_code == 404
        assert api.get("/api/v1/categories/nowhere").status_code == 404


def test_counts_follow_once_a_change_is_committed(api: APIClient, committing: Committing) -> None:
    shelves()
    assert tree(api)[0][1] == 3

    with committing():
        product = make.product(category_slug="shirts")
    assert tree(api)[0][1] == 4

    with committing():
        archive_products(product_ids=[product.pk], now=NOW)
    assert tree(api)[0][1] == 3

    with committing():
        make.category("Garden")
    assert [slug for slug, _, _ in tree(api)] == ["clothes", "home", "garden"]


def test_the_same_names_lead_to_the_same_category() -> None:
    first = ensure_category(path=["Home", "Kitchen"])

    assert ensure_category(path=[" home ", "KITCHEN"]) == first
    assert Category.objects.count() == 2


def test_a_name_that_is_taken_elsewhere_gets_a_slug_of_its_own() -> None:
    slugs = [
        ensure_category(path=path).slug
        for path in (
            ["Men", "Shirts"],
            ["Women", "Shirts"],
            ["Men", "Shirts!"],
            ["Men", "Shirts?"],
            ["!!!"],
            ["陶器"],
        )
    ]

    assert slugs == ["shirts", "women-shirts", "men-shirts", "men-shirts-2", "category", "陶器"]


@pytest.mark.parametrize("path", [[], [""], ["Home", " "], ["a" * 121], ["a\x00"]])
def test_bad_names_are_refused(path: list[str]) -> None:
    with pytest.raises(InvalidProduct):
        ensure_category(path=path)

    assert Category.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_many_who_make_the_same_category_at_once_make_one() -> None:
    made = run_together([partial(ensure_category, path=["Home", "Kitchen"])] * 6)

    assert len({category.pk for category in made if isinstance(category, Category)}) == 1
    assert len(made) == 6
    assert Category.objects.count() == 2


def test_a_move_takes_the_products_along() -> None:
    shelves()
    home = Category.objects.get(slug="home")

    move_category(category=Category.objects.get(slug="clothes"), parent=home, now=NOW)

    paths = dict(ProductListing.objects.values_list("slug", "category_path"))
    assert paths == {
        "shirt": ["home", "clothes", "shirts"],
        "hat": ["home", "clothes", "hats"],
        "coat": ["home", "clothes"],
    }

    move_category(category=Category.objects.get(slug="hats"), parent=None, now=NOW)
    assert ProductListing.objects.get(slug="hat").category_path == ["hats"]


@pytest.mark.parametrize("below", ["clothes", "shirts"])
def test_a_category_cannot_hang_below_itself(below: str) -> None:
    shelves()
    clothes = Category.objects.get(slug="clothes")

    with pytest.raises(CategoryCycle):
        move_category(category=clothes, parent=Category.objects.get(slug=below), now=NOW)

    assert Category.objects.get(slug="clothes").parent is None


def test_a_new_name_reaches_the_listing() -> None:
    shelves()
    shirts = Category.objects.get(slug="shirts")
    shirts.name, shirts.slug = "Tops", "tops"
    shirts.save(update_fields=["name", "slug"])

    category_was_edited(category_id=shirts.pk, now=NOW)

    row = ProductListing.objects.get(slug="shirt")
    assert (row.category_slug, row.category_name) == ("tops", "Tops")
    assert row.category_path == ["clothes", "tops"]


def test_only_an_empty_category_goes() -> None:
    shelves()

    remove_category(category_id=Category.objects.get(slug="home").pk)
    with pytest.raises(CategoryNotEmpty):
        remove_category(category_id=Category.objects.get(slug="clothes").pk)

    assert set(Category.objects.values_list("slug", flat=True)) == {"clothes", "shirts", "hats"}


@pytest.mark.parametrize("size", [1, 20])
def test_a_move_takes_the_same_statements_for_any_number_of_products(
    django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    shelf = make.category("Shelf")
    room = make.category("Room")
    for _ in range(size):
        make.product(category_slug="shelf")

    # Expect 11: lock the categories; the path of the new parent, in 2; write; what is below; the
    # products there; 5 for the listing. The other 6 are savepoints.
    with django_assert_num_queries(17):
        move_category(category=shelf, parent=room, now=NOW)
