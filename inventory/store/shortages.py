"""What this process found to be short, for a moment: a refusal that can be given again.

Not in Redis: to ask there whether anything is known would cost every checkout a trip, and what it
would spare is a look at the database by each process, once a second. Whoever is about to be refused
asks there whether the units have moved since (`have_moved`).
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shop.cache.memory import ShortMemory

SECONDS = 5.0  # what was short so lately is looked at before anything else is done for its buyer
FRESH_SECONDS = 1.0  # and is believed without a look for so long


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the stock found of a variant, and when.

    `holds_end_at` is when the first of the holds that it saw ends: its units are there from then
    on, and nobody would say so, as no row changes.
    """

    sku: str
    available: int  # units
    at: datetime
    holds_end_at: datetime | None
    is_doubted: bool = False  # units of it moved in this process

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether it still holds, unless units have moved."""
        if self.is_doubted or (self.holds_end_at is not None and self.holds_end_at <= now):
            return False
        return timedelta() <= now - self.at < timedelta(seconds=FRESH_SECONDS)


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


def remembered_shortage(variant_ids: Collection[int]) -> dict[int, Found] | None:
    """Return what is remembered of these variants, fresh or not; None unless it is all of them."""
    found = {}
    for variant_id in variant_ids:
        one = _found.get(variant_id)
        if one is None:
            return None
        found[variant_id] = one
    return found


def doubt_shortages(variant_ids: Collection[int]) -> None:
    """Have nobody believe what is remembered of these before a new look: units of them moved."""
    if not remembers_shortages():
        return
    for variant_id in variant_ids:
        one = _found.get(variant_id)
        if one is not None:
            _found.put(variant_id, replace(one, is_doubted=True))


def forget_shortages(variant_ids: Collection[int] | None = None) -> None:
    """Forget these variants, which were found to suffice, or all."""
    if variant_ids is None:
        _found.clear()
        _state.until = 0.0
    else:
        _found.drop(*variant_ids)
