"""Pictures edited by staff over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from catalog.models import Product, ProductImage
from catalog.services import ImageDraft
from catalog.services.images import LARGEST_BYTES
from tests.integration.catalog.conftest import Committing
from tests.integration.catalog.test_images import enormous_png
from tests.make import catalog as make
from tests.make.accounts import signed_in, superuser

pytestmark = pytest.mark.django_db

IMAGES = "/api/v1/products/mug/images"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


def upload(clerk: APIClient, content: bytes, name: str = "a.png", **more: Any) -> Any:
    return clerk.post(
        IMAGES, {"file": SimpleUploadedFile(name, content), **more}, format="multipart"
    )


def kept_files() -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_a_file_is_kept_by_its_content_and_seen(clerk: APIClient, committing: Committing) -> None:
    make.product(slug="mug")
    clerk.get("/api/v1/products/mug")

    with committing():
        answer = upload(
            clerk, make.picture("WEBP"), "../../evil.php", alt="A mug", focal_x=20, focal_y=80
        )

    assert answer.status_code == 201, answer.content
    image = answer.json()["images"][0]
    assert image["url"].endswith(".webp")
    assert "evil" not in image["url"]
    assert image["focal_point"] == {"x": 20, "y": 80}
    shown = clerk.get("/api/v1/products/mug").json()["images"]
    assert [(row["url"], row["alt"], row["focal_point"]) for row in shown] == [
        (image["url"], "A mug", {"x": 20, "y": 80})
    ]
    assert upload(clerk, make.picture("WEBP")).json()["images"] == [image]
    assert len(kept_files()) == 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 422),
        (b"GIF89a<?php system('id'); ?>", 422),
        (enormous_png(100_000, 100_000), 422),
        (enormous_png(8000, 5001), 422),
        (b"\x89PNG" + b"\x00" * LARGEST_BYTES, 422),
        (b"", 400),
    ],
    ids=["svg", "script", "flood", "flood by a row", "large", "empty"],
)
def test_what_is_no_picture_leaves_nothing(clerk: APIClient, content: bytes, status: int) -> None:
    make.product(slug="mug")

    answer = upload(clerk, content)

    assert answer.status_code == status, answer.content
    assert not ProductImage.objects.exists()
    assert kept_files() == []
    assert Product.objects.get().version == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "https://pictures.example/a.jpg", "alt": "A"}, 201),
        ({"url": "http://169.254.169.254/a b"}, 422),
        ({"url": "javascript:alert(1)"}, 422),
        ({}, 422),
        ({"file": "a.png"}, 400),
        ({"url": "https://pictures.example/a.jpg", "size": 1}, 400),
    ],
)
def test_an_address_is_kept_and_not_fetched(
    clerk: APIClient, body: dict[str, str], status: int
) -> None:
    make.product(slug="mug")

    assert clerk.post(IMAGES, body).status_code == status
    assert ProductImage.objects.count() == (status == 201)


def two_images() -> tuple[Product, list[int]]:
    product = make.product(
        slug="mug", images=[ImageDraft(url=f"https://pictures.example/{n}.jpg") for n in "ab"]
    )
    return product, list(product.images.values_list("pk", flat=True))


def test_the_first_one_stands_for_the_product(clerk: APIClient, committing: Committing) -> None:
    product, (first, second) = two_images()
    clerk.get("/api/v1/products/mug")

    with committing():
        answer = clerk.put(IMAGES, {"image_ids": [second, first]})

    assert [image["id"] for image in answer.json()["images"]] == [second, first]
    assert clerk.get("/api/v1/products/mug").json()["image"].endswith("b.jpg")
    assert clerk.get("/api/v1/products").json()["results"][0]["image"].endswith("b.jpg")
    assert clerk.put(IMAGES, {"image_ids": [second, first]})["ETag"] == answer["ETag"]
    for wrong in ([second], [second, first, first], [second, first, 999_999], []):
        refused = clerk.put(IMAGES, {"image_ids": wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_product")
    product.refresh_from_db()
    assert product.version == 2


def test_text_and_focal_point_change_and_one_goes(clerk: APIClient, committing: Committing) -> None:
    _, (first, second) = two_images()
    clerk.get("/api/v1/products/mug")

    with committing():
        changed = clerk.patch(
            f"{IMAGES}/{first}", {"alt": "Front", "focal_point": {"x": 0, "y": 100}}
        )
        gone = clerk.delete(f"{IMAGES}/{second}")

    assert (changed.status_code, gone.status_code) == (200, 204)
    shown = clerk.get("/api/v1/products/mug").json()["images"]
    assert [(image["alt"], image["focal_point"]) for image in shown] == [
        ("Front", {"x": 0, "y": 100})
    ]
    for wrong in ({"focal_point": {"x": 101, "y": 0}}, {"focal_point": {"x": 1}}, {"url": "x"}):
        assert clerk.patch(f"{IMAGES}/{first}", wrong).status_code == 400
    assert clerk.patch(f"{IMAGES}/{first}", {"alt": "x"}, HTTP_IF_MATCH='"1"').status_code == 412
    assert clerk.delete(f"{IMAGES}/{first}", HTTP_IF_MATCH='"1"').status_code == 412
    assert ProductImage.objects.get().alt == "Front"


def test_a_picture_of_another_product_is_not_there(clerk: APIClient) -> None:
    two_images()
    other = make.product(images=[ImageDraft(url="https://pictures.example/z.jpg")])
    foreign = other.images.get().pk

    assert clerk.patch(f"{IMAGES}/{foreign}", {"alt": "x"}).status_code == 404
    assert clerk.delete(f"{IMAGES}/{foreign}").status_code == 404
    assert other.images.get().alt == ""
