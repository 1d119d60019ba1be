"""Starts the servers again that ended by themselves, while a shop runs on them."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from shop.embedded.errors import CannotRun
from shop.embedded.postgres import READY_SECONDS, Postgres
from shop.embedded.valkey import Valkey

ATTEMPTS = 5  # of a server that does not even come up; then there is no going on
HEALTHY_SECONDS = 30.0  # who ran for this long is started again at once
LONGEST_PAUSE_SECONDS = 8.0


@dataclass(slots=True)
class _Case:
    """How one server has been."""

    failures: int = 0  # since it was ready last
    falls: int = 0  # since it ran for long
    up_since: float = 0.0
    down_since: float | None = None
    due_at: float | None = None  # when to start it again
    started_at: float = 0.0


@dataclass(slots=True)
class Keeper:
    """Looks after servers from a loop that must not wait for them.

    They come back at the same address, with all that they had promised to keep: those who use them
    need only connect again. Call it from the main thread, whose death ends what it started.
    """

    servers: Sequence[Postgres | Valkey]
    _cases: dict[int, _Case] = field(default_factory=dict)

    def look_after(self, now: float) -> list[str]:
        """Do what is due at `now` (seconds of any clock), and return what there is to say of it.

        Raises CannotRun for a server that does not come up. One that comes up each time and is
        ended each time is started again for ever, after growing pauses.
        """
        said = []
        for place, server in enumerate(self.servers):
            case = self._cases.setdefault(place, _Case(up_since=now))
            said += self._look_after_one(server, case, now)
        return said

    def _look_after_one(self, server: Postgres | Valkey, case: _Case, now: float) -> list[str]:
        name = "PostgreSQL" if isinstance(server, Postgres) else f"Valkey ({server.name})"
        if server.process is None:
            return []
        if case.due_at is not None:
            if now >= case.due_at:
                case.due_at, case.started_at = None, now
                server.start_again()
            return []
        code = server.process.poll()
        if code is not None:
            return [self._fell(server, case, name, code, now)]
        if case.down_since is None:
            return []
        if server.is_ready():
            seconds = now - case.down_since
            case.down_since, case.up_since, case.failures = None, now, 0
            return [f"{name} is back after {seconds:.1f} s"]
        if now - case.started_at > READY_SECONDS:
            raise CannotRun(f"{name} was not ready after {READY_SECONDS} s; see SHOP_HOME/logs.")
        return []

    def _fell(
        self, server: Postgres | Valkey, case: _Case, name: str, code: int, now: float
    ) -> str:
        if case.down_since is None:
            case.down_since = now
            if now - case.up_since >= HEALTHY_SECONDS:
                case.falls = 0
        if case.failures >= ATTEMPTS:
            raise CannotRun(
                f"{name} ended and does not come back: {server.complaint().rstrip('.')}. "
                "(Its log is under SHOP_HOME/logs.)"
            )
        case.failures += 1
        case.falls += 1
        pause = min(2.0 ** (case.falls - 1) - 1, LONGEST_PAUSE_SECONDS)
        case.due_at = now + pause
        return f"{name} ended ({_ending(code)}); starting it again in {pause:.0f} s"


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
