"""What this process found to be short, for a moment: a refusal that can be given again.

Not in Redis: to ask there whether anything is known would cost every checkout a trip, and what it
would spare is a look at the database by each process, four times a second. Whoever is about to be
refused asks there whether the units have moved since (`have_moved`).
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shop.cache.memory import ShortMemory

SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the stock found of a variant, and when."""

    sku: str
    available: int  # units
    at: datetime


@dataclass(slots=True)
class _State:
    until: float = 0.0  # by the stopwatch: nothing is remembered for longer


_found = ShortMemory[int, Found](seconds=SECONDS, size=2000)
_state = _State()


def remember_shortage(found: Mapping[int, Found]) -> None:
    """Remember a look at all variants of an order that was refused, those that suffice as well."""
    for variant_id, one in found.items():
        _found.put(variant_id, one)
    _state.until = time.monotonic() + SECONDS


def remembers_shortages() -> bool:
    """Tell whether anything is remembered at all: next to free."""
    return time.monotonic() < _state.until


def remembered_shortage(variant_ids: Collection[int], *, now: datetime) -> dict[int, Found] | None:
    """Return what is remembered of these variants as of `now`; None unless it is all of them."""
    found = {}
    for variant_id in variant_ids:
        one = _found.get(variant_id)
        if one is None or not timedelta() <= now - one.at < timedelta(seconds=SECONDS):
            return None
        found[variant_id] = one
    return found


def forget_shortages(variant_ids: Collection[int] | None = None) -> None:
    """Forget these variants, or all: units may have come back."""
    if variant_ids is None:
        _found.clear()
        _state.until = 0.0
    elif remembers_shortages():
        _found.drop(*variant_ids)
