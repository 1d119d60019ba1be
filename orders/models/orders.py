"""Orders, their lines, and what happened to them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Channel(models.TextChoices):
    """Where an order came from."""

    WEB = "WEB", "Web"
    STAFF = "STAFF", "Staff"
    HISTORY = "HISTORY", "History"


class LineKind(models.TextChoices):
    """Whether a line is a thing from a shelf or an amount with a name."""

    GOODS = "GOODS", "Goods"
    FEE = "FEE", "Fee"


class OrderQuerySet(models.QuerySet["Order"]):
    """Orders, and the one way to lock them."""

    def locked(self) -> "OrderQuerySet":
        """Lock these rows until the transaction ends, in primary-key order.

        An order is locked before its payments, and those before any stock.
        """
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


OrderManager = models.Manager.from_queryset(OrderQuerySet)


class Order(models.Model):
    """What somebody bought. Only `orders.services` writes it.

    Prices, titles, tax and addresses are frozen when it is placed. Known outside by `number`. Its
    amounts contain the tax: `subtotal - discount + shipping = total`, and `tax` is part of it.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"
        CONFIRMED = "CONFIRMED", "Confirmed"
        COMPLETED = "COMPLETED", "Completed"
        CANCELLED = "CANCELLED", "Cancelled"

    class PaymentStatus(models.TextChoices):
        PENDING = "PENDING", "Pending"
        AUTHORIZED = "AUTHORIZED", "Authorized"
        PAID = "PAID", "Paid"
        PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED", "Partially refunded"
        REFUNDED = "REFUNDED", "Refunded"
        FAILED = "FAILED", "Failed"
        VOIDED = "VOIDED", "Voided"

    class FulfillmentStatus(models.TextChoices):
        UNFULFILLED = "UNFULFILLED", "Unfulfilled"
        PARTIALLY_FULFILLED = "PARTIALLY_FULFILLED", "Partially fulfilled"
        FULFILLED = "FULFILLED", "Fulfilled"
        RETURNED = "RETURNED", "Returned"

    number = models.CharField(max_length=10, unique=True, help_text="Random, Crockford base32.")
    external_ref = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        unique=True,
        default=None,
        help_text="Its number in another system that it came from.",
    )
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.WEB)

    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        db_index=False,  # `order_newest_of_customer` begins with it
        help_text="Empty: a guest.",
    )
    email = models.EmailField(
        max_length=254, blank=True, help_text="Where mails about the order go; empty: nowhere."
    )
    email_hash = models.CharField(
        max_length=64, blank=True, help_text="Keyed hash, under which orders can be looked up."
    )
    access_token_hash = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of what a guest reads the order with."
    )

    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    payment_status = models.CharField(
        max_length=20, choices=PaymentStatus, default=PaymentStatus.PENDING
    )
    fulfillment_status = models.CharField(
        max_length=20, choices=FulfillmentStatus, default=FulfillmentStatus.UNFULFILLED
    )
    version = models.PositiveIntegerField(default=1, help_text="Grows with every change.")

    currency = models.CharField(max_length=3)
    subtotal_minor = models.BigIntegerField(help_text="The lines before discount, tax included.")
    discount_minor = models.BigIntegerField(default=0)
    shipping_minor = models.BigIntegerField(default=0, help_text="Tax included.")
    shipping_tax_rate_bps = models.PositiveIntegerField(default=0)
    shipping_tax_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0, help_text="Contained in the total.")
    total_minor = models.BigIntegerField()

    shipping_method = models.CharField(max_length=40, blank=True)
    shipping_method_name = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2, help_text="Where it goes: ISO 3166-1 alpha-2.")
    shipping_address = models.JSONField(null=True, blank=True, help_text="As it was then.")
    billing_address = models.JSONField(null=True, blank=True, help_text="As it was then.")

    cart_id = models.CharField(max_length=80, blank=True)
    cart_version = models.BigIntegerField(null=True, blank=True)

    placed_at = models.DateTimeField()
    hold_expires_at = models.DateTimeField(help_text="Until when a pending order keeps its stock.")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=500, blank=True)
    erased_at = models.DateTimeField(
        null=True, blank=True, help_text="When all that named its buyer was taken out."
    )

    objects = OrderManager()

    class Meta:
        constraints = [
            # I8: a second request for the same cart finds the first one's order, not a new one.
            models.UniqueConstraint(
                fields=["cart_id", "cart_version"],
                condition=Q(cart_version__isnull=False) & ~Q(status="CANCELLED"),
                name="order_once_per_cart_version",
            ),
            models.CheckConstraint(
                condition=Q(
                    total_minor=F("subtotal_minor") - F("discount_minor") + F("shipping_minor")
                ),
                name="order_total_is_the_sum",
            ),
            models.CheckConstraint(
                condition=Q(
                    subtotal_minor__gte=0,
                    discount_minor__gte=0,
                    shipping_minor__gte=0,
                    tax_minor__gte=0,
                    total_minor__gte=0,
                ),
                name="order_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__lte=F("total_minor")), name="order_tax_within_total"
            ),
            models.CheckConstraint(
                condition=Q(status="PENDING", payment_status="PENDING")
                | Q(
                    status="CONFIRMED",
                    payment_status__in=["AUTHORIZED", "PAID", "PARTIALLY_REFUNDED", "REFUNDED"],
                )
                | Q(
                    status="COMPLETED",
                    payment_status__in=["PAID", "PARTIALLY_REFUNDED", "REFUNDED"],
                )
                | Q(
                    status="CANCELLED",
                    payment_status__in=[
                        "PENDING",
                        "PAID",
                        "PARTIALLY_REFUNDED",
                        "REFUNDED",
                        "FAILED",
                        "VOIDED",
                    ],
                ),
                name="order_states_agree",
            ),
            models.CheckConstraint(
                condition=Q(
                    fulfillment_status__in=[
                        "UNFULFILLED",
                        "PARTIALLY_FULFILLED",
                        "FULFILLED",
                        "RETURNED",
                    ]
                ),
                name="order_fulfillment_known",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-placed_at", "-id"], name="order_newest_of_customer"),
            models.Index(fields=["-placed_at", "-id"], name="order_newest"),
            models.Index(fields=["email_hash"], name="order_by_email_hash"),
            models.Index(
                fields=["hold_expires_at"],
                name="order_pending_by_hold",
                condition=Q(status="PENDING"),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def stock_reference(self) -> str:
        """The name under which inventory keeps this order's stock."""
        return f"order:{self.pk}"

    @property
    def second_stock_reference(self) -> str:
        """The name of the hold that a late payer gets when the first one was given to others."""
        return f"{self.stock_reference}:again"


class OrderLine(models.Model):
    """One line of an order, as it was sold.

    `total_minor` is after the discount and contains `tax_minor`. It is kept and not reckoned:
    some sources round prices of thirds of a penny by the line.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=5, choices=LineKind, default=LineKind.GOODS)
    variant = models.ForeignKey(
        "catalog.Variant",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="order_lines",
        help_text="Empty: a fee, or a variant that is gone.",
    )
    sku = models.CharField(max_length=255)
    title = models.CharField(max_length=1000)
    variant_title = models.CharField(max_length=1000, blank=True)
    options = models.JSONField(default=dict, blank=True)
    image = models.CharField(max_length=2000, blank=True)
    quantity = models.IntegerField()
    unit_price_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField()
    tax_class = models.CharField(max_length=10, blank=True)
    tax_rate_bps = models.PositiveIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    is_free = models.BooleanField(
        default=False, help_text="Given away, and not merely priced under half a minor unit."
    )

    class Meta:
        ordering = ["order", "position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="order_line_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1), name="order_line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["GOODS", "FEE"]), name="order_line_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0) & Q(tax_minor__lte=F("total_minor")),
                name="order_line_tax_within_total",
            ),
        ]
        indexes = [models.Index(fields=["sku"], name="order_line_by_sku")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"


class OrderEvent(models.Model):
    """Something that happened to an order. Appended, never changed: a trigger refuses it."""

    class Kind(models.TextChoices):
        PLACED = "PLACED", "Placed"
        ACTION_REQUIRED = "ACTION_REQUIRED", "Payer must act"
        CONFIRMED = "CONFIRMED", "Confirmed"
        PAYMENT_DECLINED = "PAYMENT_DECLINED", "Payment declined"
        PAYMENT_FAILED = "PAYMENT_FAILED", "Payment failed"
        PAYMENT_VOIDED = "PAYMENT_VOIDED", "Payment voided"
        PAYMENT_LATE = "PAYMENT_LATE", "Paid after the end"
        EXPIRED = "EXPIRED", "Expired"
        CANCELLED = "CANCELLED", "Cancelled"
        REFUND_REQUESTED = "REFUND_REQUESTED", "Refund requested"
        REFUNDED = "REFUNDED", "Refunded"
        REFUND_FAILED = "REFUND_FAILED", "Refund failed"
        RETURN_RECEIVED = "RETURN_RECEIVED", "Return received"

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    kind = models.CharField(max_length=20, choices=Kind)
    happened_at = models.DateTimeField()
    detail = models.CharField(
        max_length=500, blank=True, help_text="Shown to the buyer: a reason, an amount."
    )
    # No foreign key: what happened stays when an account goes.
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The account that did it.")

    class Meta:
        default_permissions = ("view",)
        ordering = ["order", "id"]
        indexes = [models.Index(fields=["order", "id"], name="order_event_of_order")]

    def __str__(self) -> str:
        return f"{self.kind} {self.happened_at:%Y-%m-%d %H:%M}"
