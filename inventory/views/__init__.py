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
    StockView,
)
from inventory.views.subscriptions import (
    SubscriptionView,
)

__all__ = [
    "AdjustmentView",
    "CountView",
    "MovementView",
    "ReceiptView",
    "ReconciliationView",
    "ReturnView",
    "StockBulkView",
    "StockView",
    "SubscriptionView",
    "TransferReceiptView",
    "TransferView",
    "TransfersView",
]
