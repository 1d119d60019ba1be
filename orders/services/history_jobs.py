"""Replays of a wholesaler's invoices as jobs: each slice goes on behind what the shop knows."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from shutil import copyfileobj

from inventory.errors import UnreadableFile
from orders.services.history import (
    Outcome,
    not_yet_replayed,
    only_replay,
    prepare_ground,
    receive_opening_stock,
)
from orders.services.history_input import History, UnreadableInput, read_history
from orders.services.history_workers import ReplayWorkers
from shop.jobs.files import open_input
from shop.jobs.models import Job
from shop.jobs.services import Complaint, advance, finish

_SECONDS = 8.0  # of replaying in one step; reading and preparing come on top
_TOLD_EVERY = 1.0  # seconds


def history_import_step(*, job: Job, now: datetime) -> None:
    """Replay invoices for some seconds.

    The file is read anew in each step, and what the shop knows of it is left alone, so a step may
    be killed at any line. A dry run only reads. Raises UnreadableFile, ReplayRunning and
    ReplayStopped.
    """
    with _input_path(job) as path:
        try:
            history = read_history(path)
        except UnreadableInput as error:
            raise UnreadableFile(str(error), line=1, column="") from None
    if not job.cursor:
        _note_bad_rows(job, history, now=now)
    if job.options.get("dry_run"):
        finish(job=job, now=now)
        return
    with only_replay():
        _replay(job, history, now=now)


def _replay(job: Job, history: History, *, now: datetime) -> None:
    places = not_yet_replayed(history.invoices)
    if not job.cursor.get("known_counted"):
        known = len(history.invoices) - len(places)
        advance(
            job=job,
            now=now,
            cursor={**job.cursor, "known_counted": True},
            done=known,
            counts={"skipped": known},
        )
    if not places:
        # Counted by what is there, and not by what each slice did: one may have been killed
        # between an invoice and its count.
        created = len(history.invoices) - job.result.get("skipped", 0)
        finish(job=job, now=now, result={"created": created})
        return
    waiting = [history.invoices[place] for place in places]
    beginning = waiting[0].happened_at
    ground = prepare_ground(history=history, now=beginning)
    receive_opening_stock(invoices=waiting, ground=ground, now=beginning)
    began = told = time.monotonic()
    replayed = 0
    with ReplayWorkers(history.invoices, count=1) as workers:
        for done in workers.replay(places, ground):
            replayed += done.outcome is Outcome.REPLAYED
            if time.monotonic() - told >= _TOLD_EVERY:
                told = time.monotonic()
                _tell(job, history, left=len(places) - replayed, now=now)
                if told - began >= _SECONDS:
                    return
    _tell(job, history, left=len(places) - replayed, now=now)


def _tell(job: Job, history: History, *, left: int, now: datetime) -> None:
    done = len(history.invoices) - left
    created = done - job.result.get("skipped", 0) - job.result.get("created", 0)
    advance(job=job, now=now, cursor=job.cursor, done=done, counts={"created": created})


def _note_bad_rows(job: Job, history: History, *, now: datetime) -> None:
    advance(
        job=job,
        now=now,
        cursor={"noted": True},
        total=len(history.invoices),
        counts={"created": 0, "updated": 0, "skipped": 0, "failed": len(history.bad_rows)},
        complaints=[
            Complaint(bad.line, bad.column, "invalid_row", f"{bad.detail} ({bad.invoice})")
            for bad in history.bad_rows
        ],
    )


@contextmanager
def _input_path(job: Job) -> Iterator[Path]:
    """Give the upload as a file with a path, which not every storage has."""
    with open_input(job) as source, tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        copyfileobj(source, copy)
        copy.flush()
        yield Path(copy.name)
