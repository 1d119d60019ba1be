"""What a replayed history leaves behind that no order, return or credit note can hold."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.models.orders import LineKind, OrderLine


class Cancellation(models.Model):
    """A cancellation as another system's document told it: units back, and money back.

    It does not name the sale that it reverses. `orders.services.history` decides that, writes it
    down as lines, and makes the returns, refunds and credit note that follow from them.
    """

    external_ref = models.CharField(
        max_length=64, unique=True, help_text="Its number in the system that it came from."
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="cancellations",
        help_text="Empty: a guest.",
    )
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField(help_text="The money back: the sum of its lines.")
    happened_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(total_minor__gte=0), name="cancellation_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.external_ref


class CancellationLine(models.Model):
    """Units of one code that came back, out of one sold line, or (without one) out of none."""

    cancellation = models.ForeignKey(
        Cancellation, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    position = models.PositiveIntegerField()
    order_line = models.ForeignKey(
        OrderLine,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="cancellation_lines",
        help_text="Where it was sold; empty: credited alone.",
    )
    kind = models.CharField(max_length=5, choices=LineKind)
    # PROTECT: to set it to null is an UPDATE, which nobody may do to this table.
    variant = models.ForeignKey(
        "catalog.Variant", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    sku = models.CharField(max_length=255)
    title = models.CharField(max_length=1000)
    quantity = models.IntegerField()
    unit_price_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering = ["cancellation", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["cancellation", "position"], name="cancellation_line_once"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, amount_minor__gte=0),
                name="cancellation_line_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["GOODS", "FEE"]), name="cancellation_line_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"


class UnstockedWriteOff(models.Model):
    """Units written off of a code that was never kept in stock, such as an old gift voucher.

    Written-off stock is in the ledger of inventory; these have none to be in.
    """

    external_ref = models.CharField(max_length=64)
    position = models.PositiveIntegerField()
    sku = models.CharField(max_length=255)
    quantity = models.IntegerField(help_text="Units.")
    reason = models.CharField(max_length=500)
    happened_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["external_ref", "position"], name="unstocked_write_off_once"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1), name="unstocked_write_off_quantity_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"


class AccountAdjustment(models.Model):
    """Money that the books gained or (below 0) lost with no goods moving, such as a bad debt."""

    external_ref = models.CharField(max_length=64)
    position = models.PositiveIntegerField()
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="account_adjustments",
    )
    sku = models.CharField(max_length=255)
    reason = models.CharField(max_length=500)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    happened_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["external_ref", "position"], name="account_adjustment_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.external_ref} {self.amount_minor} {self.currency}"
