"""The tree of categories edited by staff over HTTP."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from catalog.models import Category, FormerCategorySlug, ProductListing
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make
from tests.make.accounts import signed_in, superuser

pytestmark = pytest.mark.django_db

CATEGORIES = "/api/v1/categories"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


def tree() -> list[dict[str, Any]]:
    return list(Category.objects.order_by("pk").values())


def test_a_new_one_is_in_the_tree(clerk: APIClient, committing: Committing) -> None:
    make.category("Clothes")
    clerk.get(CATEGORIES)

    with committing():
        answer = clerk.post(CATEGORIES, {"name": "Shirts", "parent": "clothes"})

    assert answer.status_code == 201
    assert answer.json() == {
        "id": Category.objects.get(slug="shirts").pk,
        "slug": "shirts",
        "name": "Shirts",
        "parent": "clothes",
        "position": 1,
        "description": "",
        "version": 1,
    }
    assert answer["Location"] == f"{CATEGORIES}/shirts"
    assert clerk.get(f"{CATEGORIES}/shirts").json()["path"][0]["slug"] == "clothes"


def test_a_move_takes_what_is_below_along(clerk: APIClient, committing: Committing) -> None:
    make.category("Clothes", "Shirts", "Linen")
    make.category("Sale")
    make.product(slug="shirt", category_slug="linen")
    clerk.get("/api/v1/products/shirt")

    with committing():
        answer = clerk.patch(f"{CATEGORIES}/shirts", {"parent": "sale", "slug": "tops"})

    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert ProductListing.objects.get().category_path == ["sale", "tops", "linen"]
    shown = clerk.get("/api/v1/products/shirt").json()
    assert [step["slug"] for step in shown["breadcrumbs"]] == ["sale", "tops", "linen"]
    rows = clerk.get("/api/v1/products", {"category": "sale"}).json()["results"]
    assert [row["slug"] for row in rows] == ["shirt"]
    assert clerk.patch(f"{CATEGORIES}/tops", {"parent": None}).json()["parent"] is None


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"parent": "linen"}, 409, "category_cycle"),
        ({"parent": "shirts"}, 409, "category_cycle"),
        ({"parent": "none"}, 422, "invalid_product"),
        ({"slug": "sale"}, 409, "slug_taken"),
        ({"name": "sale", "parent": None}, 409, "category_exists"),
        ({"slug": "no slug"}, 422, "invalid_product"),
        ({"name": ""}, 400, "malformed_request"),
        ({"position": -1}, 400, "malformed_request"),
        ({"version": 2}, 400, "unknown_field"),
    ],
)
def test_a_refused_change_changes_nothing(
    clerk: APIClient, changes: dict[str, Any], status: int, code: str
) -> None:
    make.category("Clothes", "Shirts", "Linen")
    make.category("Sale")
    before = tree()

    answer = clerk.patch(f"{CATEGORIES}/shirts", {"description": "x", **changes})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert tree() == before


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_who_edits_has_seen_what_is_there(clerk: APIClient, method: str) -> None:
    make.category("Clothes")
    page = clerk.get(f"{CATEGORIES}/clothes")["ETag"]
    changed = clerk.patch(f"{CATEGORIES}/clothes", {"description": "x"}, HTTP_IF_MATCH=page)
    assert changed.status_code == 200

    stale = getattr(clerk, method)(f"{CATEGORIES}/clothes", {}, HTTP_IF_MATCH='"1"')

    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    assert Category.objects.get().version == 2
    fresh = getattr(clerk, method)(f"{CATEGORIES}/clothes", {}, HTTP_IF_MATCH=changed["ETag"])
    assert fresh.status_code == (204 if method == "delete" else 200)


@pytest.mark.parametrize("held_by", ["a child", "a product"])
def test_one_that_holds_something_stays(clerk: APIClient, held_by: str) -> None:
    make.category("Clothes")
    if held_by == "a child":
        make.category("Clothes", "Shirts")
    else:
        make.product(category_slug="clothes")
    before = tree()

    answer = clerk.delete(f"{CATEGORIES}/clothes")

    assert (answer.status_code, answer.json()["code"]) == (409, "category_not_empty")
    assert tree() == before


def test_who_asks_by_a_former_slug_is_sent_on(clerk: APIClient, committing: Committing) -> None:
    make.category("Clothes", "Shirts")
    for old, new in (("shirts", "tops"), ("tops", "chemises-é")):
        with committing():
            assert clerk.patch(f"{CATEGORIES}/{old}", {"slug": new}).status_code == 200

    for former in ("shirts", "tops"):
        answer = clerk.get(f"{CATEGORIES}/{former}")
        assert answer.status_code == 301
        assert answer["Location"] == f"{CATEGORIES}/chemises-%C3%A9"
        assert answer.json() == {"slug": "chemises-é", "url": answer["Location"]}
        assert clerk.get(answer["Location"]).json()["name"] == "Shirts"
    for never in ("skirts", "s" * 300, "a%00b"):
        assert clerk.get(f"{CATEGORIES}/{never}").status_code == 404


def test_a_former_slug_that_is_anothers_now_is_that_ones(
    clerk: APIClient, committing: Committing
) -> None:
    make.category("Shirts")
    with committing():
        clerk.patch(f"{CATEGORIES}/shirts", {"slug": "tops"})
        clerk.post(CATEGORIES, {"name": "Other shirts", "slug": "shirts"})

    assert clerk.get(f"{CATEGORIES}/shirts").json()["name"] == "Other shirts"
    with committing():
        clerk.patch(f"{CATEGORIES}/shirts", {"slug": "blouses"})
    assert clerk.get(f"{CATEGORIES}/shirts")["Location"] == f"{CATEGORIES}/blouses"
    with committing():
        clerk.patch(f"{CATEGORIES}/tops", {"slug": "shirts"})
    assert clerk.get(f"{CATEGORIES}/shirts").json()["name"] == "Shirts"
    assert set(FormerCategorySlug.objects.values_list("slug", "category__slug")) == {
        ("shirts", "blouses"),  # asked for only where nothing else is called so
        ("tops", "shirts"),
    }


def test_a_refused_change_leaves_no_former_slug(clerk: APIClient, committing: Committing) -> None:
    make.category("Shirts")
    make.category("Hats")

    with committing():
        assert clerk.patch(f"{CATEGORIES}/shirts", {"slug": "hats"}).status_code == 409

    assert not FormerCategorySlug.objects.exists()
    assert clerk.get(f"{CATEGORIES}/shirts").status_code == 200
