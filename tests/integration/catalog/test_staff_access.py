"""Who may edit the catalogue: every route, by everybody who could try."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import (
    Category,
    Price,
    PriceHistory,
    Product,
    ProductImage,
    ProductListing,
    Variant,
)
from catalog.services import ImageDraft
from shop.models import OutboxMessage
from tests.make import catalog as make
from tests.make.accounts import customer, make_staff, signed_in, superuser

pytestmark = pytest.mark.django_db

GBP = {"amount": "5.00", "currency": "GBP"}
TABLES: tuple[type[Model], ...] = (
    Category,
    Product,
    Variant,
    Price,
    PriceHistory,
    ProductImage,
    ProductListing,
)
# Method, address, permission, body and what staff with the permission are answered.
ROUTES: dict[str, tuple[str, str, str, Any, int]] = {
    "make a product": ("post", "products", "add_product", {"title": "New"}, 201),
    "change a product": ("patch", "products/mug", "change_product", {"title": "Cup"}, 200),
    "delete a product": ("delete", "products/mug", "delete_product", None, 204),
    "list products": ("get", "staff/products", "view_product", None, 200),
    "show a product": ("get", "staff/products/mug", "view_product", None, 200),
    "add a variant": (
        "post",
        "products/bare/variants",
        "add_variant",
        {"sku": "NEW", "prices": [{"price": GBP}]},
        201,
    ),
    "show a variant": ("get", "variants/{variant}", "view_variant", None, 200),
    "read past prices": ("get", "variants/{variant}/price-history", "view_variant", None, 200),
    "change a variant": ("patch", "variants/{variant}", "change_variant", {"barcode": "1"}, 200),
    "delete a variant": ("delete", "variants/{variant}", "delete_variant", None, 204),
    "make a category": ("post", "categories", "add_category", {"name": "Garden"}, 201),
    "change a category": ("patch", "categories/things", "change_category", {"name": "Stuff"}, 200),
    "delete a category": ("delete", "categories/things", "delete_category", None, 204),
    "set prices": (
        "post",
        "prices",
        "change_price",
        {"prices": [{"sku": "MUG", "price": GBP}]},
        200,
    ),
    "withdraw a price": ("delete", "prices/{price}", "delete_price", None, 204),
    "upload a picture": ("post", "products/mug/images", "add_productimage", "file", 201),
    "order pictures": (
        "put",
        "products/mug/images",
        "change_productimage",
        {"image_ids": ["{image}"]},
        200,
    ),
    "change a picture": (
        "patch",
        "products/mug/images/{image}",
        "change_productimage",
        {"alt": "A mug"},
        200,
    ),
    "delete a picture": (
        "delete",
        "products/mug/images/{image}",
        "delete_productimage",
        None,
        204,
    ),
}


def everything() -> list[list[dict[str, Any]]]:
    """Return every row of the catalogue, to see that nothing moved."""
    return [list(table._default_manager.order_by("pk").values()) for table in TABLES]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("who", "refused"),
    [
        ("nobody", 401),
        ("customer", 403),
        ("staff without it", 403),
        ("staff with it", None),
        ("superuser", None),
    ],
)
def test_lets_in_staff_with_the_permission_alone(
    api: APIClient, route: str, who: str, refused: int | None
) -> None:
    method, address, permission, body, status = ROUTES[route]
    make.category("Things")
    make.product(slug="bare", variants=[])
    mug = make.product(
        slug="mug",
        variants=[make.variant_draft(sku="MUG")],
        images=[ImageDraft(url="https://pictures.example/a.jpg")],
    )
    ids = {
        "variant": mug.variants.get().pk,
        "price": Price.objects.get().pk,
        "image": mug.images.get().pk,
    }
    people: dict[str, Callable[[], User | None]] = {
        "nobody": lambda: None,
        "customer": customer,
        "staff without it": lambda: make_staff("inventory.view_stock"),
        "staff with it": lambda: make_staff(f"catalog.{permission}"),
        "superuser": superuser,
    }
    signed_in(api, people[who]())
    if body == "file":
        more = {
            "data": {"file": SimpleUploadedFile("a.png", make.picture())},
            "format": "multipart",
        }
    elif body and "image_ids" in body:
        more = {"data": {"image_ids": [ids["image"]]}}
    else:
        more = {"data": body}
    before, told = everything(), OutboxMessage.objects.count()

    answer = getattr(api, method)(f"/api/v1/{address.format(**ids)}", **more)

    assert answer.status_code == (refused or status), answer.content
    if refused:
        assert answer.json()["status"] == refused
        assert everything() == before
        assert OutboxMessage.objects.count() == told


def test_a_bulk_request_wants_both_permissions(api: APIClient) -> None:
    body = {"products": [{"slug": "mug", "title": "Mug"}]}
    for permissions in (["catalog.add_product"], ["catalog.change_product"]):
        signed_in(api, make_staff(*permissions))
        assert api.post("/api/v1/products/bulk", body).status_code == 403
    assert not Product.objects.exists()

    signed_in(api, make_staff("catalog.add_product", "catalog.change_product"))
    assert api.post("/api/v1/products/bulk", body).status_code == 200


@pytest.mark.parametrize(
    ("method", "address", "code"),
    [
        ("patch", "products/none", "product_not_found"),
        ("delete", "products/none", "product_not_found"),
        ("get", "staff/products/none", "product_not_found"),
        ("post", "products/none/variants", "product_not_found"),
        ("post", "products/none/images", "product_not_found"),
        ("put", "products/none/images", "product_not_found"),
        ("patch", "products/mug/images/999", "image_not_found"),
        ("delete", "products/mug/images/999", "image_not_found"),
        ("get", "variants/999", "variant_not_found"),
        ("get", "variants/99999999999999999999999", "variant_not_found"),
        ("get", "variants/999/price-history", "variant_not_found"),
        ("patch", "variants/999", "variant_not_found"),
        ("delete", "variants/999", "variant_not_found"),
        ("patch", "categories/none", "category_not_found"),
        ("delete", "categories/none", "category_not_found"),
        ("delete", "prices/999", "price_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(
    api: APIClient, method: str, address: str, code: str
) -> None:
    make.product(slug="mug")
    signed_in(api, superuser())

    answer = getattr(api, method)(f"/api/v1/{address}", {} if method != "get" else None)

    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_reading_asks_nobody_who_they_are(api: APIClient) -> None:
    make.category("Things")
    make.product(slug="mug")
    api.credentials(HTTP_AUTHORIZATION="Bearer nonsense")

    for address in ("products", "products/mug", "categories", "categories/things"):
        assert api.get(f"/api/v1/{address}").status_code == 200
    assert api.patch("/api/v1/products/mug", {"title": "x"}).status_code == 401
