"""Jobs: slices that may be doubled, killed and cancelled, and what the sweep takes up."""

import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.files.storage import storages
from django.utils import timezone

from shop.jobs.errors import JobIsOver, JobRunning, NoTextFile
from shop.jobs.kinds import EXPORTS, IMPORTS, KINDS
from shop.jobs.models import Job, JobError, JobRow
from shop.jobs.services import (
    ATTEMPTS,
    CLAIMED_LOST,
    MESSAGE_LOST,
    MOST_OPEN,
    Complaint,
    advance,
    cancel_job,
    finish,
    forget_jobs_of,
    prune_jobs,
    run_slice,
    sweep_jobs,
)
from shop.models import OutboxMessage
from tests.concurrency import in_background
from tests.make import jobs as make

pytestmark = pytest.mark.django_db

LENGTH = 5  # steps of the job that these tests count


class Killed(BaseException):
    """A worker is gone in the middle of something."""


@pytest.fixture(autouse=True)
def _no_files() -> None:
    """Begin without files of other tests' jobs."""
    shutil.rmtree(storages["private"].path("jobs"), ignore_errors=True)


def counting(*, job: Job, now: Any) -> None:
    """Do a job of five steps."""
    done = job.cursor.get("done", 0)
    if done == LENGTH:
        finish(job=job, now=now)
    else:
        advance(
            job=job, now=now, cursor={"done": done + 1}, done=done + 1, total=LENGTH,
            counts={"rows": 1},
        )  # fmt: skip


def running(job: Job, step: Any = counting, *, seconds: float = 5.0, turn: int = 0) -> Job:
    run_slice(job_id=job.pk, turn=turn or job.turn, step=step, clock=timezone.now, seconds=seconds)
    return Job.objects.get(pk=job.pk)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """Return what workers are sent."""
    messages: list[dict[str, int]] = []

    def send(task: str, *, kwargs: dict[str, int], retry: bool) -> None:
        messages.append(kwargs)

    monkeypatch.setattr("shop.jobs.services.current_app.send_task", send)
    return messages


# Slices -------------------------------------------------------------------------------------------


