"""manage.py replay_history: let another system's invoices happen in this shop."""

import json
import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from orders.errors import ReplayStopped
from orders.services.history import (
    Outcome,
    not_yet_replayed,
    only_replay,
    prepare_ground,
    receive_opening_stock,
)
from orders.services.history_input import BadRow, History, Kind, UnreadableInput, read_history
from orders.services.history_workers import ReplayWorkers
from shop.errors import Refusal

TELL_EVERY = 5.0  # seconds between two lines where there is no terminal to draw a bar on
MOST_BAD_ROWS_SHOWN = 50


@dataclass(slots=True)
class Summary:
    """What a replay did, for people and for --json."""

    rows: int
    bad_rows: Sequence[BadRow]
    invoices: Counter[Kind]
    known: int = 0
    replayed: Counter[Kind] = field(default_factory=Counter)
    opening_units: int = 0
    seconds: float = 0.0
    stopped_at: str | None = None
    why: str | None = None

    @property
    def total(self) -> int:
        return sum(self.replayed.values())

    @property
    def rate(self) -> float:
        return self.total / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, object]:
        return {
            "rows": self.rows,
            "bad_rows": [bad._asdict() for bad in self.bad_rows],
            "invoices": {kind.value: self.invoices[kind] for kind in Kind},
            "already_known": self.known,
            "replayed": {kind.value: self.replayed[kind] for kind in Kind},
            "opening_units": self.opening_units,
            "seconds": round(self.seconds, 2),
            "invoices_per_second": round(self.rate, 1),
            "stopped_at": self.stopped_at,
            "why": self.why,
        }


class Command(BaseCommand):
    help = (
        "Replay invoices of another system as orders, refunds, returns and stock changes of this "
        "shop, each dated when it happened. May be interrupted and run again: what is known "
        "already stays as it is. Exit code 1 if a row was not understood or the replay stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a CSV, a folder or a tar archive of CSVs")
        parser.add_argument("--format", choices=["online_retail_csv"], required=True)
        parser.add_argument("--from", dest="first", type=_day, metavar="DATE", help="first day")
        parser.add_argument("--to", dest="last", type=_day, metavar="DATE", help="last day")
        parser.add_argument(
            "--workers",
            type=_count,
            default=min(os.cpu_count() or 1, 2),
            metavar="N",
            help="processes that replay side by side (default: 2, on one core 1)",
        )
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *_args: object, **options: Any) -> None:
        try:
            everything = read_history(options["path"])
        except UnreadableInput as error:
            raise CommandError(str(error)) from error
        history = everything.between(options["first"], options["last"])
        summary = Summary(
            rows=history.row_count,
            bad_rows=history.bad_rows,
            invoices=Counter(invoice.kind for invoice in history.invoices),
        )
        try:
            with (
                ReplayWorkers(history.invoices, count=options["workers"]) as workers,
                only_replay(),
            ):
                self._replay(history, workers, summary)
        except ReplayStopped as refusal:
            summary.why = str(refusal)
            summary.stopped_at = str(refusal.facts["invoice"])
        except Refusal as refusal:
            summary.why = str(refusal)
        self._tell(summary, as_json=options["json"])
        if summary.why or summary.bad_rows:
            sys.exit(1)

    def _replay(self, history: History, workers: ReplayWorkers, summary: Summary) -> None:
        places = not_yet_replayed(history.invoices)
        summary.known = len(history.invoices) - len(places)
        if not places:
            return
        began = time.monotonic()
        waiting = [history.invoices[place] for place in places]
        beginning = waiting[0].happened_at
        ground = prepare_ground(history=history, now=beginning)
        summary.opening_units = receive_opening_stock(
            invoices=waiting, ground=ground, now=beginning
        )
        with _progress(len(places), self.stderr) as advance:
            for invoice, outcome, units in workers.replay(places, ground):
                if outcome is Outcome.REPLAYED:
                    summary.replayed[invoice.kind] += 1
                else:
                    summary.known += 1
                summary.opening_units += units
                summary.seconds = time.monotonic() - began
                advance()

    def _tell(self, summary: Summary, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(summary.as_json(), indent=2))
            return
        for bad in summary.bad_rows[:MOST_BAD_ROWS_SHOWN]:
            self.stderr.write(str(bad))
        if (more := len(summary.bad_rows) - MOST_BAD_ROWS_SHOWN) > 0:
            self.stderr.write(f"… and {more} more bad rows; --json lists all")
        kinds = ", ".join(
            f"{summary.replayed[kind]} {words}"
            for kind, words in (
                (Kind.SALE, "sales"),
                (Kind.CANCELLATION, "cancellations"),
                (Kind.WRITE_OFF, "write-offs"),
                (Kind.ADJUSTMENT, "adjustments"),
            )
        )
        self.stdout.write(
            f"Replayed {summary.total} invoices ({kinds}) in {summary.seconds:.1f} s, "
            f"{summary.rate:.0f} a second; {summary.known} were known already. "
            f"Opening stock received: {summary.opening_units} units."
        )
        if summary.why:
            where = f"Stopped at invoice {summary.stopped_at}: " if summary.stopped_at else ""
            self.stderr.write(f"{where}{summary.why} Run the same command again to go on.")


class _Rate(ProgressColumn):
    """Invoices a second, over the last while."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s")


@contextmanager
def _progress(total: int, stream: Any) -> Iterator[Any]:
    """Yield what to call after each invoice: it moves a bar, or writes a line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(total, stream)
        return
    with Progress(
        TextColumn("Replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _lines(total: int, stream: Any) -> Any:
    began = told = time.monotonic()
    done = 0

    def advance() -> None:
        nonlocal told, done
        done += 1
        now = time.monotonic()
        if now - told >= TELL_EVERY or done == total:
            told = now
            stream.write(f"{done}/{total} invoices, {done / (now - began or 1):.0f} a second")

    return advance


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day like 2011-05-31") from None


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 16:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to 16")
    return int(text)
