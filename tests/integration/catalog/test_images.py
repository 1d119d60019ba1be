import io
import struct
import zlib

import pytest
from PIL import Image

from catalog.errors import NotAnImage
from catalog.models import Product, ProductImage, ProductListing
from catalog.services import ImageDraft, attach_image, checked_picture, is_web_address
from catalog.services.images import LARGEST_BYTES
from tests.make import catalog as make

NOW = make.NOW


def enormous_png(width: int, height: int) -> bytes:
    """A few bytes that promise a great many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00" * 10)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("GIF", "gif"), ("AVIF", "avif")],
)
def test_pictures_are_known_by_their_content(kind: str, ending: str) -> None:
    picture = checked_picture(make.picture(kind, size=(20, 10)))

    assert picture.name.endswith(f".{ending}")
    assert (picture.width, picture.height) == (20, 10)


def test_the_same_content_has_the_same_name() -> None:
    red, blue = make.picture(colour="red"), make.picture(colour="blue")

    assert checked_picture(red).name == checked_picture(red).name
    assert checked_picture(red).name != checked_picture(blue).name


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script>",
        b"%PDF-1.7",
        b"\x00" * 1000,
        make.picture()[:40],
        enormous_png(100_000, 100_000),
        enormous_png(8000, 5001),
        make.picture("BMP"),
        make.picture("TIFF"),
        make.picture() + b"\x00" * LARGEST_BYTES,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnImage):
        checked_picture(content)


def test_a_picture_with_a_script_behind_it_is_still_only_a_picture() -> None:
    content = io.BytesIO()
    Image.new("RGB", (2, 2)).save(content, "GIF")

    picture = checked_picture(content.getvalue() + b"<script>alert(1)</script>")

    assert picture.name.endswith(".gif")


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [
        ("https://pictures.example/a.jpg?v=1", True),
        ("http://127.0.0.1/a.jpg", True),
        ("https://burst.shopifycdn.com/photos/city-woman-fashion_925x@2x.jpg", True),
        ("ftp://pictures.example/a.jpg", False),
        ("javascript:alert(1)", False),
        ("data:image/png;base64,AAAA", False),
        ("//pictures.example/a.jpg", False),
        ("/a.jpg", False),
        ("https://", False),
        ("https:///a.jpg", False),
        ("https://[bad/a.jpg", False),
        ('https://pictures.example/"onload="alert(1)', False),
        ("https://pictures.example/a b.jpg", False),
        ("https://pictures.example/\x00", False),
        ("https://pictures.example/" + "a" * 2000, False),
        ("", False),
    ],
)
def test_addresses_are_plain_web_addresses(address: str, is_fine: bool) -> None:
    assert is_web_address(address) is is_fine


@pytest.mark.django_db
def test_an_upload_is_added_behind_the_others_and_once() -> None:
    product = make.product(images=[ImageDraft(url="https://pictures.example/a.jpg")])
    draft = ImageDraft(file=make.picture(), alt="Back")

    added = attach_image(product=product, image=draft, now=NOW)
    again = attach_image(product=product, image=draft, now=NOW)

    assert added.pk == again.pk
    assert added.position == 2
    assert (added.width, added.height) == (8, 6)
    assert Product.objects.get().version == 2
    assert ProductImage.objects.count() == 2


@pytest.mark.django_db
def test_the_first_picture_is_shown_in_lists() -> None:
    product = make.product()

    attach_image(product=product, image=ImageDraft(url="https://pictures.example/a.jpg"), now=NOW)

    assert ProductListing.objects.get().image_url == "https://pictures.example/a.jpg"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "image",
    [
        ImageDraft(),
        ImageDraft(url="https://pictures.example/a.jpg", file=make.picture()),
        ImageDraft(url="javascript:alert(1)"),
        ImageDraft(file=b"no picture"),
    ],
    ids=["nothing", "both", "script", "text"],
)
def test_a_bad_picture_is_refused_and_nothing_is_written(image: ImageDraft) -> None:
    product = make.product()

    with pytest.raises(NotAnImage):
        attach_image(product=product, image=image, now=NOW)

    assert ProductImage.objects.count() == 0
    assert Product.objects.get().version == 1
