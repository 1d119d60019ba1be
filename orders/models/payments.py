"""Attempts to pay, and what providers told of them."""

import uuid
from functools import cache

from django.db import connection, models
from django.db.models import Q
from psycopg.sql import SQL

from orders.models.orders import Order
from shop.db.updating import columns_of, row_of


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Payments, and the one way to lock them."""

    def locked(self) -> "PaymentQuerySet":
        """Lock these payments and, with them, their orders, until the transaction ends.

        Whoever decides on an order or its money holds the order's lock, so two cannot decide.
        """
        return (
            self.select_related("order")
            .order_by("order_id", "pk")
            .select_for_update(of=("order", "self"), no_key=True)
        )

    def locked_one(self, payment_id: uuid.UUID) -> "Payment | None":
        """Return the payment with its order, both locked as by `locked`, or None.

        Each order is settled by it, so its statement is made once; a test compares the two.
        """
        with connection.cursor() as cursor:
            cursor.execute(_locked_one(), [payment_id])
            row = cursor.fetchone()
        if row is None:
            return None
        width = len(Payment._meta.concrete_fields)
        payment = row_of(Payment, row[:width])
        payment.order = row_of(Order, row[width:])
        return payment


@cache
def _locked_one() -> str:
    return (
        SQL(
            "SELECT {payment}, {order} FROM orders_payment p JOIN orders_order o"
            " ON o.id = p.order_id WHERE p.id = %s FOR NO KEY UPDATE OF o, p"
        )
        .format(payment=columns_of(Payment, "p"), order=columns_of(Order, "o"))
        .as_string()
    )


PaymentManager = models.Manager.from_queryset(PaymentQuerySet)


class Payment(models.Model):
    """One attempt to pay for an order. Its id is the key that the provider knows it by.

    No card number is ever here: `token` is the provider's name for what the buyer chose.
    """

    class Status(models.TextChoices):
        NEW = "NEW", "New"  # the provider has not been asked
        REQUESTED = (
            "REQUESTED",
            "Requested",
        )  # asked, or about to be; what came of it may be unknown
        REQUIRES_ACTION = "REQUIRES_ACTION", "Payer must act"
        AUTHORIZED = "AUTHORIZED", "Authorized"
        CAPTURED = "CAPTURED", "Captured"
        DECLINED = "DECLINED", "Declined"
        FAILED = "FAILED", "Failed"
        VOIDED = "VOIDED", "Voided"

    OPEN = frozenset({Status.NEW, Status.REQUESTED, Status.REQUIRES_ACTION})

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="payments", db_index=False
    )
    provider = models.CharField(max_length=20)
    token = models.CharField(max_length=255, blank=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, choices=Status, default=Status.NEW)
    captured_minor = models.BigIntegerField(default=0, help_text="What the provider says it took.")
    provider_reference = models.CharField(max_length=255, blank=True)
    card_brand = models.CharField(max_length=20, blank=True)
    card_last4 = models.CharField(max_length=4, blank=True)
    next_action_url = models.CharField(max_length=2000, blank=True)
    failure_code = models.CharField(max_length=60, blank=True)
    idempotency_claim = models.BigIntegerField(
        null=True, blank=True, help_text="The key whose answer the outcome completes."
    )
    attempts = models.PositiveIntegerField(default=0, help_text="How often the provider was asked.")
    requested_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="When to ask the provider again, while it is open."
    )
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    authorized_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Until when the provider keeps the money aside, if it says so.",
    )

    objects = PaymentManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=~Q(status__in=["DECLINED", "FAILED", "VOIDED"]),
                name="payment_one_living_per_order",
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="payment_once_per_provider_reference",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, captured_minor__gte=0),
                name="payment_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "NEW",
                        "REQUESTED",
                        "REQUIRES_ACTION",
                        "AUTHORIZED",
                        "CAPTURED",
                        "DECLINED",
                        "FAILED",
                        "VOIDED",
                    ]
                ),
                name="payment_status_known",
            ),
        ]
        indexes = [
            models.Index(fields=["order"], name="payment_of_order"),
            models.Index(
                fields=["next_attempt_at"],
                name="payment_open_by_next_attempt",
                condition=Q(status__in=["NEW", "REQUESTED", "REQUIRES_ACTION"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether the outcome is still to come."""
        return self.status in self.OPEN


class ProviderEvent(models.Model):
    """A message that a provider sent us, kept once under its own id."""

    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=100)
    provider_reference = models.CharField(max_length=255, blank=True, db_index=True)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "event_id"], name="provider_event_kept_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"
