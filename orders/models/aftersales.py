"""What comes after a sale: money back, goods back, and the documents that say so."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from orders.models.orders import Channel, LineKind, Order, OrderLine
from orders.models.payments import Payment


class Refund(models.Model):
    """Money that goes back for an order. Its id is the key that the provider knows it by.

    `reference` says what it is for, and counts once: asked for twice, it is given once.
    """

    class Status(models.TextChoices):
        NEW = "NEW", "New"
        REQUESTED = "REQUESTED", "Requested"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        FAILED = "FAILED", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=100, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    provider_reference = models.CharField(max_length=255, blank=True)
    failure_code = models.CharField(max_length=60, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The account that asked.")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="refund_not_negative"),
            models.CheckConstraint(
                condition=Q(status__in=["NEW", "REQUESTED", "SUCCEEDED", "FAILED"]),
                name="refund_status_known",
            ),
            models.CheckConstraint(condition=~Q(reference=""), name="refund_has_a_reference"),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="refund_open_by_next_attempt",
                condition=Q(status__in=["NEW", "REQUESTED"]),
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class RefundLine(models.Model):
    """Which line a part of a refund is for; a refund of a mere amount has none."""

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="refund_lines")
    quantity = models.IntegerField(default=0, help_text="Units; 0 for money alone.")
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["refund", "order_line"], name="refund_line_once_per_order_line"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, amount_minor__gte=0), name="refund_line_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × line {self.order_line_id}"


class Return(models.Model):
    """Goods that come back. `reference` counts once, like a refund's."""

    class Status(models.TextChoices):
        REQUESTED = "REQUESTED", "Requested"
        RECEIVED = "RECEIVED", "Received"
        REFUSED = "REFUSED", "Refused"

    reference = models.CharField(max_length=100, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="returns")
    reason = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    requested_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True)
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The account that did it.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["REQUESTED", "RECEIVED", "REFUSED"]),
                name="return_status_known",
            ),
            models.CheckConstraint(condition=~Q(reference=""), name="return_has_a_reference"),
        ]

    def __str__(self) -> str:
        return self.reference


class ReturnLine(models.Model):
    """Units of one line that come back, and whether they can be sold again."""

    return_order = models.ForeignKey(
        Return, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    order_line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="return_lines")
    quantity = models.IntegerField()
    is_restocked = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["return_order", "order_line"], name="return_line_once_per_order_line"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1), name="return_line_quantity_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × line {self.order_line_id}"


class CreditNote(models.Model):
    """A document that credits somebody without an order of ours to credit it against."""

    external_ref = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        unique=True,
        default=None,
        help_text="Its number in another system that it came from.",
    )
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.STAFF)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="credit_notes",
    )
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField(help_text="What is credited: the sum of its lines.")
    reason = models.CharField(max_length=500, blank=True)
    issued_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(total_minor__gte=0), name="credit_note_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.external_ref or f"credit note {self.pk}"


class CreditNoteLine(models.Model):
    """What is credited: units that came back, or an amount with a name."""

    credit_note = models.ForeignKey(
        CreditNote, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=5, choices=LineKind, default=LineKind.GOODS)
    # PROTECT: to set it to null is an UPDATE, which nobody may do to this table.
    variant = models.ForeignKey(
        "catalog.Variant", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    sku = models.CharField(max_length=255)
    title = models.CharField(max_length=1000)
    quantity = models.IntegerField()
    unit_price_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()

    class Meta:
        ordering = ["credit_note", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["credit_note", "position"], name="credit_note_line_once"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, total_minor__gte=0),
                name="credit_note_line_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
