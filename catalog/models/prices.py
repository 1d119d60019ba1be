"""What things cost, and cost before."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q

from catalog.models.products import Variant


class TimeRange(Func):
    """The half-open time from one column to another; an empty column leaves that side open."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


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
