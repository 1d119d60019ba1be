"""Who may see stock, and who may change it: staff, by the permissions of the models."""

from shop.http.permissions import staff

MaySeeStock = staff("inventory.view_stock")
MaySeeMovements = staff("inventory.view_stockmovement")
MayChangeStock = staff("inventory.add_stockmovement")
MaySeeReconciliation = staff("inventory.view_reconciliationrun")
MayChangeTerms = staff("inventory.change_stock")
MaySeeCounts = staff("inventory.view_stockcount")
MaySeeWarehouses = staff("inventory.view_warehouse")
MayOpenWarehouses = staff("inventory.add_warehouse")
MayChangeWarehouses = staff("inventory.change_warehouse")
MayCloseWarehouses = staff("inventory.delete_warehouse")
MaySeeTransfers = staff("inventory.view_stocktransfer")
MayAddFlashSales = staff("inventory.add_flashsale")
MayChangeFlashSales = staff("inventory.change_flashsale")
MayDeleteFlashSales = staff("inventory.delete_flashsale")
MaySeePurchaseLimits = staff("inventory.view_purchaselimit")
MayChangePurchaseLimits = staff("inventory.change_purchaselimit")
MayDeletePurchaseLimits = staff("inventory.delete_purchaselimit")
