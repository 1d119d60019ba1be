"""Runs the shop's programs side by side: their output by line, restarts, one orderly end."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from shop.embedded.errors import CannotRun
from shop.embedded.processes import kill_group, start

STOP_SECONDS = 6.0  # for all programs together; the servers have theirs after that
HEALTHY_SECONDS = 30.0  # who ran for this long is restarted at once
LONGEST_PAUSE_SECONDS = 30.0
ANSWER_SECONDS = 60.0  # the first program must answer by then
GIVE_UP_AFTER = 4  # failures in a row of a program that never worked
_TICK_SECONDS = 0.1
_COLOURS = {"web": 36, "worker": 33, "beat": 35, "relay": 32}


@dataclass(frozen=True, slots=True)
class Program:
    """One program to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    niceness: int = 0  # by how much others go first where there is not enough processor for all


@dataclass(slots=True)
class _Run:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    rest: bytes = b""  # of a line that is not complete yet


@dataclass(slots=True)
class Supervisor:
    """Keeps programs running until it is told to stop; then leaves nothing behind.

    Everything happens in the thread that calls `run`, which must be the main one.
    """

    folder: Path
    # Starts again what the programs stand on, and returns what there is to say of it.
    look_after_servers: Callable[[float], Sequence[str]]
    runs: dict[str, _Run] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    due: dict[str, tuple[float, Program]] = field(default_factory=dict)
    stop_signal: int | None = None
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(
        self,
        first: Program,
        others: Sequence[Program],
        *,
        answers: Callable[[], bool],
        announce: Callable[[], None],
    ) -> None:
        """Run `first` until it `answers`, then `announce` it and run the `others` beside it.

        Returns when a signal asked for the end. Raises CannotRun when there is no going on.
        Nothing is left running in any case.
        """
        with self._listening_to_signals():
            try:
                self._begin(first)
                is_announced = False
                end = time.monotonic() + ANSWER_SECONDS
                while self.stop_signal is None:
                    if not is_announced and time.monotonic() > end:
                        raise CannotRun(
                            f"{first.name} gives no good answer after {ANSWER_SECONDS:.0f} s; "
                            "its last words are above."
                        )
                    self._pass_output_on(_TICK_SECONDS)
                    self._look_after_the_ended(is_announced=is_announced)
                    if not is_announced and first.name in self.runs and answers():
                        is_announced = True
                        for program in others:
                            self._begin(program)
                        announce()
            finally:
                self._stop_all()

    def say(self, name: str, text: str) -> None:
        """Print a line under the name of a program, or of ourselves."""
        label = f"{name:<7}|"
        if sys.stdout.isatty():
            label = f"\x1b[{_COLOURS.get(name, 1)}m{label}\x1b[0m"
        sys.stdout.write(f"{label} {text}\n")
        sys.stdout.flush()

    def _begin(self, program: Program) -> None:
        self.due.pop(program.name, None)
        try:
            process = start(
                program.command,
                output=subprocess.PIPE,
                environment=program.environment,
                folder=self.folder,
                niceness=program.niceness,
            )
        except OSError as error:
            raise CannotRun(f"{program.command[0]} cannot be run: {error.strerror}.") from error
        if process.stdout is None:
            raise CannotRun(f"{program.name} has no output.")
        os.set_blocking(process.stdout.fileno(), False)
        run = _Run(program, process, time.monotonic())
        self._selector.register(process.stdout, selectors.EVENT_READ, run)
        self.runs[program.name] = run

    def _pass_output_on(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            self._read(key.data)

    def _read(self, run: _Run) -> None:
        if run.process.stdout is None or run.process.stdout.closed:
            return
        chunk = run.process.stdout.read(65536)
        if chunk is None:  # nothing there just now
            return
        if not chunk:
            self._selector.unregister(run.process.stdout)
            run.process.stdout.close()
            if run.rest:
                self.say(run.program.name, run.rest.decode(errors="replace"))
            return
        *lines, run.rest = (run.rest + chunk).split(b"\n")
        for line in lines:
            self.say(run.program.name, line.decode(errors="replace").rstrip())

    def _look_after_the_ended(self, *, is_announced: bool) -> None:
        now = time.monotonic()
        for text in self.look_after_servers(now):
            self.say("up", text)
        for name, run in list(self.runs.items()):
            if run.process.poll() is None:
                continue
            self._finish(run)
            if now - run.started_at >= HEALTHY_SECONDS:
                self.failures[name] = 0
            self.failures[name] = self.failures.get(name, 0) + 1
            if not is_announced and self.failures[name] >= GIVE_UP_AFTER:
                raise CannotRun(f"{name} does not start; its last words are above.")
            pause = min(2.0 ** (self.failures[name] - 1) - 1, LONGEST_PAUSE_SECONDS)
            ending = _ending(run.process.returncode)
            self.say("up", f"{name} ended ({ending}); starting it again in {pause:.0f} s")
            self.due[name] = (now + pause, run.program)
        for at, program in list(self.due.values()):
            if now >= at:
                self._begin(program)

    def _finish(self, run: _Run) -> None:
        kill_group(run.process.pid)  # what a killed master left behind
        self._read_to_the_end(run)
        self.runs.pop(run.program.name, None)

    def _read_to_the_end(self, run: _Run) -> None:
        self._read(run)
        if run.process.stdout is not None and not run.process.stdout.closed:
            self._selector.unregister(run.process.stdout)
            run.process.stdout.close()

    def _stop_all(self) -> None:
        if self.stop_signal is not None:
            self.say("up", f"stopping ({signal.Signals(self.stop_signal).name})")
        for run in self.runs.values():
            with contextlib.suppress(ProcessLookupError):
                run.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end and any(
            run.process.poll() is None for run in self.runs.values()
        ):
            with contextlib.suppress(OSError):  # nobody may be reading our output any more
                self._pass_output_on(_TICK_SECONDS)
            time.sleep(0.02)
        for run in list(self.runs.values()):
            kill_group(run.process.pid)
            run.process.wait()
            with contextlib.suppress(OSError):
                self._finish(run)

    @contextlib.contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self.stop_signal = number

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
