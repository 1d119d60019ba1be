"""Smaller copies of pictures in newer formats, made in the background."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import TypedDict

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from PIL import Image, ImageOps, UnidentifiedImageError

from catalog.models import ProductImage
from catalog.services.images import FOLDER, MOST_PIXELS
from catalog.services.listing import forget_on_commit
from shop.db.alone import alone

WIDTHS = (320, 640, 1280, 1920)  # pixels; never wider than the picture itself
# The quality at which each looks as good as the other. AVIF's speed trades bytes for seconds.
_FORMATS: dict[str, dict[str, int]] = {
    "webp": {"quality": 80, "method": 4},
    "avif": {"quality": 60, "speed": 8},
}
_LOCK = 7_310_022
SWEPT = 50  # pictures in one round

log = structlog.get_logger("catalog.renditions")


class Rendition(TypedDict):
    """A copy of a picture: `file` is its name in the storage."""

    format: str
    width: int
    height: int
    file: str


def render_product(*, product_id: int, now: datetime) -> int:
    """Make the renditions of the product's pictures that have none; returns how many pictures.

    Safe to run twice and at the same time: copies are named by their content. A picture that
    cannot be read counts as done, with none; a storage that is away raises, and it stays to do.
    """
    sources = _waiting().filter(product=product_id).values_list("file", flat=True).distinct()
    return sum(_render(source, now=now) for source in sources.order_by("file"))


def render_waiting(*, now: datetime) -> int | None:
    """Do the same for pictures that no message came for, some at a time, one process at a time.

    Returns how many it did; None if somebody else is at it.
    """
    with alone(_LOCK) as is_mine:
        if not is_mine:
            return None
        sources = _waiting().order_by("file").values_list("file", flat=True).distinct()
        done = 0
        for source in sources[:SWEPT]:
            try:
                done += _render(source, now=now)
            except OSError as error:
                log.warning("picture_not_rendered", file=source, error=type(error).__name__)
        return done


def _waiting() -> QuerySet[ProductImage]:
    return ProductImage.objects.filter(rendered_at__isnull=True).exclude(file="")


def _render(source: str, *, now: datetime) -> int:
    with default_storage.open(source) as file:
        content = file.read()
    renditions = list(_renditions(content))
    with transaction.atomic():
        rows = ProductImage.objects.filter(file=source, rendered_at__isnull=True)
        product_ids = sorted(set(rows.values_list("product_id", flat=True)))
        done = rows.update(renditions=renditions, rendered_at=now)
        forget_on_commit(product_ids=product_ids)
    return done


def _renditions(content: bytes) -> Iterator[Rendition]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > MOST_PIXELS or getattr(image, "is_animated", False):
                    return
                # The largest first, by the decoder itself where it can: a picture of 40 million
                # pixels is never whole in memory if it is a JPEG.
                image.thumbnail((WIDTHS[-1], MOST_PIXELS), Image.Resampling.LANCZOS)
                upright = ImageOps.exif_transpose(image)
                has_alpha = upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info
                # A new picture: nothing that the camera noted, such as the place, is in a copy.
                largest = upright.convert("RGBA" if has_alpha else "RGB")
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        SyntaxError,
        ValueError,
        OSError,
    ):
        log.warning("picture_unreadable")
        return
    widths = [width for width in WIDTHS if width < largest.width] + [largest.width]
    for width in widths:
        height = max(1, round(largest.height * width / largest.width))
        copy = (
            largest
            if width == largest.width
            else largest.resize((width, height), Image.Resampling.LANCZOS)
        )
        copy.info.clear()
        for kind, options in _FORMATS.items():
            written = io.BytesIO()
            copy.save(written, kind.upper(), **options)
            yield {
                "format": kind,
                "width": copy.width,
                "height": copy.height,
                "file": _kept(written.getvalue(), kind),
            }


def _kept(content: bytes, ending: str) -> str:
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    name = f"{FOLDER}/{digest[:2]}/{digest}.{ending}"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(content))
    return name
