"""Stock over HTTP: for staff, but for those who wait for some."""

from inventory.views.moving import (
    ReceiptView,
    ReturnView,
    TransferReceiptView,
    TransfersView,
    TransferView,
)
from inventory.views.reconciliation import (
    ReconciliationView,
)
from inventory.views.stock import (
    AdjustmentView,
    CountView,
    MovementView,
    StockBulkView,
    StockItemView,
    StockView,
)
from inventory.views.subscriptions import (
    SubscriptionView,
)
from inventory.views.warehouses import WarehousesView, WarehouseView

__all__ = [
    "AdjustmentView",
    "CountView",
    "MovementView",
    "ReceiptView",
    "ReconciliationView",
    "ReturnView",
    "StockBulkView",
    "StockItemView",
    "StockView",
    "SubscriptionView",
    "TransferReceiptView",
    "TransferView",
    "TransfersView",
    "WarehouseView",
    "WarehousesView",
]