def test_a_job_goes_on_from_slice_to_slice(
    sent: list[dict[str, int]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = make.export_job()
    assert sent == [{"job_id": job.pk, "turn": 1}]

    for turn in range(2, LENGTH + 2):
        with django_capture_on_commit_callbacks(execute=True):
            job = running(job, seconds=0.0)  # a slice takes one step at least
        assert (job.turn, job.done, job.is_claimed) == (turn, turn - 1, False)
        assert sent[-1] == {"job_id": job.pk, "turn": turn}
    job = running(job)

    assert (job.state, job.done, job.total) == (Job.State.SUCCEEDED, LENGTH, LENGTH)
    assert job.result == {"v": 1, "rows": LENGTH}
    assert job.started_at is not None
    assert job.finished_at is not None


def test_a_message_that_comes_twice_does_nothing_the_second_time() -> None:
    job = make.export_job()
    job = running(job, seconds=0.0)
    assert job.turn == 2

    assert running(job, turn=1).done == 1
    job = running(job)

    assert running(job, turn=2).result == {"v": 1, "rows": LENGTH}


@pytest.mark.django_db(transaction=True)
def test_a_twin_finds_the_door_shut() -> None:
    job = make.export_job()
    seen: list[Job] = []

    def step(*, job: Job, now: Any) -> None:
        with in_background(partial(running, job)) as twin:
            seen.append(twin.result(timeout=60))
        counting(job=job, now=now)

    running(job, step)

    # Each twin came and went without a step of its own.
    assert [one.done for one in seen] == list(range(LENGTH + 1))


def test_what_a_killed_step_did_is_not_there_and_is_done_again() -> None:
    job = make.export_job()
    kills = [2, 4]

    def step(*, job: Job, now: Any) -> None:
        counting(job=job, now=now)
        if kills and job.done == kills[0]:
            kills.pop(0)
            raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            running(job, step)
        job.refresh_from_db()
        assert job.is_claimed
    job = running(job, step)

    # Killed behind its commit: nothing is lost and nothing is doubled.
    assert (job.state, job.result["rows"]) == (Job.State.SUCCEEDED, LENGTH)


def test_a_job_that_kills_its_workers_fails_with_a_reason() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        raise Killed

    for _ in range(ATTEMPTS):
        with pytest.raises(Killed):
            running(job, step)
    job = running(job, step)

    assert job.state == Job.State.FAILED
    assert job.reason == "Workers died or failed 3 times at the same place."


def test_a_job_that_comes_further_may_lose_any_number_of_workers() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        counting(job=job, now=now)
        if not job.is_over:
            raise Killed

    for _ in range(LENGTH):
        with pytest.raises(Killed):
            running(job, step)
    job = running(job, step)

    assert (job.state, job.result["rows"]) == (Job.State.SUCCEEDED, LENGTH)


def test_a_refusal_fails_the_job_with_its_sentence() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        raise NoTextFile("The file is empty.")

    job = running(job, step)

    assert (job.state, job.reason) == (Job.State.FAILED, "The file is empty.")


# Cancelling ---------------------------------------------------------------------------------------


def test_a_cancelled_job_ends_before_its_next_step_and_keeps_what_it_did() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        counting(job=job, now=now)
        if job.done == 2:
            cancel_job(job=Job.objects.get(pk=job.pk), now=now)

    job = running(job, step)

    assert (job.state, job.done) == (Job.State.CANCELLED, 2)
    assert cancel_job(job=job, now=timezone.now()).state == Job.State.CANCELLED


def test_a_cancelled_job_whose_workers_have_died_has_not_failed() -> None:
    job = make.export_job()
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.RUNNING, is_claimed=True, attempts=ATTEMPTS - 1
    )
    cancel_job(job=job, now=timezone.now())

    job = running(job)

    assert (job.state, job.done, job.reason) == (Job.State.CANCELLED, 0, "")


def test_a_refusal_of_a_job_that_is_gone_is_nobodys() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        forget_jobs_of(job.owner_id)  # its owner is erased meanwhile
        raise NoTextFile("This cannot be read.")

    run_slice(job_id=job.pk, turn=job.turn, step=step, clock=timezone.now)

    assert not Job.objects.exists()


def test_a_job_that_nobody_has_begun_ends_at_once() -> None:
    job = cancel_job(job=make.export_job(), now=timezone.now())

    assert job.state == Job.State.CANCELLED
    assert running(job).done == 0


def test_what_has_ended_cannot_be_cancelled() -> None:
    job = running(make.export_job())

    with pytest.raises(JobIsOver):
        cancel_job(job=job, now=timezone.now())
    assert Job.objects.get(pk=job.pk).state == Job.State.SUCCEEDED


def test_a_step_that_ends_after_the_job_did_leaves_nothing() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        Job.objects.filter(pk=job.pk).update(turn=9)  # taken up elsewhere
        counting(job=job, now=now)

    job = running(job, step)

    assert (job.state, job.done, job.turn) == (Job.State.RUNNING, 0, 9)


# Sweeping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_claimed", "age", "count"),
    [
        (True, CLAIMED_LOST, 1),
        (True, CLAIMED_LOST - timedelta(seconds=1), 0),
        (False, MESSAGE_LOST, 1),
        (False, MESSAGE_LOST - timedelta(seconds=1), 0),
    ],
)
def test_the_sweep_takes_up_what_nothing_moves(
    is_claimed: bool, age: timedelta, count: int, sent: list[dict[str, int]]
) -> None:
    job = make.export_job()
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(is_claimed=is_claimed, heartbeat_at=now - age)

    assert sweep_jobs(now=now) == count
    assert sweep_jobs(now=now) == 0

    assert sent == [{"job_id": job.pk, "turn": 1}] * count


