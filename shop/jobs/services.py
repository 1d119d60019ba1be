"""Jobs started, carried on slice by slice, stopped, taken up again when a worker died, forgotten.

A message to a worker is a nudge that may be lost or doubled; the row is the truth. Each slice has
a `turn`: a message for another turn than the one that is due does nothing, and one worker at a time
holds the job, so a twin finds the door shut.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, Protocol

import structlog
from celery import current_app
from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from kombu.exceptions import OperationalError as BrokerError

from shop.db.alone import alone
from shop.errors import Refusal
from shop.jobs.errors import JobIsOver, JobRunning
from shop.jobs.files import delete_files, folders, keep_input, refuse_other_than_text
from shop.jobs.kinds import KINDS, Kind
from shop.jobs.models import Job, JobError, JobRow
from shop.observe import metrics

SLICE_SECONDS = 12.0  # a slice begins no further step after this; a task may take 25
ATTEMPTS = 3  # slices that may die at the same place
CLAIMED_LOST = timedelta(seconds=60)  # no step takes as long: its worker is gone
MESSAGE_LOST = timedelta(seconds=120)  # no worker came: the message is lost, or the queue is long
MOST_OPEN = 5  # jobs of one owner
_UPLOADING = timedelta(days=1)  # a file whose job is not committed yet is younger than this
_LOCK = 0x4A4F_4200_0000_0000  # and the job's number: an advisory lock for each

log = structlog.get_logger("shop.jobs")


class Complaint(NamedTuple):
    """Why a row of the input was left out."""

    line: int
    column: str
    code: str
    detail: str


class Step(Protocol):
    """One piece of a job's work, of about a second.

    Commits by itself, with `advance` or `finish` in the same transaction. Raises a Refusal to fail
    the whole job.
    """

    def __call__(self, *, job: Job, now: datetime) -> None: ...


def start_job(
    *,
    kind: Kind,
    owner_id: int,
    options: Mapping[str, Any],
    now: datetime,
    upload: File[bytes] | None = None,
) -> Job:
    """Make a job and have a worker begin once the caller's transaction commits.

    Raises NoTextFile for an upload that cannot be a table, and JobRunning where the kind is one at
    a time, or five of the owner's are open.
    """
    job = Job(
        kind=kind.name,
        owner_id=owner_id,
        options=dict(options),
        exclusive_key=kind.exclusive_key(owner_id),
        heartbeat_at=now,
        created_at=now,
    )
    if upload is not None:
        refuse_other_than_text(upload)
    _require_room(job)
    if upload is not None:
        keep_input(job, upload)
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            transaction.on_commit(partial(_nudge, kind, job.pk, job.turn))
    except IntegrityError:
        # A twin was quicker than our look.
        delete_files(job.folder)
        _require_room(job)
        raise
    return job


def _require_room(job: Job) -> None:
    mine = Job.objects.filter(state__in=Job.OPEN)
    if job.exclusive_key:
        other = mine.filter(exclusive_key=job.exclusive_key).first()
        if other is not None:
            # Somebody else's job has no name for a stranger.
            facts = {"job": str(other.public_id)} if other.owner_id == job.owner_id else {}
            raise JobRunning("Wait until it has ended, or cancel it.", **facts)
    if mine.filter(owner_id=job.owner_id).count() >= MOST_OPEN:
        raise JobRunning(f"{MOST_OPEN} of your jobs are open: wait for one to end.")


def cancel_job(*, job: Job, now: datetime) -> Job:
    """Have the job end before its next step. What it has done stays done. Safe to repeat.

    One that no worker has begun ends at once. Raises JobIsOver when it has ended otherwise.
    """
    if job.state == Job.State.CANCELLED:
        return job
    mine = Job.objects.filter(pk=job.pk)
    mine.filter(state__in=Job.OPEN, cancel_requested_at=None).update(cancel_requested_at=now)
    mine.filter(state=Job.State.QUEUED, is_claimed=False).update(
        state=Job.State.CANCELLED, finished_at=now
    )
    job.refresh_from_db()
    if job.is_over and job.state != Job.State.CANCELLED:
        raise JobIsOver(f"The job has {job.get_state_display().lower()} already.")
    return job


def run_slice(
    *,
    job_id: int,
    turn: int,
    step: Step,
    clock: Callable[[], datetime],
    seconds: float | None = None,
) -> None:
    """Take a step, and more for some seconds, then leave the rest to the next slice.

    Safe to run twice, also at the same time, and to be killed: a step that was not committed is
    taken again. After three slices that died at the same place the job fails.
    """
    with alone(_LOCK + job_id) as is_mine:
        job = _claimed(job_id, turn, now=clock()) if is_mine else None
        if job is None:
            return
        deadline = time.monotonic() + (SLICE_SECONDS if seconds is None else seconds)
        try:
            while not _ended_if_cancelled(job, clock):
                step(job=job, now=clock())
                if not job.is_over and time.monotonic() >= deadline:
                    _hand_over(job, now=clock())
                    return
        except _Elsewhere:
            log.info("job_elsewhere", job=job.pk, turn=turn)
        except Refusal as refusal:
            with suppress(_Elsewhere):  # deleted or taken up while the step came to its refusal
                _end(job, Job.State.FAILED, now=clock(), reason=refusal.detail)


class _Elsewhere(Exception):
    """The job is not where this slice left it: somebody ended it, or took it up meanwhile."""


def _claimed(job_id: int, turn: int, *, now: datetime) -> Job | None:
    """Return the job, claimed for this slice; None where there is nothing to do for it."""
    job = Job.objects.filter(pk=job_id, turn=turn, state__in=Job.OPEN).first()
    if job is None:
        return None
    if job.is_claimed:  # by a worker that has died: we hold the lock that it held
        job.attempts += 1
        # One that is to be cancelled ends as that before its next step, whatever became of others.
        if job.attempts >= ATTEMPTS and job.cancel_requested_at is None:
            _end(
                job,
                Job.State.FAILED,
                now=now,
                reason=f"Workers died or failed {ATTEMPTS} times at the same place.",
            )
            return None
    job.state = Job.State.RUNNING
    job.is_claimed = True
    job.started_at = job.started_at or now
    job.heartbeat_at = now
    try:
        _write(job, "state", "is_claimed", "started_at", "heartbeat_at", "attempts")
    except _Elsewhere:  # cancelled between our look and our claim
        return None
    return job


def _ended_if_cancelled(job: Job, clock: Callable[[], datetime]) -> bool:
    if (
        not job.is_over
        and Job.objects.filter(pk=job.pk, cancel_requested_at__isnull=False).exists()
    ):
        _end(job, Job.State.CANCELLED, now=clock())
    return job.is_over


@transaction.atomic
def advance(
    *,
    job: Job,
    now: datetime,
    cursor: Mapping[str, Any],
    done: int | None = None,
    total: int | None = None,
    counts: Mapping[str, int] | None = None,
    complaints: Iterable[Complaint] = (),
) -> None:
    """Write down how far the job has come: with the work that it tells of, or not at all.

    Joins the caller's transaction. `counts` are added to the result. Must not be caught: where
    the job went on elsewhere meanwhile, it rolls the caller back.
    """
    job.cursor = dict(cursor)
    job.done = job.done if done is None else done
    job.total = job.total if total is None else total
    job.result = {"v": 1, **job.result}
    for name, count in (counts or {}).items():
        job.result[name] = job.result.get(name, 0) + count
    job.attempts = 0
    job.heartbeat_at = now
    _write(job, "cursor", "done", "total", "result", "attempts", "heartbeat_at")
    JobError.objects.bulk_create(
        [JobError(job=job, **complaint._asdict()) for complaint in complaints], batch_size=2000
    )


@transaction.atomic
def finish(*, job: Job, now: datetime, result: Mapping[str, Any] | None = None) -> None:
    """Say that all is done. `result` is added to what was counted. Joins the transaction."""
    job.result = {"v": 1, **job.result, **(result or {})}
    _end(job, Job.State.SUCCEEDED, now=now)


@transaction.atomic
def _end(job: Job, state: Job.State, *, now: datetime, reason: str = "") -> None:
    job.state = state
    job.finished_at = now
    job.heartbeat_at = now
    job.is_claimed = False
    job.reason = reason[:500]
    _write(job, "state", "finished_at", "heartbeat_at", "is_claimed", "reason", "result")
    JobRow.objects.filter(job_id=job.pk).delete()
    metrics.jobs.labels(job.kind, state.lower()).inc()
    log.info("job_ended", job=job.pk, kind=job.kind, state=state, reason=reason)


@transaction.atomic
def _hand_over(job: Job, *, now: datetime) -> None:
    job.is_claimed = False
    job.heartbeat_at = now
    _write(job, "is_claimed", "heartbeat_at", next_turn=True)
    transaction.on_commit(partial(_nudge, KINDS[job.kind], job.pk, job.turn + 1))


def _write(job: Job, *names: str, next_turn: bool = False) -> None:
    changes: dict[str, Any] = {name: getattr(job, name) for name in names}
    if next_turn:
        changes["turn"] = F("turn") + 1
    mine = Job.objects.filter(pk=job.pk, turn=job.turn, state__in=Job.OPEN)
    if not mine.update(**changes):
        raise _Elsewhere


def _nudge(kind: Kind, job_id: int, turn: int) -> None:
    """Send the message; where the broker is away, the sweep sends it later."""
    try:
        current_app.send_task(kind.task, kwargs={"job_id": job_id, "turn": turn}, retry=False)
    except (BrokerError, OSError) as error:
        log.warning("broker_unavailable", job=job_id, error=type(error).__name__)


def sweep_jobs(*, now: datetime) -> int:
    """Send another message for jobs that nothing moves: the worker died, or the message is lost.

    Safe to run twice. Returns how many were sent. Whether an attempt counts is decided by who
    comes for it.
    """
    lost = Job.objects.filter(state__in=Job.OPEN).filter(
        Q(is_claimed=True, heartbeat_at__lte=now - CLAIMED_LOST)
        | Q(is_claimed=False, heartbeat_at__lte=now - MESSAGE_LOST)
    )
    sent = 0
    for job in lost.order_by("heartbeat_at")[:100]:
        # Of two sweeps one sends.
        if Job.objects.filter(pk=job.pk, heartbeat_at=job.heartbeat_at).update(heartbeat_at=now):
            if job.kind in KINDS:
                _nudge(KINDS[job.kind], job.pk, job.turn)
            sent += 1
    return sent


def prune_jobs(*, now: datetime) -> int:
    """Forget jobs that ended long ago, with their files. Safe to repeat.

    Also deletes files that no job has: of uploads whose request was rolled back.
    """
    before = now - timedelta(days=settings.SHOP_JOB_KEEP_DAYS)
    over = Q(finished_at__lt=before)
    for kind in KINDS.values():
        if kind.keep_days is not None:
            over |= Q(kind=kind.name, finished_at__lt=now - timedelta(days=kind.keep_days))
    gone = 0
    for job in Job.objects.filter(over).order_by("finished_at")[:500]:
        delete_files(job.folder)
        job.delete()
        gone += 1
    _delete_orphans(now)
    return gone


def forget_jobs_of(owner_id: int) -> None:
    """Delete every job of this account with its files, one that runs too. Safe to repeat."""
    for job in Job.objects.filter(owner_id=owner_id):
        job.delete()
        delete_files(job.folder)


def _delete_orphans(now: datetime) -> None:
    found = folders(unchanged_since=now - _UPLOADING)
    known = {f"jobs/{public_id}" for public_id in Job.objects.values_list("public_id", flat=True)}
    for folder in found:
        if folder not in known:
            delete_files(folder)
    living = Job.objects.filter(state__in=Job.OPEN).values("pk")
    JobRow.objects.exclude(job_id__in=living).delete()
