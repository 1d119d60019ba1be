"""Pictures: what is taken, and under which name it is kept."""

import hashlib
import io
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from urllib.parse import urlsplit

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Max
from PIL import Image, UnidentifiedImageError

from catalog.errors import ImageNotFound, InvalidProduct, NotAnImage, ProductNotFound
from catalog.models import Product, ProductImage
from catalog.services.drafts import ImageDraft
from catalog.services.listing import refresh_listing
from catalog.services.versions import require_version
from shop.outbox.services import publish_many

LARGEST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 40_000_000
FOLDER = "products"
# What browsers show and cannot run: SVG is a document with scripts, so it is not among them.
_ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "AVIF": "avif"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that was looked into: its name says what is in it."""

    name: str
    content: bytes
    width: int
    height: int

    def keep(self) -> None:
        """Put it into the storage, unless it is there already."""
        if not default_storage.exists(self.name):
            default_storage.save(self.name, ContentFile(self.content))


def checked_picture(content: bytes) -> Picture:
    """Return the picture that these bytes are, whatever its sender calls it.

    Raises NotAnImage for what is larger than 8 MB or 40 million pixels, broken, or of a type that
    is not taken. No pixel is decoded before its number is known.
    """
    if len(content) > LARGEST_BYTES:
        raise NotAnImage("A picture may have at most 8 MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=list(_ENDINGS)) as image:
                width, height = image.size
                kind = image.format or ""
                if width * height > MOST_PIXELS:
                    raise NotAnImage("A picture may have at most 40 million pixels.")
                image.verify()
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        SyntaxError,
        ValueError,
    ):
        raise NotAnImage("This is no picture in JPEG, PNG, WebP, AVIF or GIF.") from None
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return Picture(f"{FOLDER}/{digest[:2]}/{digest}.{_ENDINGS[kind]}", content, width, height)


def is_web_address(url: str) -> bool:
    """Tell whether this is an absolute http or https address with a host, and short enough."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and len(url) <= 2000
            and url.isprintable()
            and not any(sign in url for sign in " <>\"'\\")
        )
    except ValueError:
        return False


@transaction.atomic
def attach_image(
    *,
    product: Product,
    image: ImageDraft,
    now: datetime,
    versions: Collection[int] | None = None,
) -> ProductImage:
    """Add a picture behind the others, by upload or by address (which is kept, not fetched).

    The same picture twice is one: the earlier is returned as it is. Raises NotAnImage, and
    VersionMismatch unless the product's version is one of `versions`.
    """
    picture = None
    if (image.url is None) == (image.file is None):
        raise NotAnImage("Give a file or an address.")
    if image.file is not None:
        picture = checked_picture(image.file)
    elif not is_web_address(image.url or ""):
        raise NotAnImage("The address of a picture begins with http:// or https://.")
    for version in Product.objects.filter(pk=product.pk).locked().values_list("version", flat=True):
        require_version(version, versions)
    same = {"file": picture.name} if picture else {"url": image.url or ""}
    if earlier := ProductImage.objects.filter(product=product, **same).first():
        return earlier
    if picture is not None:
        picture.keep()
    last = product.images.aggregate(last=Max("position"))["last"] or 0
    added = new_image(product=product, image=image, picture=picture, position=last + 1)
    added.save()
    if picture is not None:
        render_later([product.pk])
    touch_products([product.pk], now=now)
    refresh_listing(product_ids=[product.pk], now=now)
    return added


class ImageChanges(TypedDict, total=False):
    """What of a picture changes. The focal point is in percent from the left and from the top."""

    alt: str
    focal_x: int
    focal_y: int


@transaction.atomic
def change_image(
    *,
    product_id: int,
    image_id: int,
    changes: ImageChanges,
    now: datetime,
    versions: Collection[int] | None = None,
) -> ProductImage:
    """Change a picture's text or focal point. Raises ImageNotFound, and VersionMismatch."""
    image = _locked(product_id, image_id, versions)
    differing = [name for name, value in changes.items() if getattr(image, name) != value]
    for name in differing:
        setattr(image, name, changes[name])  # type: ignore[literal-required]
    if differing:
        image.save(update_fields=differing)
        touch_products([product_id], now=now)
        refresh_listing(product_ids=[product_id], now=now)
    return image


@transaction.atomic
def order_images(
    *,
    product_id: int,
    image_ids: Sequence[int],
    now: datetime,
    versions: Collection[int] | None = None,
) -> None:
    """Put the product's pictures in this order; the first one stands for it in lists.

    Raises ProductNotFound, VersionMismatch, and InvalidProduct unless each is named once.
    """
    product = Product.objects.filter(pk=product_id).locked().first()
    if product is None:
        raise ProductNotFound("There is no such product.")
    require_version(product.version, versions)
    images = list(product.images.order_by("position", "id"))
    if sorted(image_ids) != sorted(image.pk for image in images):
        problem = "name each picture of the product once"
        raise InvalidProduct(f"{problem.capitalize()}.", problems=[problem])
    if [image.pk for image in images] == list(image_ids):
        return
    place_of = {pk: place for place, pk in enumerate(image_ids, start=1)}
    for image in images:
        image.position = place_of[image.pk]
    ProductImage.objects.bulk_update(images, ["position"])
    touch_products([product_id], now=now)
    refresh_listing(product_ids=[product_id], now=now)


@transaction.atomic
def remove_image(
    *, product_id: int, image_id: int, now: datetime, versions: Collection[int] | None = None
) -> None:
    """Take a picture from the product; variants that showed it show the first one then.

    Its file stays: other products may show the same. Raises ImageNotFound, and VersionMismatch.
    """
    _locked(product_id, image_id, versions).delete()
    touch_products([product_id], now=now)
    refresh_listing(product_ids=[product_id], now=now)


def _locked(product_id: int, image_id: int, versions: Collection[int] | None) -> ProductImage:
    product = Product.objects.filter(pk=product_id).locked().first()
    image = ProductImage.objects.filter(pk=image_id, product=product_id).first()
    if product is None or image is None:
        raise ImageNotFound("The product has no such picture.")
    require_version(product.version, versions)
    return image


def render_later(product_ids: Sequence[int]) -> None:
    """Have the renditions of these products' new pictures made once the transaction commits."""
    publish_many(
        topic="catalog.pictures_added",
        messages=[
            (f"product:{product_id}", {"v": 1, "product_id": product_id})
            for product_id in product_ids
        ],
    )


def new_image(
    *, product: Product, image: ImageDraft, picture: Picture | None, position: int
) -> ProductImage:
    """Return the row of a picture, not saved yet."""
    added = ProductImage(
        product=product,
        alt=image.alt,
        position=position,
        focal_x=image.focal_x,
        focal_y=image.focal_y,
    )
    if picture is None:
        added.url = image.url or ""
    else:
        added.file = picture.name
        added.width = picture.width
        added.height = picture.height
    return added


def touch_products(product_ids: Sequence[int], *, now: datetime) -> None:
    """Count a change of these products."""
    Product.objects.filter(pk__in=product_ids).update(version=F("version") + 1, updated_at=now)
