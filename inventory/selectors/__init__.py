"""Questions about stock: no writes, no locks."""

from inventory.selectors.explaining import LedgerEntry, StockStory, stories_of_stock
from inventory.selectors.findings import (
    SeenRun,
    reconciliation_metrics,
    reconciliation_runs,
    with_findings,
)
from inventory.selectors.levels import (
    Level,
    Shown,
    available_units,
    available_units_now,
    counts,
    default_warehouse,
    expired_references,
    levels_of,
    movements,
    shown_levels,
    shown_to_shoppers,
    stock_levels,
    stock_rows,
    transfer_of,
    transfers,
    warehouse_of,
)
from inventory.selectors.reconciliation import CHECKS, Drift, drifted_stock

__all__ = [
    "CHECKS",
    "Drift",
    "LedgerEntry",
    "Level",
    "SeenRun",
    "Shown",
    "StockStory",
    "available_units",
    "available_units_now",
    "counts",
    "default_warehouse",
    "drifted_stock",
    "expired_references",
    "levels_of",
    "movements",
    "reconciliation_metrics",
    "reconciliation_runs",
    "shown_levels",
    "shown_to_shoppers",
    "stock_levels",
    "stock_rows",
    "stories_of_stock",
    "transfer_of",
    "transfers",
    "warehouse_of",
    "with_findings",
]