def test_a_broker_that_is_away_loses_no_job(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError("nobody there")

    monkeypatch.setattr("shop.jobs.services.current_app.send_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        job = make.export_job()

    assert Job.objects.get(pk=job.pk).state == Job.State.QUEUED


# Starting and forgetting --------------------------------------------------------------------------


def test_of_a_kind_that_runs_alone_one_is_open_for_each_owner() -> None:
    first = make.export_job()

    with pytest.raises(JobRunning) as refused:
        make.export_job()
    make.job(EXPORTS["native_csv"], owner_id=8, filters={})

    assert refused.value.facts == {"job": str(first.public_id)}
    assert Job.objects.count() == 2
    running(first)
    make.export_job()


def test_of_a_kind_that_the_shop_runs_alone_one_is_open_whoever_asks() -> None:
    kind = IMPORTS["online_retail_csv"]
    make.job(kind, upload=b"a,b", owner_id=7)

    with pytest.raises(JobRunning) as refused:
        make.job(kind, upload=b"a,b", owner_id=8)

    assert refused.value.facts == {}  # a stranger's job has no name
    assert Job.objects.count() == 1


def test_nobody_fills_the_disk() -> None:
    for _ in range(MOST_OPEN):
        make.import_job(b"Handle,Title")

    with pytest.raises(JobRunning):
        make.import_job(b"Handle,Title")

    assert Job.objects.count() == MOST_OPEN
    assert len(storages["private"].listdir("jobs")[0]) == MOST_OPEN


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", "spreadsheet"),
        (b"\x1f\x8brest", "gzip"),
        (b"\xfd7zXZrest", "xz"),
        (b"%PDF-1.7", "PDF"),
        ("Handle".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_text_is_refused_before_it_is_kept(content: bytes, word: str) -> None:
    with pytest.raises(NoTextFile, match=word):
        make.import_job(content)

    assert not Job.objects.exists()
    assert not storages["private"].exists("jobs") or not storages["private"].listdir("jobs")[0]


def test_old_jobs_go_with_their_files_and_new_ones_stay() -> None:
    old, new = make.import_job(b"Handle,Title"), make.import_job(b"Handle,Title")
    for job in (old, new):
        cancel_job(job=job, now=timezone.now())
    JobError.objects.create(job=old, line=2, code="x", detail="y")
    Job.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=15))

    assert prune_jobs(now=timezone.now()) == 1

    assert list(Job.objects.all()) == [new]
    assert not storages["private"].exists(old.folder)
    assert storages["private"].exists(new.input_name)


def test_files_without_a_job_go_when_their_upload_is_surely_over() -> None:
    job = make.import_job(b"Handle,Title")
    Job.objects.all().delete()  # its transaction was rolled back

    prune_jobs(now=timezone.now())
    assert storages["private"].exists(job.folder)
    prune_jobs(now=timezone.now() + timedelta(days=2))

    assert not storages["private"].exists(job.folder)


def test_uploads_are_for_nobody_else() -> None:
    job = make.import_job(b"Handle,Title")

    path = storages["private"].path(job.input_name)
    assert Path(path).read_bytes() == b"Handle,Title"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    # What the web server shows is another folder.
    assert not Path(path).is_relative_to(settings.MEDIA_ROOT)


# The registry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_has_a_task_for_bulk_work_and_permissions_that_exist(kind: Any) -> None:
    current_app.loader.import_default_modules()

    assert kind.task in current_app.tasks
    assert current_app.amqp.router.route({}, kind.task)["queue"].name == "bulk"
    for permission in kind.permissions:
        app, _, codename = permission.partition(".")
        assert Permission.objects.filter(content_type__app_label=app, codename=codename).exists(), (
            permission
        )


def test_complaints_are_kept_with_the_step_that_found_them() -> None:
    job = make.export_job()

    def step(*, job: Job, now: Any) -> None:
        if job.cursor:
            finish(job=job, now=now)
        else:
            advance(
                job=job, now=now, cursor={"n": 1}, complaints=[Complaint(3, "Price", "bad", "is")]
            )

    running(job, step)

    assert make.errors_of(job) == [(3, "Price", "bad")]
    assert not JobRow.objects.exists()
    assert not OutboxMessage.objects.exists()
