"""Products and variants edited by staff over HTTP."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.models import Price, Product, ProductListing, Variant
from catalog.serializers.staff import EditedProductResponse, EditedVariantResponse
from catalog.services import ImageDraft
from inventory.services.subscriptions import subscribe_to_stock
from shop.models import OutboxMessage
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make
from tests.make import inventory as stocks
from tests.make.accounts import signed_in, superuser

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


def pounds(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def shirt_body(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Linen Shirt",
        "description_html": "<p>Cool.</p><script>alert(1)</script><a href='javascript:x'>y</a>",
        "vendor": "Weaver",
        "category": "clothes",
        "tags": ["summer", "summer"],
        "seo": {"title": "Shirts"},
        "status": "active",
        "options": ["Size"],
        "variants": [
            {
                "sku": "S-S",
                "options": {"Size": "S"},
                "prices": [
                    {"price": pounds("30.00"), "compare_at_price": pounds("40.00")},
                    {"price": {"amount": "35.00", "currency": "EUR"}},
                ],
                "weight_grams": 200,
                "tax_class": "zero",
            },
            {"sku": "S-M", "options": {"Size": "M"}, "prices": [{"price": pounds("31.00")}]},
        ],
        "images": [{"url": "https://pictures.example/a.jpg", "alt": "Front"}],
        **changes,
    }


def post(clerk: APIClient, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = clerk.post(PRODUCTS, body)
    assert answer.status_code == status, answer.content
    found: dict[str, Any] = answer.json()
    return found


class TestMaking:
    def test_a_new_product_is_seen_by_the_next_read(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        make.category("Clothes")
        assert clerk.get(f"{PRODUCTS}/linen-shirt").status_code == 404  # remembered as unknown

        with committing():
            answer = clerk.post(PRODUCTS, shirt_body())

        body = answer.json()
        assert answer["ETag"] == '"1"'
        assert answer["Location"] == f"{PRODUCTS}/{body['id']}"
        assert set(body) == set(EditedProductResponse().fields)
        assert set(body["variants"][0]) == set(EditedVariantResponse().fields)
        assert body["description_html"] == '<p>Cool.</p><a rel="noopener noreferrer">y</a>'
        assert body["tags"] == ["summer"]
        assert body["variants"][0]["prices"][0]["price"] == {"amount": "35.00", "currency": "EUR"}
        shown = clerk.get(f"{PRODUCTS}/linen-shirt").json()
        assert shown["variants"][0]["price"] == pounds("30.00")
        assert shown["options"] == [{"name": "Size", "values": ["S", "M"]}]
        assert [row["id"] for row in clerk.get(PRODUCTS).json()["results"]] == [body["id"]]

    def test_it_is_a_draft_unless_it_says_otherwise(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        with committing():
            made = post(clerk, {"title": "Löwe"})

        assert (made["slug"], made["status"], made["published_at"]) == ("lowe", "draft", None)
        assert clerk.get(f"{PRODUCTS}/lowe").status_code == 404
        assert post(clerk, {"title": "Löwe"})["slug"] == "lowe-2"
        assert post(clerk, {"title": "bulk"})["slug"] == "bulk-2"

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"slug": "taken"}, 409, "slug_taken"),
            ({"variants": [{"sku": "TAKEN", "options": {"Size": "S"}}]}, 409, "sku_taken"),
            ({"category": "none"}, 422, "invalid_product"),
            ({"slug": "no slug"}, 422, "invalid_product"),
            ({"slug": "suggest"}, 422, "invalid_product"),
            ({"variants": [{"sku": "A"}]}, 422, "invalid_product"),
            ({"variants": [{"sku": "A", "options": {"Hue": "S"}}]}, 422, "invalid_product"),
            ({"images": [{"url": "file:///etc/passwd"}]}, 422, "invalid_product"),
            ({"title": " "}, 400, "malformed_request"),
            ({"title": 5}, 400, "malformed_request"),
            ({"status": "ACTIVE"}, 400, "malformed_request"),
            ({"version": 5}, 400, "unknown_field"),
            ({"variants": [{"sku": "A", "price": "5"}]}, 400, "unknown_field"),
            (
                {
                    "variants": [
                        {"sku": "A", "prices": [{"price": {"amount": "1.00", "currency": "USD"}}]}
                    ]
                },
                400,
                "malformed_request",
            ),
        ],
    )
    def test_a_refused_one_leaves_nothing(
        self, clerk: APIClient, changes: dict[str, Any], status: int, code: str
    ) -> None:
        make.category("Clothes")
        make.product(slug="taken", variants=[make.variant_draft(sku="TAKEN")])
        told = OutboxMessage.objects.count()

        refused = post(clerk, shirt_body(**changes), status)

        assert refused["code"] == code
        assert Product.objects.get().slug == "taken"
        assert Variant.objects.get().sku == "TAKEN"
        assert OutboxMessage.objects.count() == told

    def test_the_same_key_makes_one_product(self, clerk: APIClient) -> None:
        key: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "one"}
        first = clerk.post(PRODUCTS, {"title": "Mug"}, **key)
        again = clerk.post(PRODUCTS, {"title": "Mug"}, **key)

        assert again["Idempotent-Replayed"] == "true"
        assert (again.content, again["Location"]) == (first.content, first["Location"])
        assert Product.objects.count() == 1


class TestChanging:
    def test_only_what_is_named_changes(self, clerk: APIClient, committing: Committing) -> None:
        make.category("Clothes")
        made = post(clerk, shirt_body())
        clerk.get(f"{PRODUCTS}/linen-shirt")

        with committing():
            answer = clerk.patch(
                f"{PRODUCTS}/{made['id']}",
                {"title": "Shirt", "seo": {"description": "A shirt"}, "options": ["Fit"]},
            )

        assert answer.status_code == 200, answer.content
        assert answer["ETag"] == '"2"'
        shown = clerk.get(f"{PRODUCTS}/linen-shirt").json()
        assert (shown["title"], shown["vendor"]) == ("Shirt", "Weaver")
        assert shown["seo"] == {"title": "Shirts", "description": "A shirt"}
        assert shown["variants"][0]["options"] == {"Fit": "S"}
        same = clerk.patch(f"{PRODUCTS}/{made['id']}", {"title": "Shirt"})
        assert same["ETag"] == '"2"'

    def test_a_new_slug_is_the_only_one(self, clerk: APIClient, committing: Committing) -> None:
        make.product(slug="old")
        assert clerk.get(f"{PRODUCTS}/old").status_code == 200

        with committing():
            clerk.patch(f"{PRODUCTS}/old", {"slug": "new"})

        assert clerk.get(f"{PRODUCTS}/new").status_code == 200
        assert ProductListing.objects.get().slug == "new"

    def test_it_is_published_by_becoming_active(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        with committing():
            post(
                clerk,
                {"title": "Mug", "variants": [{"sku": "M", "prices": [{"price": pounds("1.00")}]}]},
            )
        with committing():
            clerk.patch(f"{PRODUCTS}/mug", {"status": "active"})
        assert clerk.get(f"{PRODUCTS}/mug").status_code == 200

        with committing():
            clerk.patch(f"{PRODUCTS}/mug", {"published_at": None})
        assert clerk.get(f"{PRODUCTS}/mug").status_code == 404

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"slug": "taken"}, 409, "slug_taken"),
            ({"category": "none"}, 422, "invalid_product"),
            ({"options": ["One", "Two"]}, 422, "invalid_product"),
            ({"options": ["a=b"]}, 422, "invalid_product"),
            ({"title": "x\x00"}, 400, "malformed_request"),
            ({"variants": []}, 400, "unknown_field"),
        ],
    )
    def test_a_refused_change_changes_nothing(
        self, clerk: APIClient, changes: dict[str, Any], status: int, code: str
    ) -> None:
        make.product(slug="taken")
        product = make.product(
            slug="mug", options=["Size"], variants=[make.variant_draft("S")], title="Mug"
        )

        answer = clerk.patch(f"{PRODUCTS}/mug", {"vendor": "Other", **changes})

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (
            Product.objects.filter(pk=product.pk).values().get()
            == Product.objects.filter(pk=product.pk, vendor="", version=1, title="Mug")
            .values()
            .get()
        )

    @pytest.mark.parametrize(
        ("seen", "status"),
        [("version", 200), ("page", 200), ("*", 200), ('"7"', 412), ('"abc"', 412), ("W/", 412)],
    )
    def test_who_edits_has_seen_what_is_there(
        self, clerk: APIClient, committing: Committing, seen: str, status: int
    ) -> None:
        make.product(slug="mug", title="Mug")
        tag = {
            "version": clerk.get("/api/v1/staff/products/mug")["ETag"],
            "page": clerk.get(f"{PRODUCTS}/mug")["ETag"],
            "W/": 'W/"1"',
        }.get(seen, seen)

        with committing():
            answer = clerk.patch(f"{PRODUCTS}/mug", {"title": "Cup"}, HTTP_IF_MATCH=tag)

        assert answer.status_code == status, answer.content
        assert Product.objects.get().title == ("Cup" if status == 200 else "Mug")
        if status == 412:
            assert answer.json()["code"] == "version_mismatch"
        elif seen != "*":
            stale = clerk.patch(f"{PRODUCTS}/mug", {"title": "Jug"}, HTTP_IF_MATCH=tag)
            assert stale.status_code == 412
            assert clerk.delete(f"{PRODUCTS}/mug", HTTP_IF_MATCH=tag).status_code == 412
            assert Product.objects.get().title == "Cup"


class TestDeleting:
    def test_what_nobody_points_at_is_gone(self, clerk: APIClient, committing: Committing) -> None:
        make.product(slug="mug", images=[ImageDraft(url="https://pictures.example/a.jpg")])
        clerk.get(f"{PRODUCTS}/mug")

        with committing():
            answer = clerk.delete(f"{PRODUCTS}/mug")

        assert (answer.status_code, answer.content) == (204, b"")
        assert not Product.objects.exists()
        assert clerk.get(f"{PRODUCTS}/mug").status_code == 404
        assert OutboxMessage.objects.latest("id").payload["slugs"] == ["mug"]

    @pytest.mark.parametrize("used", ["stocked", "waited for"])
    def test_what_others_point_at_is_archived(
        self, clerk: APIClient, committing: Committing, used: str
    ) -> None:
        variant = make.variant(slug="mug")
        if used == "stocked":
            stocks.stock(variant=variant, on_hand=1)
        else:
            subscribe_to_stock(
                variant_id=variant.pk, customer=None, email="ada@example.com", now=make.NOW
            )
        clerk.get(f"{PRODUCTS}/mug")

        with committing():
            answer = clerk.delete(f"{PRODUCTS}/mug")

        assert (answer.status_code, answer.json()["status"]) == (200, "archived")
        assert Product.objects.get().status == Product.Status.ARCHIVED
        assert clerk.get(f"{PRODUCTS}/mug").status_code == 404


class TestVariants:
    def test_one_is_added_and_seen(self, clerk: APIClient, committing: Committing) -> None:
        make.product(slug="mug", options=["Size"], variants=[make.variant_draft("S", sku="M-S")])
        clerk.get(f"{PRODUCTS}/mug")

        with committing():
            answer = clerk.post(
                f"{PRODUCTS}/mug/variants",
                {"sku": "M-L", "options": {"Size": "L"}, "prices": [{"price": pounds("9.00")}]},
            )

        assert answer.status_code == 201, answer.content
        assert answer["ETag"] == '"2"'
        shown = clerk.get(f"{PRODUCTS}/mug").json()
        assert [variant["sku"] for variant in shown["variants"]] == ["M-S", "M-L"]
        assert shown["options"] == [{"name": "Size", "values": ["S", "L"]}]
        assert clerk.get(answer["Location"]).json() == answer.json()

    def test_a_change_of_price_is_seen_and_remembered(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        variant = make.variant(slug="mug", price=1000)
        clerk.get(f"{PRODUCTS}/mug")
        address = f"/api/v1/variants/{variant.pk}"

        with committing():
            answer = clerk.patch(address, {"prices": [{"price": pounds("8.00")}], "barcode": "5"})

        assert answer.status_code == 200, answer.content
        assert clerk.get(f"{PRODUCTS}/mug").json()["price"]["min"] == pounds("8.00")
        steps = clerk.get(f"{address}/price-history").json()["results"]
        assert [step["price"] for step in steps] == [pounds("8.00"), pounds("10.00")]
        assert clerk.patch(address, {"barcode": "5"})["ETag"] == answer["ETag"]

    def test_one_is_deleted_or_taken_from_sale(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        make.product(
            slug="mug",
            options=["Size"],
            variants=[make.variant_draft(size, sku=size) for size in ("S", "M", "L")],
        )
        stocks.stock(variant=Variant.objects.get(sku="M"), on_hand=1)
        ids = dict(Variant.objects.values_list("sku", "pk"))
        clerk.get(f"{PRODUCTS}/mug")

        with committing():
            gone = clerk.delete(f"/api/v1/variants/{ids['S']}")
            kept = clerk.delete(f"/api/v1/variants/{ids['M']}")

        assert gone.status_code == 204
        assert (kept.status_code, kept.json()["is_active"]) == (200, False)
        shown = clerk.get(f"{PRODUCTS}/mug").json()
        assert [variant["sku"] for variant in shown["variants"]] == ["L"]
        assert shown["options"] == [{"name": "Size", "values": ["L"]}]

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"sku": "TAKEN"}, 409, "sku_taken"),
            ({"options": {"Size": "M"}}, 422, "invalid_product"),
            ({"options": {}}, 422, "invalid_product"),
            ({"image_id": 12345}, 422, "invalid_product"),
            ({"weight_grams": -1}, 400, "malformed_request"),
            ({"weight_grams": "1"}, 400, "malformed_request"),
            ({"prices": [{"price": pounds("-1.00")}]}, 400, "malformed_request"),
            (
                {"prices": [{"price": pounds("2.00"), "compare_at_price": pounds("1.00")}]},
                422,
                "invalid_product",
            ),
        ],
    )
    def test_a_refused_change_changes_nothing(
        self, clerk: APIClient, changes: dict[str, Any], status: int, code: str
    ) -> None:
        make.product(variants=[make.variant_draft(sku="TAKEN")])
        product = make.product(
            options=["Size"],
            variants=[make.variant_draft("S", sku="S"), make.variant_draft("M", sku="M")],
        )
        variant = Variant.objects.get(sku="S")
        before = [list(table.objects.order_by("pk").values()) for table in (Variant, Price)]

        answer = clerk.patch(f"/api/v1/variants/{variant.pk}", {"barcode": "5", **changes})
        other = clerk.post(
            f"{PRODUCTS}/{product.pk}/variants",
            {"sku": "NEW", "options": {"Size": "L"}, **changes},
        )

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (other.status_code, other.json()["code"]) == (status, code)
        assert [list(table.objects.order_by("pk").values()) for table in (Variant, Price)] == before
        product.refresh_from_db()
        assert product.version == 1

    def test_who_edits_has_seen_what_is_there(self, clerk: APIClient) -> None:
        variant = make.variant()
        address = f"/api/v1/variants/{variant.pk}"
        seen = clerk.get(address)["ETag"]
        assert clerk.patch(address, {"barcode": "1"}, HTTP_IF_MATCH=seen).status_code == 200

        assert clerk.patch(address, {"barcode": "2"}, HTTP_IF_MATCH=seen).status_code == 412
        assert clerk.delete(address, HTTP_IF_MATCH=seen).status_code == 412
        assert Variant.objects.get().barcode == "1"


class TestListing:
    def test_staff_see_products_of_every_status(self, clerk: APIClient) -> None:
        make.product(slug="shown", vendor="Weaver")
        make.product(slug="hidden", status="DRAFT", variants=[make.variant_draft(sku="X-1")])

        def slugs(**query: str) -> list[str]:
            rows = clerk.get("/api/v1/staff/products", query).json()["results"]
            return [row["slug"] for row in rows]

        assert slugs() == ["hidden", "shown"]
        assert slugs(status="draft") == ["hidden"]
        assert slugs(q="weav") == ["shown"]
        assert slugs(sku="X-1") == ["hidden"]

    @pytest.mark.parametrize("address", ["staff/products", "staff/products/big"])
    def test_takes_the_same_queries_for_any_size(self, clerk: APIClient, address: str) -> None:
        clerk.get("/api/v1/staff/products")  # who asks is known from here on
        counts = []
        for size in (1, 20):
            Product.objects.all().delete()
            make.product(
                slug="big",
                options=["Size"],
                variants=[make.variant_draft(str(number)) for number in range(size)],
                images=[ImageDraft(url=f"https://p.example/{n}.jpg") for n in range(size)],
            )
            for _ in range(size):
                make.product()
            with CaptureQueriesContext(connection) as seen:
                assert clerk.get(f"/api/v1/{address}").status_code == 200
            counts.append(len(seen))

        assert counts[0] == counts[1]
