"""Products put together for shoppers: by hand, or by a rule."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from catalog.models.categories import Category
from catalog.models.products import Product


class Collection(models.Model):
    """Products under one name. By hand it has entries; by rule, all that fit every part of it."""

    class Kind(models.TextChoices):
        HAND = "HAND", "By hand"
        RULE = "RULE", "By rule"

    slug = models.SlugField(max_length=150, unique=True, allow_unicode=True)
    title = models.CharField(max_length=255)
    description_html = models.TextField(blank=True, help_text="Sanitised when it is saved.")
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.HAND)
    position = models.PositiveIntegerField(default=0)
    is_published = models.BooleanField(default=True)
    rule_category = models.ForeignKey(
        Category,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="On this shelf or below it.",
    )
    rule_tags = ArrayField(
        models.CharField(max_length=255), default=list, blank=True, help_text="With all of these."
    )
    rule_vendors = ArrayField(
        models.CharField(max_length=255), default=list, blank=True, help_text="Of any of these."
    )
    rule_on_sale = models.BooleanField(default=False, help_text="With a struck-through price.")
    rule_newer_than_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Shown for the first time in so many days."
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["position", "title", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["HAND", "RULE"]), name="collection_kind_known"
            ),
            models.CheckConstraint(condition=~Q(title=""), name="collection_has_a_title"),
        ]

    def __str__(self) -> str:
        return self.title


class CollectionEntry(models.Model):
    """A product in a collection that is made by hand."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="entries")
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        verbose_name_plural = "collection entries"
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "product"], name="collection_has_a_product_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.collection_id}: {self.product_id}"
