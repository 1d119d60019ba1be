"""Tables of jobs: what is to be done and how far it is, what was wrong, what was read."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Job(models.Model):
    """A piece of work for the workers, done in slices of some seconds. Only `shop.jobs` writes it.

    `cursor` says where the next slice goes on, in the words of the job's kind; it changes in the
    transaction that did the work before it, so a slice may be killed at any line.
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED", "Queued"
        RUNNING = "RUNNING", "Running"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Cancelled"

    OPEN = (State.QUEUED, State.RUNNING)

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40, help_text="A name in `shop.jobs.kinds`.")
    # No foreign key: the ground knows no accounts, and a job outlives who started it.
    owner_id = models.BigIntegerField(help_text="The account that started it, and may see it.")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    options = models.JSONField(default=dict, help_text="What was asked for.")
    source_name = models.CharField(
        max_length=255, blank=True, default="", help_text="What its owner calls the file."
    )
    input_name = models.CharField(
        max_length=200, blank=True, default="", help_text="The file in the private storage."
    )
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True, help_text="Empty: not known yet.")
    cursor = models.JSONField(default=dict)
    result = models.JSONField(default=dict, help_text="Counts, with a version `v`.")
    reason = models.CharField(
        max_length=500, blank=True, default="", help_text="Why it failed, in a sentence."
    )
    exclusive_key = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="Of the open jobs with the same key there is one. Empty: any number.",
    )
    turn = models.PositiveIntegerField(default=1, help_text="The slice that is due.")
    is_claimed = models.BooleanField(default=False, help_text="A worker has begun this slice.")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Slices that died since the job last came further."
    )
    heartbeat_at = models.DateTimeField(help_text="When a worker or a message last moved it.")
    cancel_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["owner_id", "-created_at", "-id"], name="job_by_owner"),
            models.Index(
                fields=["heartbeat_at"],
                name="job_open_by_heartbeat",
                condition=Q(state__in=["QUEUED", "RUNNING"]),
            ),
            models.Index(
                fields=["finished_at"],
                name="job_by_end",
                condition=Q(finished_at__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]),
                name="job_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["QUEUED", "RUNNING"], finished_at__isnull=True)
                | Q(state__in=["SUCCEEDED", "FAILED", "CANCELLED"], finished_at__isnull=False),
                name="job_has_an_end_when_it_is_over",
            ),
            models.UniqueConstraint(
                fields=["exclusive_key"],
                condition=Q(state__in=["QUEUED", "RUNNING"]) & ~Q(exclusive_key=""),
                name="job_open_once_per_exclusive_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    @property
    def is_over(self) -> bool:
        return self.state not in self.OPEN

    @property
    def folder(self) -> str:
        """Where its files are in the private storage."""
        return f"jobs/{self.public_id}"


class JobError(models.Model):
    """A row of a job's input that was left out, and why. Written with the rows beside it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="errors", db_index=False)
    line = models.PositiveIntegerField(help_text="Counted from 1, the heading included.")
    column = models.CharField(max_length=255, blank=True)
    code = models.CharField(max_length=60)
    detail = models.TextField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["job", "line", "id"], name="job_error_by_line")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.detail}"


class JobRow(models.Model):
    """A row of a job's input, staged by COPY until what belongs together has been put together.

    An unlogged table: it costs no write-ahead log, and is empty after a crash of the server. Then
    the file is read once more.
    """

    pk = models.CompositePrimaryKey("job_id", "line")
    job_id = models.BigIntegerField()
    line = models.IntegerField()
    first_line = models.IntegerField(help_text="Of the group that it belongs to.")
    key = models.TextField(help_text="The group; empty for a row that belongs to none.")
    sku = models.TextField()
    cells = ArrayField(models.TextField())

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["job_id", "first_line", "line"], name="job_row_in_order"),
            models.Index(
                fields=["job_id", "sku", "line"], name="job_row_by_sku", condition=~Q(sku="")
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line}"
