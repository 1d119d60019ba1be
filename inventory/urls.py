"""The routes of inventory, all for staff."""

from django.urls import path

from inventory.views import AdjustmentView, MovementView, ReceiptView, ReconciliationView, StockView

urlpatterns = [
    path("inventory/stock", StockView.as_view()),
    path("inventory/adjustments", AdjustmentView.as_view()),
    path("inventory/receipts", ReceiptView.as_view()),
    path("inventory/movements", MovementView.as_view()),
    path("inventory/reconciliation", ReconciliationView.as_view()),
]
