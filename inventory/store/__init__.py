"""What inventory keeps in Redis, or for a moment in a process: hints that may vanish."""

from inventory.store import gate
from inventory.store.plenty import forget_plenty, note_left, saw_plenty
from inventory.store.shortages import (
    Found,
    doubt_shortages,
    forget_shortages,
    remember_shortage,
    remembered_shortage,
    remembers_shortages,
)
from inventory.store.units import forget_units, have_moved, remember_units, remembered_units

__all__ = [
    "Found",
    "doubt_shortages",
    "forget_plenty",
    "forget_shortages",
    "forget_units",
    "gate",
    "have_moved",
    "note_left",
    "remember_shortage",
    "remember_units",
    "remembered_shortage",
    "remembered_units",
    "remembers_shortages",
    "saw_plenty",
]
