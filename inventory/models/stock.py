"""Tables of inventory: how much there is, where, to whom it is promised, and how it came to that.

Only `inventory.services` writes the numbers.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

# Neither what is on hand nor a limit goes beyond this, so that their sum fits a PostgreSQL integer.
MOST_UNITS = 1_000_000_000
# Shoppers are told no more than this many units.
PUBLIC_CAP = 10
# The code of the warehouse for what came back and nobody has looked at; it is not active.
QUARANTINE = "quarantine"


class Warehouse(models.Model):
    """A place that keeps stock. Staff write it; an inactive one sells nothing."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2, help_text="ISO 3166-1, such as GB.")
    is_active = models.BooleanField(default=True, help_text="Whether its stock can be sold.")
    priority = models.PositiveSmallIntegerField(
        default=100, help_text="Smaller is taken first where nothing else decides."
    )

    class Meta:
        ordering = ["priority", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
                name="warehouse_code_is_plain",
            ),
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$"), name="warehouse_country_is_a_code"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class StockQuerySet(models.QuerySet["Stock"]):
    """Stock rows, and the one way to lock them."""

    def locked(self) -> "StockQuerySet":
        """Lock these rows until the transaction ends.

        Always in primary-key order: callers that want the same rows queue up, and never deadlock.
        """
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


StockManager = models.Manager.from_queryset(StockQuerySet)


class Stock(models.Model):
    """How much of one variant one warehouse has. Only `inventory.services` writes these numbers.

    `reserved` counts what is promised: units of reservations that are HELD or OWED. Promises may
    exceed what is on hand by `backorder_limit`, and not by one unit more.
    """

    variant = models.ForeignKey(
        "catalog.Variant", on_delete=models.PROTECT, related_name="stocks", db_index=False
    )
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="stocks")
    on_hand = models.IntegerField(default=0, help_text="Units in the warehouse.")
    reserved = models.IntegerField(default=0, help_text="Units that are promised to someone.")
    backorder_limit = models.IntegerField(
        default=0, help_text="Units that may be promised beyond what is on hand."
    )
    low_at = models.IntegerField(
        default=5, help_text="At this many units or fewer, shoppers read that stock is low."
    )

    objects = StockManager()

    class Meta:
        verbose_name_plural = "stock"
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "warehouse"], name="stock_once_per_variant_and_warehouse"
            ),
            models.CheckConstraint(
                condition=Q(on_hand__gte=0, on_hand__lte=MOST_UNITS), name="stock_on_hand_in_range"
            ),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="stock_reserved_in_range"),
            models.CheckConstraint(
                condition=Q(backorder_limit__gte=0, backorder_limit__lte=MOST_UNITS),
                name="stock_backorder_limit_in_range",
            ),
            models.CheckConstraint(
                condition=Q(low_at__gte=0, low_at__lte=MOST_UNITS), name="stock_low_at_in_range"
            ),
            models.CheckConstraint(
                condition=Q(reserved__lte=F("on_hand") + F("backorder_limit")),
                name="stock_reserved_within_on_hand_and_backorder",
            ),
        ]

    def __str__(self) -> str:
        return f"stock {self.pk}"


