"""Smaller copies of pictures in newer formats."""

import io
from pathlib import Path

import pytest
from django.conf import settings
from PIL import Image
from rest_framework.test import APIClient

from catalog.models import ProductImage
from catalog.services import ImageDraft, render_product, render_waiting
from catalog.services.renditions import WIDTHS
from catalog.tasks import render_product as render_task
from shop.models import OutboxMessage
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW


def files() -> list[Path]:
    return sorted(path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file())


def test_they_are_made_in_the_background_and_seen(api: APIClient, committing: Committing) -> None:
    product = make.product(slug="mug", images=[ImageDraft(file=make.picture(size=(900, 600)))])
    assert api.get("/api/v1/products/mug").json()["images"][0]["renditions"] == []
    message = OutboxMessage.objects.get(topic="catalog.pictures_added")

    with committing():
        render_task(message_id=str(message.pk), payload=message.payload)

    shown = api.get("/api/v1/products/mug").json()["images"][0]["renditions"]
    assert [(copy["format"], copy["width"], copy["height"]) for copy in shown] == [
        (kind, width, height)
        for width, height in ((320, 213), (640, 427), (900, 600))
        for kind in ("webp", "avif")
    ]
    for copy in shown:
        path = Path(settings.MEDIA_ROOT) / copy["url"].partition("/media/")[2]
        with Image.open(path) as image:
            assert image.format == copy["format"].upper()
            assert image.size == (copy["width"], copy["height"])
    kept = files()
    assert render_product(product_id=product.pk, now=NOW) == 0
    assert files() == kept


def test_nothing_that_the_camera_noted_is_in_a_copy_and_it_stands_upright() -> None:
    taken = Image.new("RGB", (40, 20), "red")
    exif = taken.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "Camera of Ada"
    content = io.BytesIO()
    taken.save(content, "JPEG", exif=exif)
    product = make.product(images=[ImageDraft(file=content.getvalue())])

    render_product(product_id=product.pk, now=NOW)

    copies = ProductImage.objects.get().renditions
    assert [(copy["width"], copy["height"]) for copy in copies] == [(20, 40), (20, 40)]
    for copy in copies:
        written = (Path(settings.MEDIA_ROOT) / copy["file"]).read_bytes()
        assert b"Camera of Ada" not in written
        with Image.open(io.BytesIO(written)) as image:
            assert not image.getexif()


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "LA", "1", "I;16", "CMYK"])
def test_every_kind_of_pixel_can_be_copied(mode: str) -> None:
    content = io.BytesIO()
    Image.new(mode, (400, 8)).save(content, "JPEG" if mode == "CMYK" else "PNG")
    product = make.product(images=[ImageDraft(file=content.getvalue())])

    assert render_product(product_id=product.pk, now=NOW) == 1

    assert len(ProductImage.objects.get().renditions) == 4


def test_none_is_wider_than_shops_need() -> None:
    product = make.product(images=[ImageDraft(file=make.picture("JPEG", size=(3000, 30)))])

    render_product(product_id=product.pk, now=NOW)

    widths = [copy["width"] for copy in ProductImage.objects.get().renditions[::2]]
    assert widths == list(WIDTHS)


def test_what_moves_is_left_as_it_is() -> None:
    content = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    make.product(images=[ImageDraft(file=content.getvalue())])

    assert render_waiting(now=NOW) == 1
    assert render_waiting(now=NOW) == 0
    assert ProductImage.objects.get().renditions == []


def test_the_sweep_finds_what_no_message_came_for_and_goes_on_past_a_lost_file() -> None:
    for colour in ("red", "green", "blue"):
        make.product(images=[ImageDraft(file=make.picture(colour=colour))])
    lost = ProductImage.objects.order_by("file").first()
    assert lost is not None
    (Path(settings.MEDIA_ROOT) / str(lost.file.name)).unlink()
    make.product(images=[ImageDraft(url="https://pictures.example/a.jpg")])

    assert render_waiting(now=NOW) == 2

    lost.refresh_from_db()
    assert lost.rendered_at is None
    assert ProductImage.objects.filter(rendered_at=NOW).count() == 2


def test_one_file_of_two_products_is_copied_for_both() -> None:
    for _ in range(2):
        make.product(images=[ImageDraft(file=make.picture())])

    assert render_waiting(now=NOW) == 2
    assert len({str(row.renditions) for row in ProductImage.objects.all()}) == 1
