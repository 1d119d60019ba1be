"""Terms of selling: how many one buyer may have, and flash sales."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q

from catalog.models import TimeRange
from inventory.models.stock import MOST_UNITS


class PurchaseLimit(models.Model):
    """One buyer may have no more than `units` of a variant, ever or within `window_days`.

    Written by staff through `inventory.services`; kept by `reserve_stock`.
    """

    variant = models.OneToOneField(
        "catalog.Variant", on_delete=models.CASCADE, related_name="purchase_limit"
    )
    units = models.IntegerField(help_text="Units that one buyer may have.")
    window_days = models.IntegerField(
        null=True, blank=True, help_text="Counted over so many days back; empty: for ever."
    )
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(units__gte=1, units__lte=MOST_UNITS), name="purchase_limit_in_range"
            ),
            models.CheckConstraint(
                condition=Q(window_days=None) | Q(window_days__gte=1, window_days__lte=3660),
                name="purchase_limit_window_in_range",
            ),
        ]

    def __str__(self) -> str:
        days = f" in {self.window_days} days" if self.window_days else ""
        return f"{self.units} a buyer{days}"


class FlashSaleQuerySet(models.QuerySet["FlashSale"]):
    """Flash sales, and the one way to lock them: after the stock of their variant."""

    def locked(self) -> "FlashSaleQuerySet":
        """Lock these rows until the transaction ends, in primary-key order."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class FlashSale(models.Model):
    """For some time, no more than `units` of a variant are sold, at a set pace.

    `taken` counts the units of its reservations that are not RELEASED. It changes in the statement
    that changes those, under the lock of the variant's stock, which whoever writes here takes.
    """

    variant = models.ForeignKey(
        "catalog.Variant", on_delete=models.PROTECT, related_name="flash_sales", db_index=False
    )
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="From this moment on it is over.")
    units = models.IntegerField(help_text="So many are sold in it at most.")
    taken = models.IntegerField(default=0, db_default=0, help_text="Units held and sold in it.")
    limit_per_customer = models.IntegerField(
        null=True, blank=True, help_text="Units that one buyer may have of it; empty: no limit."
    )
    admitted_per_second = models.IntegerField(
        default=50, db_default=50, help_text="Checkouts let in each second; others wait in line."
    )
    admitted_at_once = models.IntegerField(
        default=16, db_default=16, help_text="Checkouts let in at the same time."
    )
    version = models.IntegerField(default=1, db_default=1, help_text="Counts changes by staff.")
    created_at = models.DateTimeField()

    objects = models.Manager.from_queryset(FlashSaleQuerySet)()

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="flash_sale_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(units__gte=1, units__lte=MOST_UNITS), name="flash_sale_has_units"
            ),
            models.CheckConstraint(
                condition=Q(taken__gte=0, taken__lte=F("units")), name="flash_sale_taken_in_range"
            ),
            models.CheckConstraint(
                condition=Q(limit_per_customer=None)
                | Q(limit_per_customer__gte=1, limit_per_customer__lte=MOST_UNITS),
                name="flash_sale_limit_in_range",
            ),
            models.CheckConstraint(
                condition=Q(admitted_per_second__gte=1, admitted_per_second__lte=10_000)
                & Q(admitted_at_once__gte=1, admitted_at_once__lte=10_000),
                name="flash_sale_pace_in_range",
            ),
            ExclusionConstraint(
                name="flash_sales_of_a_variant_do_not_overlap",
                expressions=[
                    ("variant", RangeOperators.EQUAL),
                    (TimeRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                ],
                violation_error_message="A variant has one flash sale at a time.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
