"""Tables of the ground: idempotency keys, messages out, messages that were handled, jobs."""

from django.db import models

from shop.jobs.models import Job, JobError, JobRow

__all__ = [
    "ChangeByStaff",
    "IdempotencyKey",
    "InboxMessage",
    "Job",
    "JobError",
    "JobRow",
    "OutboxMessage",
    "PiiAccess",
]


class IdempotencyKey(models.Model):
    """One use of an `Idempotency-Key`, and the answer it was given. See `shop.idempotency`."""

    class State(models.TextChoices):
        STARTED = "STARTED"
        DONE = "DONE"

    subject = models.CharField(max_length=100, help_text="Whose key: a user, or a guest's token.")
    route = models.CharField(max_length=200, help_text="Method and route template.")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, default=State.STARTED)
    resource = models.CharField(max_length=100, blank=True, default="")
    response_status = models.PositiveSmallIntegerField(null=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.BinaryField(null=True, help_text="Encrypted: answers hold addresses.")
    created_at = models.DateTimeField()
    locked_until = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "idempotency key"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "route", "key"], name="idempotency_key_once_per_scope"
            ),
            models.CheckConstraint(
                condition=models.Q(state="STARTED") | models.Q(response_status__isnull=False),
                name="idempotency_key_done_has_answer",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="idempotency_key_started",
                condition=models.Q(state="STARTED"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class OutboxMessage(models.Model):
    """Something that became true, to be told once its transaction has committed.

    Written in the transaction that made it true; the relay hands it to the tasks that subscribe
    to its topic, at least once. Only `shop.outbox` makes rows of it.
    """

    topic = models.CharField(max_length=100)
    key = models.CharField(max_length=100, help_text="What it is about, such as order:42.")
    payload = models.JSONField(help_text="Ids and a version `v`; never personal data.")
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "outbox message"
        indexes = [
            models.Index(
                fields=["id"],
                name="outbox_waiting",
                condition=models.Q(published_at__isnull=True),
            ),
            models.Index(
                fields=["published_at"],
                name="outbox_published",
                condition=models.Q(published_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class InboxMessage(models.Model):
    """A message that a consumer has handled, so that a second delivery changes nothing."""

    consumer = models.CharField(max_length=100)
    message_id = models.CharField(max_length=100)
    handled_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = "inbox message"
        constraints = [
            models.UniqueConstraint(
                fields=["consumer", "message_id"], name="inbox_message_handled_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.message_id}"


class PiiAccess(models.Model):
    """Somebody who works here looked at personal data in full. Only `shop.privacy` writes it."""

    # No foreign keys: the ground knows no accounts, and what happened stays when rows go.
    actor_id = models.BigIntegerField(help_text="The account that looked.")
    table = models.CharField(max_length=100, help_text="As Django names it: orders.Order.")
    row = models.CharField(max_length=64, help_text="Which row of it.")
    fields = models.CharField(max_length=500, help_text="What was shown, by commas.")
    reason = models.CharField(max_length=200, help_text="Why, in their words.")
    request_id = models.CharField(max_length=128, help_text="As in the log.")
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "look at personal data"
        verbose_name_plural = "looks at personal data"
        default_permissions = ("view",)
        permissions = [("view_personal_data", "Can see personal data in full")]
        indexes = [
            models.Index(fields=["-seen_at", "-id"], name="pii_access_newest"),
            models.Index(fields=["table", "row"], name="pii_access_by_row"),
            models.Index(fields=["actor_id", "-seen_at"], name="pii_access_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.row}"


class ChangeByStaff(models.Model):
    """The page of changes in the admin, and who may see it. It has no table: `shop.audit` reads."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "change"
        verbose_name_plural = "changes"

    def __str__(self) -> str:
        return "a change"
