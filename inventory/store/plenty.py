"""Of what this process saw plenty a moment ago: no need to look before some of it is held.

A look spares whoever comes too late from writing an order first, and others from waiting for that.
Where hundreds are left hardly anybody does, and to be wrong for some seconds costs no more.
"""

from collections.abc import Collection, Mapping

from shop.cache.memory import ShortMemory

UNITS = 100  # and more, left after all that was held
SECONDS = 5.0

_seen = ShortMemory[int, int](seconds=SECONDS, size=10_000)


def note_left(left: Mapping[int, int]) -> None:
    """Note how many units of each variant are left to anybody, without limit or flash sale."""
    for variant_id, units in left.items():
        if units >= UNITS:
            _seen.put(variant_id, units)
        else:
            _seen.drop(variant_id)


def saw_plenty(variant_ids: Collection[int]) -> bool:
    """Tell whether so many of each were left seconds ago that a look is not worth its cost."""
    return all(_seen.get(variant_id) is not None for variant_id in variant_ids)


def forget_plenty(variant_ids: Collection[int] | None = None) -> None:
    """Forget these, which a look is due to, or all."""
    if variant_ids is None:
        _seen.clear()
    else:
        _seen.drop(*variant_ids)
