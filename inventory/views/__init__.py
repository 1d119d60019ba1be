"""Inventory over HTTP."""

from inventory.views.flash_sales import (
    FlashSaleListView,
    FlashSaleView,
    TicketIssueView,
    TicketView,
)
from inventory.views.limits import PurchaseLimitListView, PurchaseLimitView
from inventory.views.stock import (
    AdjustmentView,
    CountView,
    MovementView,
    ReceiptView,
    ReconciliationView,
    ReturnView,
    StockBulkView,
    StockView,
    SubscriptionView,
    TransferReceiptView,
    TransfersView,
    TransferView,
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
    "StockView",
    "SubscriptionView",
    "TicketIssueView",
    "TicketView",
    "TransferReceiptView",
    "TransferView",
    "TransfersView",
]