class Reservation(models.Model):
    """Units of one stock that are promised to `reference`, which means nothing to inventory.

    HELD until it is COMMITTED (the units left) or RELEASED (the promise ended). A committed one
    that waits for units which are not there yet (a back-order) is OWED until they come in.
    `buyer` and `sale` say whom and which flash sale its units count for, unless it is RELEASED.
    """

    class State(models.TextChoices):
        HELD = "HELD", "Held"
        COMMITTED = "COMMITTED", "Committed"
        RELEASED = "RELEASED", "Released"
        OWED = "OWED", "Owed"

    reference = models.CharField(max_length=100)
    stock = models.ForeignKey(
        Stock, on_delete=models.PROTECT, related_name="reservations", db_index=False
    )
    quantity = models.IntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.HELD)
    expires_at = models.DateTimeField(help_text="Until when a held one is kept.")
    created_at = models.DateTimeField()
    buyer = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Tells buyers apart, for limits; means nothing else. Empty: nobody is counted.",
    )
    sale = models.ForeignKey(
        "inventory.FlashSale",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reservations",
        db_index=False,
        help_text="The flash sale whose units these are.",
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["buyer", "stock"],
                name="reservation_by_buyer",
                condition=~Q(buyer="") & ~Q(state="RELEASED"),
            ),
            models.Index(
                fields=["sale", "created_at"],
                name="reservation_by_sale",
                condition=Q(sale__isnull=False) & ~Q(state="RELEASED"),
            ),
            # What is past its end, asked by each look at the stock and in each reserve of a sale:
            # without these, all open holds of a hot variant are read.
            models.Index(
                fields=["stock", "expires_at"],
                name="reservation_held_by_stock",
                condition=Q(state="HELD"),
            ),
            models.Index(
                fields=["sale", "expires_at"],
                name="reservation_held_by_sale",
                condition=Q(sale__isnull=False, state="HELD"),
            ),
            models.Index(
                fields=["stock"],
                name="reservation_open_by_stock",
                condition=Q(state__in=["HELD", "OWED"]),
            ),
            models.Index(
                fields=["expires_at"], name="reservation_held_by_expiry", condition=Q(state="HELD")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["reference", "stock"], name="reservation_once_per_reference"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1), name="reservation_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["HELD", "COMMITTED", "RELEASED", "OWED"]),
                name="reservation_state_known",
            ),
            models.CheckConstraint(condition=~Q(reference=""), name="reservation_has_a_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.reference}: {self.quantity} ({self.state})"


class StockMovement(models.Model):
    """One change of a stock's counters, with the balance after it: the ledger.

    Appended in the transaction that made the change, under the lock of the stock row, so that ids
    of one stock are in the order in which its changes happened. Never edited and never deleted:
    a trigger refuses it. `cause` says what brought it about, and counts once per kind and stock.
    """

    class Kind(models.TextChoices):
        RECEIPT = "RECEIPT", "Receipt"
        RESERVATION = "RESERVATION", "Reservation"
        RELEASE = "RELEASE", "Release"
        SALE = "SALE", "Sale"
        RETURN = "RETURN", "Return"
        ADJUSTMENT = "ADJUSTMENT", "Adjustment"
        WRITE_OFF = "WRITE_OFF", "Write-off"
        COUNT = "COUNT", "Count"
        TRANSFER_OUT = "TRANSFER_OUT", "Transfer out"
        TRANSFER_IN = "TRANSFER_IN", "Transfer in"
        # A counter was brought back to what the ledger says: the one kind that may change nothing.
        CORRECTION = "CORRECTION", "Correction"

    stock = models.ForeignKey(
        Stock, on_delete=models.PROTECT, related_name="movements", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind)
    delta_on_hand = models.IntegerField()
    delta_reserved = models.IntegerField()
    on_hand_after = models.IntegerField()
    reserved_after = models.IntegerField()
    reason = models.CharField(max_length=500, blank=True)
    cause = models.CharField(max_length=100)
    # No foreign key: the ledger outlives accounts, and must not be edited when one goes.
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The account that did it.")
    happened_at = models.DateTimeField()

    class Meta:
        default_permissions = ("add", "view")
        indexes = [models.Index(fields=["stock", "id"], name="movement_by_stock")]
        constraints = [
            models.UniqueConstraint(
                fields=["cause", "kind", "stock"], name="movement_once_per_cause"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "RECEIPT",
                        "RESERVATION",
                        "RELEASE",
                        "SALE",
                        "RETURN",
                        "ADJUSTMENT",
                        "WRITE_OFF",
                        "COUNT",
                        "TRANSFER_OUT",
                        "TRANSFER_IN",
                        "CORRECTION",
                    ]
                ),
                name="movement_kind_known",
            ),
            models.CheckConstraint(
                condition=~Q(delta_on_hand=0, delta_reserved=0) | Q(kind="CORRECTION"),
                name="movement_changes_something",
            ),
            models.CheckConstraint(condition=~Q(cause=""), name="movement_has_a_cause"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta_on_hand:+d}/{self.delta_reserved:+d}"


class ReconciliationRun(models.Model):
    """One look at the books of a `scope` (this app's stock, say), and how many faults it saw.

    Written by `inventory.services`; clean runs are forgotten after a month, others are kept.
    """

    scope = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    seconds = models.FloatField(help_text="How long it took.")
    checks = ArrayField(models.CharField(max_length=60), help_text="What it looked for.")
    found = models.IntegerField(help_text="Faults that it saw.")
    new = models.IntegerField(help_text="Those that no run before it saw.")
    resolved = models.IntegerField(help_text="Those that were open before, and are no more.")

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["started_at"], name="reconciliation_clean_by_age", condition=Q(found=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.started_at:%Y-%m-%d %H:%M}"


