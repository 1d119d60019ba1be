"""Tables of inventory: how much there is, to whom it is promised, and on which terms."""

from inventory.models.changes import (
    FlashSaleChange,
    PurchaseLimitChange,
    StockChange,
    WarehouseChange,
)
from inventory.models.sales import FlashSale, FlashSaleQuerySet, PurchaseLimit
from inventory.models.stock import (
    MOST_UNITS,
    PUBLIC_CAP,
    QUARANTINE,
    ReconciliationFinding,
    ReconciliationRun,
    Reservation,
    Stock,
    StockCount,
    StockManager,
    StockMovement,
    StockQuerySet,
    StockSubscription,
    StockTransfer,
    StockTransferLine,
    Warehouse,
)

__all__ = [
    "MOST_UNITS",
    "PUBLIC_CAP",
    "QUARANTINE",
    "FlashSale",
    "FlashSaleChange",
    "FlashSaleQuerySet",
    "PurchaseLimit",
    "PurchaseLimitChange",
    "ReconciliationFinding",
    "ReconciliationRun",
    "Reservation",
    "Stock",
    "StockChange",
    "StockCount",
    "StockManager",
    "StockMovement",
    "StockQuerySet",
    "StockSubscription",
    "StockTransfer",
    "StockTransferLine",
    "Warehouse",
    "WarehouseChange",
]
