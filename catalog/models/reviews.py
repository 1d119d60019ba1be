"""What buyers say of what they bought."""

from django.db import models
from django.db.models import Q

from catalog.models.products import Product


class Review(models.Model):
    """One buyer's opinion of one product. Only `catalog.services` writes it.

    Shoppers see it once staff have approved it; only then it counts in the product's rating.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"
        APPROVED = "APPROVED", "Approved"
        REJECTED = "REJECTED", "Rejected"

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="reviews")
    author = models.CharField(
        max_length=64, help_text="Who wrote it, as the app above names them: customer:42."
    )
    author_name = models.CharField(max_length=80, help_text="As shoppers see it: Ada B.")
    rating = models.PositiveSmallIntegerField(help_text="1 to 5.")
    title = models.CharField(max_length=120, blank=True)
    body = models.CharField(max_length=5000, blank=True)
    is_verified = models.BooleanField(default=False, help_text="The author bought the product.")
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField()
    moderated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["product", "status", "-id"], name="review_of_product"),
            models.Index(fields=["status", "id"], name="review_by_status"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["product", "author"], name="review_once_per_author"),
            models.CheckConstraint(
                condition=Q(rating__gte=1, rating__lte=5), name="review_rating_within_stars"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["PENDING", "APPROVED", "REJECTED"]),
                name="review_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"{self.rating} of 5"
