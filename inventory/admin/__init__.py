"""What staff see of inventory."""

from inventory.admin.sales import FlashSaleAdmin, PurchaseLimitAdmin
from inventory.admin.stock import StockAdmin

__all__ = ["FlashSaleAdmin", "PurchaseLimitAdmin", "StockAdmin"]
