"""Former slugs, typed attributes, collections and related products."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.models import (
    AttributeDefinition,
    Collection,
    FormerSlug,
    Product,
    ProductType,
)
from catalog.services import record_bought_together, type_was_edited
from catalog.tasks import relist_type
from shop.models import OutboxMessage
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make
from tests.make.accounts import customer, make_staff, signed_in, superuser

pytestmark = pytest.mark.django_db

NOW = make.NOW
PRODUCTS = "/api/v1/products"
COLLECTIONS = "/api/v1/collections"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


def slugs(api: APIClient, **query: Any) -> list[str]:
    answer = api.get(PRODUCTS, query)
    assert answer.status_code == 200, answer.content
    return [row["slug"] for row in answer.json()["results"]]


class TestFormerSlugs:
    def rename(self, clerk: APIClient, committing: Committing, old: str, new: str) -> None:
        with committing():
            answer = clerk.patch(f"{PRODUCTS}/{old}", {"slug": new})
        assert answer.status_code == 200, answer.content

    def test_who_asks_by_a_former_slug_is_sent_on(
        self,
        clerk: APIClient,
        committing: Committing,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        make.product(slug="one")
        self.rename(clerk, committing, "one", "two")
        self.rename(clerk, committing, "two", "drei-ä")

        for former in ("one", "two"):
            answer = clerk.get(f"{PRODUCTS}/{former}?currency=GBP")
            assert answer.status_code == 301
            assert answer["Location"] == f"{PRODUCTS}/drei-%C3%A4?currency=GBP"
            assert answer.json()["slug"] == "drei-ä"
            assert clerk.get(answer["Location"]).status_code == 200
        with django_assert_num_queries(0):
            assert clerk.get(f"{PRODUCTS}/one").status_code == 301

    def test_a_slug_that_is_another_products_now_is_that_products(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        first = make.product(slug="mug")
        self.rename(clerk, committing, "mug", "cup")
        assert clerk.get(f"{PRODUCTS}/mug").status_code == 301
        with committing():
            second = make.product(slug="mug")

        assert clerk.get(f"{PRODUCTS}/mug").json()["id"] == second.pk
        self.rename(clerk, committing, "mug", "jug")
        assert clerk.get(f"{PRODUCTS}/mug").json()["slug"] == "jug"
        self.rename(clerk, committing, "cup", "mug")
        assert clerk.get(f"{PRODUCTS}/mug").json()["id"] == first.pk
        assert clerk.get(f"{PRODUCTS}/cup").json()["slug"] == "mug"

    def test_one_that_goes_back_is_where_it_was(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        make.product(slug="mug")
        self.rename(clerk, committing, "mug", "cup")
        self.rename(clerk, committing, "cup", "mug")

        assert clerk.get(f"{PRODUCTS}/mug").status_code == 200
        assert clerk.get(f"{PRODUCTS}/cup").status_code == 301
        assert list(FormerSlug.objects.values_list("slug", flat=True)) == ["cup"]

    def test_nobody_is_sent_to_what_is_not_shown(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        make.product(slug="mug")
        self.rename(clerk, committing, "mug", "cup")
        Product.objects.update(status="DRAFT")

        assert clerk.get(f"{PRODUCTS}/mug").status_code == 404


def shoe_type() -> ProductType:
    shoes = ProductType.objects.create(name="Shoes")
    for name, kind, choices in (
        ("Material", "CHOICE", ["Leather", "Canvas"]),
        ("Heel", "NUMBER", []),
        ("Vegan", "BOOLEAN", []),
    ):
        AttributeDefinition.objects.create(
            product_type=shoes, name=name, kind=kind, choices=choices
        )
    return shoes


class TestAttributes:
    def test_lists_filter_and_count_by_them(self, clerk: APIClient) -> None:
        shoe_type()
        make.product(
            slug="boot",
            product_type="shoes",
            attributes={"material": "Leather", "Heel": 4.5, "colour": "red"},
        )
        make.product(
            slug="sneaker", product_type="Shoes", attributes={"Material": "Canvas", "Vegan": True}
        )
        make.product(slug="chair", product_type="Furniture", attributes={"Material": "Leather"})

        assert slugs(clerk, **{"attr.material": "leather"}) == ["boot"]
        assert sorted(slugs(clerk, **{"attr.Material": ["Leather", "Canvas"]})) == [
            "boot",
            "sneaker",
        ]
        assert slugs(clerk, **{"attr.vegan": "true"}) == ["sneaker"]
        assert slugs(clerk, **{"attr.heel": "4.5"}) == ["boot"]
        assert slugs(clerk, **{"attr.colour": "red"}) == []
        facets = clerk.get(PRODUCTS, {"facets": "true", "attr.material": "canvas"}).json()["facets"]
        assert facets["attr.Material"] == [
            {"value": "Canvas", "count": 1},
            {"value": "Leather", "count": 1},
        ]
        assert facets["attr.Vegan"] == [{"value": "true", "count": 1}]
        assert clerk.get(PRODUCTS, {"attr.": "x"}).status_code == 400

    @pytest.mark.parametrize(
        "attributes", [{"material": "Paper"}, {"Heel": "4"}, {"heel": True}, {"vegan": "yes"}]
    )
    def test_what_is_of_another_kind_is_refused(
        self, clerk: APIClient, attributes: dict[str, Any]
    ) -> None:
        shoe_type()
        make.product(slug="boot", product_type="Shoes")

        changed = clerk.patch(f"{PRODUCTS}/boot", {"attributes": attributes})
        made = clerk.post(
            PRODUCTS, {"title": "Shoe", "product_type": "shoes", "attributes": attributes}
        )
        many = clerk.post(
            f"{PRODUCTS}/bulk",
            {
                "products": [
                    {"slug": "s", "title": "S", "product_type": "Shoes", "attributes": attributes}
                ]
            },
        )

        assert (changed.status_code, made.status_code) == (422, 422)
        assert many.json()["results"][0]["outcome"] == "failed"
        assert Product.objects.get().attributes == {}

    def test_the_listing_follows_a_change_of_the_type(self, clerk: APIClient) -> None:
        make.product(slug="boot", product_type="Shoes", attributes={"Material": "Leather"})
        assert slugs(clerk, **{"attr.material": "leather"}) == []
        type_was_edited(product_type=shoe_type())
        message = OutboxMessage.objects.get(topic="catalog.type_changed")

        relist_type(message_id=str(message.pk), payload=message.payload)

        assert slugs(clerk, **{"attr.material": "leather"}) == ["boot"]


class TestCollections:
    def test_one_by_hand_has_its_products(self, clerk: APIClient) -> None:
        first, second = make.product(slug="a"), make.product(slug="b")
        make.product(slug="c")

        made = clerk.post(
            COLLECTIONS,
            {
                "title": "Gifts",
                "description_html": "<script>x</script>For you",
                "product_ids": [second.pk, first.pk],
            },
        )

        assert made.status_code == 201, made.content
        assert made["ETag"] == '"1"'
        assert (made.json()["slug"], made.json()["description_html"]) == ("gifts", "For you")
        assert sorted(slugs(clerk, collection="gifts")) == ["a", "b"]
        shown = clerk.get(f"{COLLECTIONS}/gifts")
        assert shown.json()["products_url"] == "/api/v1/products?collection=gifts"
        assert [row["slug"] for row in clerk.get(COLLECTIONS).json()["results"]] == ["gifts"]
        assert clerk.get("/api/v1/staff/collections/gifts").json() == made.json()

    @pytest.mark.parametrize(
        ("rule", "fits"),
        [
            ({"category": "clothes"}, ["old", "shirt"]),
            ({"category": "clothes", "tags": ["summer"]}, ["shirt"]),
            ({"vendors": ["Weaver", "Potter"]}, ["mug", "shirt"]),
            ({"on_sale": True}, ["mug"]),
            ({"newer_than_days": 30}, ["mug", "shirt"]),
            ({"newer_than_days": 30, "tags": ["none"]}, []),
        ],
    )
    def test_one_by_rule_has_what_fits_all_of_it(
        self, clerk: APIClient, rule: dict[str, Any], fits: list[str]
    ) -> None:
        make.category("Clothes", "Shirts")
        lately = timezone.now() - timedelta(days=3)
        make.product(
            slug="shirt",
            category_slug="shirts",
            vendor="Weaver",
            tags=["summer"],
            published_at=lately,
        )
        make.product(slug="mug", vendor="Potter", compare_at=2999, published_at=lately)
        make.product(slug="old", category_slug="shirts")

        made = clerk.post(COLLECTIONS, {"title": "Some", "kind": "rule", "rule": rule})

        assert made.status_code == 201, made.content
        assert sorted(slugs(clerk, collection="some")) == fits

    def test_a_title_may_be_as_long_as_the_rule_says(self, clerk: APIClient) -> None:
        """The message of its change was too long for its key: 500."""
        made = clerk.post(COLLECTIONS, {"title": "g" * 150})

        assert made.status_code == 201, made.content
        assert len(made.json()["slug"]) > 100

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"slug": "taken"}, 409),
            ({"rule": {"category": "none"}}, 422),
            ({"product_ids": [999_999]}, 422),
            ({"title": ""}, 400),
            ({"rule": {"price": 5}}, 400),
        ],
    )
    def test_a_refused_change_changes_nothing(
        self, clerk: APIClient, changes: dict[str, Any], status: int
    ) -> None:
        clerk.post(COLLECTIONS, {"title": "Taken"})
        clerk.post(COLLECTIONS, {"title": "Gifts"})
        before = list(Collection.objects.order_by("pk").values())

        assert clerk.patch(f"{COLLECTIONS}/gifts", {"position": 5, **changes}).status_code == status
        assert list(Collection.objects.order_by("pk").values()) == before

    def test_what_is_not_published_is_not_there(self, clerk: APIClient) -> None:
        product = make.product()
        clerk.post(
            COLLECTIONS, {"title": "Gifts", "is_published": False, "product_ids": [product.pk]}
        )

        assert clerk.get(f"{COLLECTIONS}/gifts").status_code == 404
        assert clerk.get(COLLECTIONS).json()["results"] == []
        assert slugs(clerk, collection="gifts") == []
        stale = clerk.delete(f"{COLLECTIONS}/gifts", HTTP_IF_MATCH='"9"')
        assert (stale.status_code, Collection.objects.count()) == (412, 1)
        assert clerk.delete(f"{COLLECTIONS}/gifts", HTTP_IF_MATCH='"1"').status_code == 204

    @pytest.mark.parametrize(
        ("method", "address", "permission", "status"),
        [
            ("post", COLLECTIONS, "add_collection", 201),
            ("patch", f"{COLLECTIONS}/gifts", "change_collection", 200),
            ("delete", f"{COLLECTIONS}/gifts", "delete_collection", 204),
            ("get", "/api/v1/staff/collections/gifts", "view_collection", 200),
            ("put", f"{PRODUCTS}/mug/related", "change_product", 200),
        ],
    )
    def test_staff_with_the_permission_edit(
        self, api: APIClient, method: str, address: str, permission: str, status: int
    ) -> None:
        make.product(slug="mug")
        Collection.objects.create(slug="gifts", title="Gifts")
        body = {"post": {"title": "New"}, "put": {"product_ids": []}}.get(method)
        for user, expected in (
            (None, 401),
            (customer(), 403),
            (make_staff("inventory.view_stock"), 403),
        ):
            signed_in(api, user)
            assert getattr(api, method)(address, body).status_code == expected
            assert list(Collection.objects.values_list("slug", "version")) == [("gifts", 1)]

        signed_in(api, make_staff(f"catalog.{permission}"))
        assert getattr(api, method)(address, body).status_code == status


class TestRelated:
    def test_staffs_choice_leads_then_what_is_bought_together(self, clerk: APIClient) -> None:
        mug, plate, bowl, fork, knife = (
            make.product(slug=slug, tags=["table"], in_stock=5, popularity=place)
            for place, slug in enumerate(("mug", "plate", "bowl", "fork", "knife"), start=1)
        )
        record_bought_together(pairs={(mug.pk, fork.pk): 7, (mug.pk, bowl.pk): 9})

        answer = clerk.put(f"{PRODUCTS}/mug/related", {"product_ids": [plate.pk, fork.pk]})

        assert answer.status_code == 200, answer.content
        found = clerk.get(f"{PRODUCTS}/mug/related").json()["results"]
        assert [row["slug"] for row in found] == ["plate", "fork", "bowl", "knife"]
        for wrong in ([mug.pk], [plate.pk, plate.pk], [knife.pk + 99]):
            refused = clerk.put(f"{PRODUCTS}/mug/related", {"product_ids": wrong})
            assert refused.status_code == 422
        assert list(mug.related.values_list("other_id", flat=True)) == [plate.pk, fork.pk]
