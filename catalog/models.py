"""Tables of the catalogue: what is offered, described how, and at which price."""

from datetime import datetime
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.files.storage import default_storage
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Upper
from tree_queries.fields import TreeNodeForeignKey
from tree_queries.query import TreeQuerySet


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


class TimeRange(Func):
    """The half-open time from one column to another; an empty column leaves that side open."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


def image_address(url: str, file: str) -> str | None:
    """Return where a picture can be fetched, absolute; None if there is neither."""
    if url or not file:
        return url or None
    return urljoin(f"{settings.SHOP_PUBLIC_URL}/", default_storage.url(file))


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


class Price(models.Model):
    """What one unit of a variant costs in one currency, tax included.

    Without a window it is the base price. With one it is a scheduled price, which wins over the
    base price while its window holds, be it lower or higher. Windows do not overlap, so at any
    moment one price is the price.
    """

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField(validators=[MinValueValidator(0)])
    compare_at_minor = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="The struck-through price; above the amount.",
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="The first moment without it.")

    class Meta:
        indexes = [
            models.Index(
                fields=["starts_at"],
                name="price_by_start",
                condition=Q(starts_at__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, amount_minor__lte=10**15),
                name="price_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(compare_at_minor__isnull=True)
                | Q(compare_at_minor__gt=F("amount_minor"), compare_at_minor__lte=10**15),
                name="price_compared_with_a_higher_one",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="price_currency_is_a_code"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True)
                | Q(ends_at__isnull=True)
                | Q(ends_at__gt=F("starts_at")),
                name="price_window_ends_after_it_starts",
            ),
            models.UniqueConstraint(
                fields=["variant", "currency"],
                condition=Q(starts_at__isnull=True, ends_at__isnull=True),
                name="price_base_once_per_currency",
            ),
            ExclusionConstraint(
                name="price_windows_do_not_overlap",
                expressions=[
                    ("variant", RangeOperators.EQUAL),
                    ("currency", RangeOperators.EQUAL),
                    (TimeRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                ],
                condition=Q(starts_at__isnull=False) | Q(ends_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency}"

    @property
    def has_window(self) -> bool:
        """Whether it is a scheduled price, and not the base price."""
        return self.starts_at is not None or self.ends_at is not None


class PriceHistory(models.Model):
    """From this moment on this was the price that shoppers were asked for.

    Appended by the service that changes a price, or that sees a window begin or end; never
    edited. The price before holds until the next row. No amount: it was no longer offered.
    """

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="price_history")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField(null=True)
    effective_at = models.DateTimeField()

    class Meta:
        verbose_name = "past price"
        verbose_name_plural = "price history"
        indexes = [
            models.Index(
                fields=["variant", "currency", "effective_at", "id"], name="price_history_in_order"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__isnull=True) | Q(amount_minor__gte=0),
                name="past_price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency}"


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

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(url="") & ~Q(file="")) | (~Q(url="") & Q(file="")),
                name="product_image_is_a_file_or_an_address",
            ),
        ]

    def __str__(self) -> str:
        return self.alt or self.url or self.file.name or ""

    @property
    def address(self) -> str:
        """Where it can be fetched."""
        return image_address(self.url, self.file.name or "") or ""


class ProductListing(models.Model):
    """One row for each product and currency in which it can be bought now: what lists read.

    A copy, kept by the services that change what it copies and made anew by
    `manage.py rebuild_listing`. There is no row for what shoppers may not see; a product that is
    published later has one already, and lists leave it out until then.
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="listings")
    currency = models.CharField(max_length=3)
    slug = models.CharField(max_length=255)
    title = models.CharField(max_length=255)
    title_key = models.CharField(
        max_length=255, db_collation="C", help_text="The title without case and accents."
    )
    vendor = models.CharField(max_length=255)
    category_slug = models.CharField(max_length=150)
    category_name = models.CharField(max_length=120)
    category_path = ArrayField(
        models.CharField(max_length=150), help_text="Slugs from the root to the product's own."
    )
    tags = ArrayField(models.CharField(max_length=255))
    options = ArrayField(models.CharField(max_length=511), help_text="`name=value` as shown.")
    option_keys = ArrayField(
        models.CharField(max_length=511), help_text="`name=value` in lower case, to filter by."
    )
    image_url = models.CharField(max_length=2000)
    image_file = models.CharField(max_length=200)
    min_price_minor = models.BigIntegerField()
    max_price_minor = models.BigIntegerField()
    compare_at_minor = models.BigIntegerField(null=True)
    availability_state = models.CharField(max_length=12, choices=AvailabilityState)
    availability_quantity = models.PositiveSmallIntegerField()
    in_stock = models.BooleanField()
    popularity = models.PositiveBigIntegerField()
    published_at = models.DateTimeField()
    refresh_at = models.DateTimeField(
        null=True, help_text="When a price window begins or ends next, or the product appears."
    )
    search = SearchVectorField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "currency"], name="listing_once_per_product_and_currency"
            ),
        ]
        indexes = [
            models.Index(fields=["currency", "published_at", "product"], name="listing_by_newest"),
            models.Index(
                fields=["currency", "min_price_minor", "product"], name="listing_by_price"
            ),
            models.Index(fields=["currency", "title_key", "product"], name="listing_by_title"),
            models.Index(fields=["currency", "popularity", "product"], name="listing_by_sales"),
            models.Index(fields=["currency", "vendor"], name="listing_of_vendor"),
            models.Index(
                fields=["refresh_at"],
                name="listing_due",
                condition=Q(refresh_at__isnull=False),
            ),
            GinIndex(fields=["category_path"], name="listing_in_category"),
            GinIndex(fields=["tags"], name="listing_with_tag"),
            GinIndex(fields=["option_keys"], name="listing_with_option"),
            GinIndex(fields=["search"], name="listing_by_words"),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.currency}"


class SearchWord(models.Model):
    """A word that some product of the listing has: what misspelt words are taken for.

    Added with the listing, and never taken away.
    """

    word = models.CharField(max_length=40, primary_key=True, db_collation="C")

    class Meta:
        indexes = [
            GinIndex(fields=["word"], opclasses=["gin_trgm_ops"], name="search_word_by_likeness"),
        ]

    def __str__(self) -> str:
        return self.word
