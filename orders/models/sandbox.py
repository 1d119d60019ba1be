"""The books of the sandbox provider: what a real one would keep on its own machines.

Only `orders.providers.sandbox` reads or writes them. Nothing here points at our own tables.
"""

from django.db import models
from django.db.models import F, Q


class SandboxCharge(models.Model):
    """One payment as the sandbox knows it, once under the key that it was asked with."""

    class Status(models.TextChoices):
        REQUIRES_ACTION = "REQUIRES_ACTION", "Payer must act"
        CAPTURED = "CAPTURED", "Captured"
        DECLINED = "DECLINED", "Declined"
        VOIDED = "VOIDED", "Voided"

    key = models.UUIDField(primary_key=True)
    reference = models.CharField(max_length=40, unique=True)
    token = models.CharField(max_length=60)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, choices=Status)
    refunded_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0) & Q(refunded_minor__lte=F("amount_minor")),
                name="sandbox_refunds_within_charge",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class SandboxRefund(models.Model):
    """One refund as the sandbox knows it, once under its key."""

    key = models.UUIDField(primary_key=True)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.PROTECT, related_name="refunds")
    reference = models.CharField(max_length=40, unique=True)
    amount_minor = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.reference
