"""How often each race is run: a little in `make test`, in full in `make races`; and the seed."""

import json
import os
import platform
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

IS_FULL = os.environ.get("RACES") == "full"
# A failing run prints it, and is run again by setting it. `make test` has one seed, so that a
# change is judged by what it changes; `make races` and `make soak` go where nobody has been.
_EXPLORES = IS_FULL or "SOAK_EXAMPLES" in os.environ
SEED = int(
    os.environ.get("RACES_SEED") or (random.SystemRandom().randrange(10**6) if _EXPLORES else 20)
)


def figure(*, full: int, small: int) -> int:
    """Return how often: `full` is the figure of the design, `small` what CI has time for."""
    return full if IS_FULL else small


def dice(name: str) -> random.Random:
    """Return the random numbers of one test, the same ones for the same seed."""
    return random.Random(f"{SEED}:{name}")


@contextmanager
def reported(race: str, *, seed: int = SEED, **facts: int | str) -> Iterator[dict[str, object]]:
    """Time a race and tell of it: on standard output, and as a line of `$RACES_REPORT` if set.

    What is put into the dictionary that it gives is told as well.
    """
    print(f"{race}: seed {seed}, {_told(facts)}; again by RACES_SEED={seed}")  # noqa: T201 — shown when it fails
    found: dict[str, object] = {}
    began = time.monotonic()
    yield found
    seconds = round(time.monotonic() - began, 1)
    if path := os.environ.get("RACES_REPORT"):
        row = {
            "race": race,
            "run": _told(facts),
            "seen": _told(found),
            "seed": seed,
            "seconds": seconds,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
        }
        with Path(path).open("a", encoding="utf-8") as report:
            report.write(json.dumps(row) + "\n")


def _told(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in facts.items())
