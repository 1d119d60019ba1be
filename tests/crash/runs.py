"""What one kind of run came to, in a form that can be printed and compared."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.crash.client import Insistence
from tests.crash.oracle import lost_and_doubled


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the table. Times are in seconds."""

    name: str
    rounds: int
    kills: int
    requests: int
    broken: int  # requests whose connection broke, or that were answered 503
    lost: int  # orders that were acknowledged and are not there
    doubled: int  # second charges or second orders
    recovery_p50: float  # from the request that broke to the answer that is kept
    recovery_max: float
    breaches: tuple[str, ...]
    notes: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_row(self) -> str:
        cells = (
            self.name,
            self.rounds,
            self.kills,
            self.requests,
            self.broken,
            self.lost,
            self.doubled,
            f"{self.recovery_p50:.1f}",
            f"{self.recovery_max:.1f}",
            len(self.breaches),
            self.notes,
        )
        return f"| {' | '.join(str(cell) for cell in cells)} |"


HEADER = (
    "| run | rounds | kills | requests | broken | lost | doubled | recovery p50 s | max s"
    " | breaches | notes |\n" + "| --- " + "| ---: " * 9 + "| --- |"
)


def run_of(
    name: str,
    *,
    rounds: int,
    kills: int,
    told: Sequence[Insistence],
    breaches: Sequence[str] = (),
    notes: str = "",
) -> Run:
    """Sum up what the clients of one kind of run went through."""
    lost, doubled = lost_and_doubled(breaches)
    recoveries = sorted(r for one in told if (r := one.recovery_seconds) is not None)
    return Run(
        name=name,
        rounds=rounds,
        kills=kills,
        requests=sum(one.asked for one in told),
        broken=sum(one.lost + one.unavailable for one in told),
        lost=lost,
        doubled=doubled,
        recovery_p50=round(percentile(recoveries, 50), 2),
        recovery_max=round(percentile(recoveries, 100), 2),
        breaches=tuple(breaches),
        notes=notes,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent do not exceed; 0 if there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]
