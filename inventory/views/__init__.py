"""Inventory over HTTP."""

from inventory.views.flash_sales import (
    FlashSaleListView,
    FlashSaleView,
    TicketIssueView,
    TicketView,
)
from inventory.views.limits import (
    PurchaseLimitListView,
    PurchaseLimitView,
)
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
from inventory.views.warehouses import (
    WarehousesView,
    WarehouseView,
)

__all__ = [
    "AdjustmentView",
    "CountView",
    "FlashSaleListView",
    "FlashSaleView",
    "MovementView",
    "PurchaseLimitListView",
    "PurchaseLimitView",
    "ReceiptView",
    "ReconciliationView",
    "ReturnView",
    "StockBulkView",
    "StockItemView",
    "StockView",
    "SubscriptionView",
    "TicketIssueView",
    "TicketView",
    "TransferReceiptView",
    "TransferView",
    "TransfersView",
    "WarehouseView",
    "WarehousesView",
]
