"""Pictures of products."""

from urllib.parse import urljoin

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from catalog.models.products import Product


def image_address(url: str, file: str) -> str | None:
    """Return where a picture can be fetched, absolute; None if there is neither."""
    if url or not file:
        return url or None
    return urljoin(f"{settings.SHOP_PUBLIC_URL}/", default_storage.url(file))


class ProductImage(models.Model):
    """A picture of a product: a file that we keep, or an address of somebody else's.

    Files are named by what is in them, so the same picture is kept once and never changes.
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="images")
    position = models.PositiveSmallIntegerField(default=0)
    alt = models.CharField(max_length=512, blank=True)
    url = models.CharField("URL", max_length=2000, blank=True)
    file = models.FileField(
        max_length=200, blank=True, help_text="Put there by `catalog.services`, by its content."
    )
    width = models.PositiveIntegerField(null=True, blank=True, editable=False)
    height = models.PositiveIntegerField(null=True, blank=True, editable=False)

    focal_x = models.PositiveSmallIntegerField(
        default=50,
        db_default=50,
        validators=[MaxValueValidator(100)],
        help_text="What must stay in sight when it is cropped: percent from the left.",
    )
    focal_y = models.PositiveSmallIntegerField(
        default=50,
        db_default=50,
        validators=[MaxValueValidator(100)],
        help_text="Percent from the top.",
    )

    renditions = models.JSONField(
        default=list,
        db_default=[],
        editable=False,
        help_text="Smaller copies in newer formats: format, width, height, file.",
    )
    rendered_at = models.DateTimeField(
        null=True, editable=False, help_text="When they were made; empty: they are still to do."
    )

    class Meta:
        ordering = ["position", "id"]
        indexes = [
            models.Index(
                fields=["file"],
                name="product_image_to_render",
                condition=Q(rendered_at__isnull=True) & ~Q(file=""),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=(Q(url="") & ~Q(file="")) | (~Q(url="") & Q(file="")),
                name="product_image_is_a_file_or_an_address",
            ),
        ]

    def __str__(self) -> str:
        return self.alt or self.url or self.file.name or ""

    def shown_renditions(self) -> list[dict[str, object]]:
        """Return its copies as clients see them, from narrow to wide."""
        return [
            {
                "format": copy["format"],
                "width": copy["width"],
                "height": copy["height"],
                "url": image_address("", copy["file"]),
            }
            for copy in self.renditions
        ]

    @property
    def address(self) -> str:
        """Where it can be fetched."""
        return image_address(self.url, self.file.name or "") or ""