class ReconciliationFinding(models.Model):
    """One place where the books disagree, or did. Seen again, it is the same row.

    `kind` is the name of the check and `reference` the place. One that comes back after it was
    resolved is a new one. Runs from `first_run` to `last_run` saw it.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", "Open"
        RESOLVED = "RESOLVED", "Resolved"

    scope = models.CharField(max_length=40)
    kind = models.CharField(max_length=60)
    reference = models.CharField(max_length=500)
    expected = models.CharField(max_length=100)
    found = models.CharField(max_length=100)
    detail = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=200, blank=True, help_text="How it ended.")
    first_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    last_run = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["scope", "first_run"], name="finding_by_first_run"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "kind", "reference"],
                condition=Q(state="OPEN"),
                name="finding_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state="OPEN", resolved_at=None)
                | Q(state="RESOLVED", resolved_at__isnull=False),
                name="finding_resolved_at_some_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.reference}"


class StockCount(models.Model):
    """Somebody counted what lies there. Append-only; a difference has its row in the ledger."""

    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="counts")
    expected = models.IntegerField(help_text="Units that should have been there.")
    counted = models.IntegerField(help_text="Units that were there.")
    reason = models.CharField(max_length=500, blank=True)
    movement = models.ForeignKey(
        StockMovement,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="The ledger row of the difference, if there was one.",
    )
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The account that did it.")
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(counted__gte=0), name="count_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.counted} counted, {self.expected} expected"

    @property
    def variance(self) -> int:
        """Units more, or fewer, than expected."""
        return self.counted - self.expected


class StockTransfer(models.Model):
    """Units on their way from one warehouse to another: in neither, until they are received."""

    class State(models.TextChoices):
        IN_TRANSIT = "IN_TRANSIT", "In transit"
        RECEIVED = "RECEIVED", "Received"

    source = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.IN_TRANSIT)
    reason = models.CharField(max_length=500, blank=True)
    note = models.CharField(max_length=500, blank=True, help_text="Of whoever received it.")
    dispatched_at = models.DateTimeField()
    dispatched_by = models.BigIntegerField(null=True, blank=True, help_text="An account.")
    received_at = models.DateTimeField(null=True, blank=True)
    received_by = models.BigIntegerField(null=True, blank=True, help_text="An account.")

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=~Q(source=F("destination")), name="transfer_goes_somewhere"
            ),
            models.CheckConstraint(
                condition=Q(state="IN_TRANSIT", received_at=None)
                | Q(state="RECEIVED", received_at__isnull=False),
                name="transfer_received_at_some_time",
            ),
        ]

    def __str__(self) -> str:
        return f"transfer {self.pk}"


class StockTransferLine(models.Model):
    """Units of one variant in a transfer. `received` is empty while they are on their way."""

    transfer = models.ForeignKey(
        StockTransfer, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    variant = models.ForeignKey(
        "catalog.Variant", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    sent = models.IntegerField(help_text="Units.")
    received = models.IntegerField(null=True, blank=True, help_text="Units.")

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["transfer", "variant"], name="transfer_line_once_per_variant"
            ),
            models.CheckConstraint(
                condition=Q(sent__gte=1)
                & (Q(received=None) | Q(received__gte=0, received__lte=F("sent"))),
                name="transfer_line_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sent} of {self.variant_id}"

    @property
    def missing(self) -> int | None:
        """Units that were sent and did not arrive; None while they are on their way."""
        return None if self.received is None else self.sent - self.received


class StockSubscription(models.Model):
    """Somebody wants to hear when a variant is available again. Gone once the mail is sent.

    A guest's address is kept for that mail alone; a customer's is looked up when it is sent.
    """

    variant = models.ForeignKey(
        "catalog.Variant", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    customer = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, null=True, related_name="+"
    )
    email = models.EmailField(blank=True, help_text="Of a guest.")
    email_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, help_text="When its mail was asked for.")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "email_hash"],
                condition=Q(told_at=None),
                name="subscription_waits_once",
            ),
            models.CheckConstraint(
                condition=Q(customer=None) ^ Q(email=""), name="subscription_has_one_addressee"
            ),
        ]

    def __str__(self) -> str:
        return f"subscription {self.pk}"
