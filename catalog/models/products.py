"""What is offered: products, their options and their variants."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from catalog.models.categories import Category


class AvailabilityState(models.TextChoices):
    """What a shopper is told about the stock of a variant."""

    IN_STOCK = "in_stock", "In stock"
    LOW_STOCK = "low_stock", "Low stock"
    OUT_OF_STOCK = "out_of_stock", "Out of stock"
    BACKORDER = "backorder", "Back-order"


class TaxClass(models.TextChoices):
    """Which of a country's tax rates applies."""

    STANDARD = "STANDARD", "Standard"
    REDUCED = "REDUCED", "Reduced"
    ZERO = "ZERO", "Zero"


class ProductQuerySet(models.QuerySet["Product"]):
    """Products by who may see them."""

    def locked(self) -> "ProductQuerySet":
        """Lock these rows until the transaction ends, always in primary-key order."""
        return self.order_by("pk").select_for_update(no_key=True)

    def visible(self, *, now: datetime) -> "ProductQuerySet":
        """Those that shoppers may see at `now`."""
        return self.filter(status=Product.Status.ACTIVE, published_at__lte=now)


ProductManager = models.Manager.from_queryset(ProductQuerySet)


class Product(models.Model):
    """Something that is sold, in one or several variants. Only `catalog.services` writes it.

    Shoppers see it while it is ACTIVE, from `published_at` on.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        ACTIVE = "ACTIVE", "Active"
        ARCHIVED = "ARCHIVED", "Archived"

    slug = models.SlugField(max_length=255, unique=True, allow_unicode=True)
    title = models.CharField(max_length=255)
    description_html = models.TextField(blank=True, help_text="Sanitised when it is saved.")
    vendor = models.CharField(max_length=255, blank=True)
    product_type = models.CharField(max_length=255, blank=True)
    category = models.ForeignKey(
        Category, null=True, blank=True, on_delete=models.PROTECT, related_name="products"
    )
    tags = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    attributes = models.JSONField(
        default=dict, blank=True, help_text="Facts by name, such as the material."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    published_at = models.DateTimeField(
        null=True, blank=True, help_text="From when on it is shown; empty: not at all."
    )
    seo_title = models.CharField("SEO title", max_length=255, blank=True)
    seo_description = models.CharField("SEO description", max_length=5000, blank=True)
    popularity = models.PositiveBigIntegerField(
        default=0, help_text="Units sold lately; best sellers are sorted by it."
    )
    rating_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Reviews that shoppers see."
    )
    rating_total = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False, help_text="The stars of all of them."
    )
    version = models.PositiveIntegerField(
        default=1, help_text="Grows with each change of the product or of what belongs to it."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = ProductManager()

    class Meta:
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="product_by_last_change"),
            models.Index(fields=["status", "published_at"], name="product_by_status"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["DRAFT", "ACTIVE", "ARCHIVED"]), name="product_status_known"
            ),
            models.CheckConstraint(condition=~Q(title=""), name="product_has_a_title"),
        ]

    def __str__(self) -> str:
        return self.title


class ProductOption(models.Model):
    """A question that each variant of a product answers, such as the size."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="options")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)
    values = ArrayField(
        models.CharField(max_length=255), default=list, help_text="In the order they are offered."
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "position"],
                name="product_option_once_per_position",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.UniqueConstraint("product", Upper("name"), name="product_option_once_per_name"),
            models.CheckConstraint(condition=~Q(name=""), name="product_option_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """What is put into a cart: one SKU. Only `catalog.services` writes it.

    Availability is a copy for shoppers that inventory keeps fresh; `reserve_stock` decides.
    A variant is never deleted once something was sold or stocked: it becomes inactive.
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants")
    sku = models.CharField("SKU", max_length=255, unique=True)
    title = models.CharField(
        max_length=1000, blank=True, help_text="Its option values; empty for the only variant."
    )
    option_values = ArrayField(
        models.CharField(max_length=255),
        default=list,
        blank=True,
        help_text="One for each option of the product, in their order.",
    )
    position = models.PositiveIntegerField(default=0)
    barcode = models.CharField(max_length=255, blank=True)
    weight_grams = models.PositiveIntegerField(default=0)
    tax_class = models.CharField(max_length=10, choices=TaxClass, default=TaxClass.STANDARD)
    requires_shipping = models.BooleanField(default=True)
    image = models.ForeignKey(
        "ProductImage",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="variants",
        help_text="The picture of this variant; empty: the first of the product.",
    )
    is_active = models.BooleanField(default=True, help_text="Inactive variants are not sold.")
    availability_state = models.CharField(
        max_length=12, choices=AvailabilityState, default=AvailabilityState.OUT_OF_STOCK
    )
    availability_quantity = models.PositiveSmallIntegerField(
        default=0, help_text="Units to be had, capped at 10."
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(sku=""), name="variant_has_a_sku"),
            models.CheckConstraint(
                condition=Q(tax_class__in=["STANDARD", "REDUCED", "ZERO"]),
                name="variant_tax_class_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    availability_state__in=["in_stock", "low_stock", "out_of_stock", "backorder"]
                ),
                name="variant_availability_known",
            ),
            models.CheckConstraint(
                condition=Q(availability_quantity__lte=10), name="variant_availability_capped"
            ),
        ]

    def __str__(self) -> str:
        return self.sku
