"""Replaying with several processes at once, in an order that comes to the same as one by one."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import NamedTuple, Self

from django.db import connections

from inventory.errors import OutOfStock, StockBelowReserved
from orders.errors import ReplayStopped
from orders.services.history import Ground, Outcome, receive_opening_stock, replay_invoice
from orders.services.history_input import Invoice, Kind
from shop.errors import Refusal

_LAST_SECONDS = 30.0  # what a process may take for the invoice at hand when all is to end


class Done(NamedTuple):
    """An invoice that has happened, and the units that had to be received again before it could."""

    invoice: Invoice
    outcome: Outcome
    units_received: int = 0


class _End(StrEnum):
    DONE = "done"
    SHORT = "short"  # somebody else took stock that this invoice needs
    REFUSED = "refused"


class _Report(NamedTuple):
    """What a process says of the invoice at one place of the sequence."""

    place: int
    end: _End
    outcome: Outcome = Outcome.KNOWN
    why: str = ""


class ReplayWorkers:
    """Processes that replay invoices for the one that made them.

    They are forked when the context is entered, for which its database connections are closed.
    They end with their maker, also when that is killed, after the invoice at hand. With a `count`
    of 1 there are none, and the maker does the work itself.
    """

    def __init__(self, invoices: Sequence[Invoice], *, count: int) -> None:
        self._invoices = invoices
        self._count = count
        self._idle: list[Connection] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._count > 1:
            connections.close_all()
            # Forked and not spawned: the invoices, a hundred megabytes, are shared as they are.
            context = multiprocessing.get_context("fork")
            for _ in range(self._count):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_serve,
                    args=(self._invoices, theirs, [*self._idle, ours]),
                    daemon=True,
                )
                process.start()
                theirs.close()
                self._stack.callback(_dismiss, process, ours)
                self._idle.append(ours)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def replay(self, places: Iterable[int], ground: Ground) -> Iterator[Done]:
        """Replay the invoices at these places of the sequence, and yield each when it is done.

        An invoice begins in its turn, while others are under way that it does not depend on. When
        somebody else has taken what one needs, what the rest needs is received again.

        Raises ReplayStopped at the first one that is refused for another reason, once no other is
        under way.
        """
        waiting = deque(places)
        if not self._idle:
            while waiting:
                yield self._replay_here(waiting.popleft(), waiting, ground)
            return
        for worker in self._idle:
            worker.send(ground)
        running: dict[Connection, int] = {}
        short: deque[int] = deque()
        refused: list[_Report] = []
        while running or (not refused and (waiting or short)):
            if not (refused or short) and waiting and self._may_begin(waiting[0], running.values()):
                worker = self._idle.pop()
                running[worker] = waiting.popleft()
                worker.send(running[worker])
            elif running:
                report = self._next_report(running)
                if report.end is _End.DONE:
                    yield Done(self._invoices[report.place], report.outcome)
                elif report.end is _End.SHORT:
                    short.append(report.place)
                else:
                    refused.append(report)
            else:
                # Nobody is under way, so that what is on the shelf now is what there is.
                place = short.popleft()
                yield self._replay_here(place, [*short, *waiting], ground)
        if refused:
            raise ReplayStopped(
                refused[0].why, invoice=self._invoices[min(r.place for r in refused)].number
            )

    def _may_begin(self, place: int, running: Collection[int]) -> bool:
        return bool(self._idle) and not any(
            _depends(self._invoices[place], self._invoices[other]) for other in running
        )

    def _next_report(self, running: dict[Connection, int]) -> _Report:
        worker = wait(list(running))[0]
        assert isinstance(worker, Connection)
        try:
            report: _Report = worker.recv()
        except EOFError:
            number = self._invoices[running[worker]].number
            raise ReplayStopped("A process of the replay has died.", invoice=number) from None
        del running[worker]
        self._idle.append(worker)
        return report

    def _replay_here(self, place: int, rest: Collection[int], ground: Ground) -> Done:
        invoice = self._invoices[place]
        report = _replayed(invoice, place, ground)
        received = 0
        if report.end is _End.SHORT:
            received = receive_opening_stock(
                invoices=[invoice, *(self._invoices[other] for other in rest)],
                ground=ground,
                now=invoice.happened_at,
            )
            report = _replayed(invoice, place, ground)
        if report.end is not _End.DONE:
            raise ReplayStopped(report.why, invoice=invoice.number)
        return Done(invoice, report.outcome, received)


def _depends(later: Invoice, earlier: Invoice) -> bool:
    """Tell whether `later` has to wait until `earlier` is done.

    Sales and write-offs only take: in whichever order they come, between two cancellations the
    same units leave. A cancellation brings units that later ones may need, and looks for what its
    customer bought before.
    """
    if Kind.CANCELLATION not in {later.kind, earlier.kind}:
        return False
    if later.customer and later.customer == earlier.customer:
        return True
    return earlier.kind is Kind.CANCELLATION and not _codes(later).isdisjoint(_codes(earlier))


def _codes(invoice: Invoice) -> set[str]:
    return {row.code for row in invoice.rows}


def _replayed(invoice: Invoice, place: int, ground: Ground) -> _Report:
    try:
        return _Report(place, _End.DONE, replay_invoice(invoice=invoice, ground=ground))
    except (OutOfStock, StockBelowReserved) as refusal:
        return _Report(place, _End.SHORT, why=str(refusal))
    except Refusal as refusal:
        return _Report(place, _End.REFUSED, why=str(refusal))


def _serve(invoices: Sequence[Invoice], maker: Connection, makers: Sequence[Connection]) -> None:
    """Do what the maker asks for, until it says no more or is gone."""
    # The fork gave us the maker's ends, too: while one of them is open here, no pipe ever ends.
    for end in makers:
        end.close()
    # Ctrl-C reaches every process of the terminal: the maker decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ground: Ground = maker.recv()
        while True:
            place: int = maker.recv()
            maker.send(_replayed(invoices[place], place, ground))
    except (EOFError, BrokenPipeError):
        pass
    finally:
        connections.close_all()


def _dismiss(process: ForkProcess, worker: Connection) -> None:
    worker.close()
    process.join(_LAST_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
