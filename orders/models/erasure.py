"""People who had themselves erased, and what the law has us keep of their sales."""

from django.db import models
from django.db.models import Q

from orders.models.orders import Order


class Erasure(models.Model):
    """Somebody is to be forgotten. Only `orders.services` writes it; it is the list itself.

    It names nobody: `person` is the account's public id, whose row says nothing any more. A backup
    that is restored is brought up to date by the list (`manage.py erasures`).
    """

    user_id = models.BigIntegerField(unique=True, help_text="The account.")
    person = models.UUIDField(unique=True, help_text="Its public id.")
    # What an account's mails are no proof of is somebody else's: guests' orders are looked up by
    # these for an address that was verified, and they are gone once it is done.
    email_hashes = models.JSONField(default=list)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["asked_at"], name="erasure_unfinished", condition=Q(finished_at=None)
            ),
        ]

    def __str__(self) -> str:
        return str(self.person)


class RetainedInvoiceData(models.Model):
    """To whom a sale was billed, after its buyer was erased: kept apart until `keep_until`.

    Restricted: no API shows it, and staff see it by a permission of its own, each look logged.
    """

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="retained")
    order_number = models.CharField(max_length=10)
    email = models.EmailField(max_length=254, blank=True)
    billing_address = models.JSONField(null=True, blank=True)
    shipping_address = models.JSONField(null=True, blank=True)
    total_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    sold_at = models.DateTimeField()
    keep_until = models.DateField(db_index=True, help_text="It is deleted on that day.")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "retained invoice data"
        verbose_name_plural = "retained invoice data"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.order_number
