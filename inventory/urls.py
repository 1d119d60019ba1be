"""The routes of inventory: for staff, but for subscriptions and flash sales."""

from django.urls import path

from inventory import views

urlpatterns = [
    path("inventory/stock", views.StockView.as_view()),
    path("inventory/stock/bulk", views.StockBulkView.as_view()),
    path("inventory/adjustments", views.AdjustmentView.as_view()),
    path("inventory/counts", views.CountView.as_view()),
    path("inventory/receipts", views.ReceiptView.as_view()),
    path("inventory/returns", views.ReturnView.as_view()),
    path("inventory/transfers", views.TransfersView.as_view()),
    path("inventory/transfers/<int:transfer_id>", views.TransferView.as_view()),
    path("inventory/transfers/<int:transfer_id>/receive", views.TransferReceiptView.as_view()),
    path("inventory/movements", views.MovementView.as_view()),
    path("inventory/reconciliation", views.ReconciliationView.as_view()),
    path("inventory/subscriptions", views.SubscriptionView.as_view()),
    path("inventory/purchase-limits", views.PurchaseLimitListView.as_view()),
    path("inventory/purchase-limits/<int:variant_id>", views.PurchaseLimitView.as_view()),
    path("flash-sales", views.FlashSaleListView.as_view()),
    path("flash-sales/tickets/<str:ticket_id>", views.TicketView.as_view()),
    path("flash-sales/<slug:slug>", views.FlashSaleView.as_view()),
    path("flash-sales/<slug:slug>/tickets", views.TicketIssueView.as_view()),
]
