"""The rules that turn a cart into an amount: where the shop ships, for how much, and which tax is
in its prices. The carts themselves live in Redis (`cart.store`).

Staff write these rows in the admin; a running shop reads them through `cart.selectors.load_rules`.
"""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from catalog.models import TaxClass
from shop.audit import track

_COUNTRY = RegexValidator(r"^[A-Z]{2}\Z", "Two capital letters, such as GB.")
_CURRENCY = RegexValidator(r"^[A-Z]{3}\Z", "Three capital letters, such as GBP.")
_CODE = RegexValidator(r"^[a-z0-9][a-z0-9_-]*\Z", "Small letters, digits, - and _ only.")


class ShippingZone(models.Model):
    """A group of countries that are served by the same shipping methods."""

    name = models.CharField(max_length=80, unique=True)
    countries = ArrayField(
        models.CharField(max_length=2, validators=[_COUNTRY]),
        help_text="ISO 3166-1 codes, such as GB. A country may be in several zones.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ShippingMethod(models.Model):
    """A way in which a parcel travels into one zone."""

    code = models.CharField(
        max_length=40,
        validators=[_CODE],
        help_text="What clients send as shipping_method, such as standard.",
    )
    zone = models.ForeignKey(ShippingZone, on_delete=models.CASCADE, related_name="methods")
    name = models.CharField(max_length=80)
    days_min = models.PositiveSmallIntegerField(help_text="Working days, at best.")
    days_max = models.PositiveSmallIntegerField(help_text="Working days, at worst.")
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["zone", "position", "code"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "code"], name="shipping_code_once_per_zone"),
            models.CheckConstraint(
                condition=Q(days_max__gte=F("days_min")), name="shipping_days_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class ShippingRate(models.Model):
    """What a method costs in one currency, for parcels within these bounds.

    The lowest price of all rates that fit is charged. Bounds are inclusive below and exclusive
    above; an empty upper bound is none.
    """

    method = models.ForeignKey(ShippingMethod, on_delete=models.CASCADE, related_name="rates")
    currency = models.CharField(max_length=3, validators=[_CURRENCY])
    price_minor = models.PositiveBigIntegerField(help_text="Tax included, in minor units.")
    free_over_minor = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Goods worth this much, or more, travel free."
    )
    min_subtotal_minor = models.PositiveBigIntegerField(default=0)
    max_subtotal_minor = models.PositiveBigIntegerField(null=True, blank=True)
    min_weight_grams = models.PositiveIntegerField(default=0)
    max_weight_grams = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["method", "currency", "min_subtotal_minor", "min_weight_grams", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(max_subtotal_minor=None)
                | Q(max_subtotal_minor__gt=F("min_subtotal_minor")),
                name="shipping_rate_subtotals_in_order",
            ),
            models.CheckConstraint(
                condition=Q(max_weight_grams=None) | Q(max_weight_grams__gt=F("min_weight_grams")),
                name="shipping_rate_weights_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method}: {self.price_minor} {self.currency}"


class TaxRate(models.Model):
    """The value added tax that a country's prices contain, for a class of goods and a time."""

    country = models.CharField(max_length=2, validators=[_COUNTRY])
    tax_class = models.CharField(max_length=10, choices=TaxClass.choices)
    rate_bps = models.PositiveIntegerField(
        validators=[MinValueValidator(0), MaxValueValidator(10_000)],
        help_text="Hundredths of a percent: 2000 is 20 %.",
    )
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True, help_text="The last day; empty: until told.")
    source = models.CharField(max_length=300, help_text="Who says so, and as of when.")

    class Meta:
        ordering = ["country", "tax_class", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["country", "tax_class", "valid_from"], name="tax_rate_once_per_start"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="tax_rate_days_in_order",
            ),
            models.CheckConstraint(condition=Q(rate_bps__lte=10_000), name="tax_rate_at_most_all"),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.tax_class} {self.rate_bps / 100:g} %"


class RulesVersion(models.Model):
    """Which state the rules above are in: one row, which a trigger changes whenever they do.

    So that whoever charges by them need not read them all to know that they are the same.
    """

    id = models.BooleanField(primary_key=True, default=True)
    version = models.UUIDField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=True), name="rules_version_is_one")]

    def __str__(self) -> str:
        return str(self.version)


# What was changed in the rules, by whoever: also by SQL.
ShippingZoneChange = track(ShippingZone, "name", "countries", everybody=True)
ShippingMethodChange = track(
    ShippingMethod,
    "code",
    "zone",
    "name",
    "days_min",
    "days_max",
    "position",
    "is_active",
    everybody=True,
)
ShippingRateChange = track(
    ShippingRate,
    "method",
    "currency",
    "price_minor",
    "free_over_minor",
    "min_subtotal_minor",
    "max_subtotal_minor",
    "min_weight_grams",
    "max_weight_grams",
    everybody=True,
)
TaxRateChange = track(
    TaxRate, "country", "tax_class", "rate_bps", "valid_from", "valid_to", "source", everybody=True
)
