"""What leads from one product to another, and to a product from where it was before."""

from django.db import models
from django.db.models import F, Q

from catalog.models.products import Product


class FormerSlug(models.Model):
    """A slug that a product had before: who asks by it is sent on, unless it is another's now."""

    slug = models.CharField(max_length=255, primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="former_slugs")
    retired_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.slug


class RelatedProduct(models.Model):
    """A product that staff show beside another one."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="related")
    other = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "other"], name="related_once_per_pair"),
            models.CheckConstraint(condition=~Q(product=F("other")), name="related_to_another"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} → {self.other_id}"


class BoughtTogether(models.Model):
    """How many orders of late had both products: counted by orders, the most frequent kept."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="bought_with")
    other = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="+")
    orders = models.PositiveIntegerField(help_text="Orders with both.")

    class Meta:
        verbose_name_plural = "bought together"
        constraints = [
            models.UniqueConstraint(fields=["product", "other"], name="bought_together_once"),
            models.CheckConstraint(condition=~Q(product=F("other")), name="bought_with_another"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} and {self.other_id}: {self.orders}"
