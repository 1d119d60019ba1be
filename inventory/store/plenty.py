"""Of what this process saw plenty a moment ago: no need to look before some of it is held.

A look spares whoever comes too late from writing an order first, and others from waiting for that.
Where enough is left hardly anybody does, and a refusal by the hold itself ends it: so to be wrong
costs a process one order that it takes back.
"""

import time
from collections.abc import Collection, Mapping

from shop.cache.memory import ShortMemory

UNITS = 20  # and more, that would be left even if so many had been sold since:
A_SECOND = 16
SECONDS = 5.0  # nothing is believed for longer, so of a hundred or more all of it

_seen = ShortMemory[int, tuple[float, int]](seconds=SECONDS, size=10_000)


def note_left(left: Mapping[int, int]) -> None:
    """Note how many units of each variant are left to anybody, without limit or flash sale."""
    now = time.monotonic()
    for variant_id, units in left.items():
        if units >= UNITS:
            _seen.put(variant_id, (now, units))
        else:
            _seen.drop(variant_id)


def saw_plenty(wanted: Mapping[int, int]) -> bool:
    """Tell whether so many of each were left a moment ago that a look is not worth its cost.

    `wanted` are units by variant.
    """
    now = time.monotonic()
    for variant_id, units in wanted.items():
        seen = _seen.get(variant_id)
        if seen is None or seen[1] - A_SECOND * (now - seen[0]) < max(UNITS, units):
            return False
    return True


def forget_plenty(variant_ids: Collection[int] | None = None) -> None:
    """Forget these, which a look is due to, or all."""
    if variant_ids is None:
        _seen.clear()
    else:
        _seen.drop(*variant_ids)
