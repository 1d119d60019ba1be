"""What inventory keeps in Redis: copies and hints, which may vanish."""

from inventory.store import gate
from inventory.store.units import forget_units, remember_units, remembered_units

__all__ = ["forget_units", "gate", "remember_units", "remembered_units"]
