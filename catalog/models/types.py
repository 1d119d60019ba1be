"""What is to be said of each kind of product."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class ProductType(models.Model):
    """A kind of product, by the name that `Product.product_type` has, whatever its case."""

    name = models.CharField(max_length=255)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="product_type_once_per_name")]

    def __str__(self) -> str:
        return self.name


class AttributeDefinition(models.Model):
    """An attribute that products of a type have: of which kind, and whether lists filter by it."""

    class Kind(models.TextChoices):
        TEXT = "TEXT", "Text"
        NUMBER = "NUMBER", "Number"
        BOOLEAN = "BOOLEAN", "Yes or no"
        CHOICE = "CHOICE", "One of the choices"

    product_type = models.ForeignKey(
        ProductType, on_delete=models.CASCADE, related_name="attributes"
    )
    name = models.CharField(max_length=100, help_text="As in `attr.<name>=`, such as material.")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TEXT)
    choices = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    is_filterable = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint("product_type", Lower("name"), name="attribute_once_per_type"),
            models.CheckConstraint(
                condition=Q(kind__in=["TEXT", "NUMBER", "BOOLEAN", "CHOICE"]),
                name="attribute_kind_known",
            ),
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(name__contains="="), name="attribute_has_a_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
