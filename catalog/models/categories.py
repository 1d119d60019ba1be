"""The shelves of the shop."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from tree_queries.fields import TreeNodeForeignKey
from tree_queries.query import TreeQuerySet

CategoryManager = models.Manager.from_queryset(TreeQuerySet)


class Category(models.Model):
    """A shelf of the shop. Shelves hang below one another; a product stands on one of them.

    `catalog.services` writes it: the listing of every product below copies its path.
    """

    parent = TreeNodeForeignKey(
        "self", blank=True, null=True, on_delete=models.PROTECT, related_name="children"
    )
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=150, unique=True, allow_unicode=True)
    position = models.PositiveIntegerField(
        default=0, help_text="Among its siblings; smaller comes first."
    )
    description = models.TextField(blank=True)
    version = models.PositiveIntegerField(
        default=1, db_default=1, editable=False, help_text="Grows with each change."
    )

    objects = CategoryManager()

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["position", "name", "id"]
        constraints = [
            models.UniqueConstraint(
                "parent", Upper("name"), name="category_once_per_name", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=~Q(parent=F("id")), name="category_not_its_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FormerCategorySlug(models.Model):
    """A slug that a category had before: who asks by it is sent on, unless it is another's now."""

    slug = models.CharField(max_length=150, primary_key=True)
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="former_slugs")
    retired_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.slug
