"""Questions about stock: no writes, no locks."""

from inventory.selectors.levels import (
    Level,
    Shown,
    available_units,
    available_units_now,
    default_warehouse,
    expired_references,
    movements,
    shown_levels,
    shown_to_shoppers,
    stock_levels,
    stock_rows,
    warehouse_of,
)
from inventory.selectors.reconciliation import CHECKS, Drift, drifted_stock

__all__ = [
    "CHECKS",
    "Drift",
    "Level",
    "Shown",
    "available_units",
    "available_units_now",
    "default_warehouse",
    "drifted_stock",
    "expired_references",
    "movements",
    "shown_levels",
    "shown_to_shoppers",
    "stock_levels",
    "stock_rows",
    "warehouse_of",
]
