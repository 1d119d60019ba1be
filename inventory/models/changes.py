"""What staff changed in inventory's terms and sales. Units have a ledger of their own."""

from inventory.models.sales import FlashSale, PurchaseLimit
from inventory.models.stock import Stock, Warehouse
from shop.audit import track

WarehouseChange = track(
    Warehouse, "code", "name", "country", "is_active", "priority", everybody=True
)
StockChange = track(Stock, "variant", "warehouse", "backorder_limit", "low_at")
PurchaseLimitChange = track(PurchaseLimit, "variant", "units", "window_days", everybody=True)
FlashSaleChange = track(
    FlashSale,
    "variant",
    "slug",
    "name",
    "starts_at",
    "ends_at",
    "units",
    "limit_per_customer",
    "admitted_per_second",
    "admitted_at_once",
)
