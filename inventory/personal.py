"""What the tables of stock hold of people: who waits for a variant."""

from shop.privacy.registry import DataClass, Erasure, Personal, Table, table_of_changes

_UNTIL_TOLD = "until the mail is sent"

TABLES = (
    Table("inventory.Warehouse", plain="code name country"),
    Table(
        "inventory.Reservation",
        plain="reference",
        personal={
            # A digest of a keyed hash: it counts a buyer's units and leads to nobody.
            "buyer": Personal(DataClass.IDENTIFIER, Erasure.KEEP, "no limit: purchase limits"),
        },
    ),
    # The ledger: words of the shop and its staff. What buyers type never gets there.
    Table("inventory.StockMovement", plain="reason cause"),
    Table("inventory.ReconciliationRun", plain="scope checks"),
    Table(
        "inventory.ReconciliationFinding",
        plain="scope kind reference expected found detail resolution",
    ),
    Table("inventory.StockCount", plain="reason"),
    Table("inventory.StockTransfer", plain="reason note"),
    Table(
        "inventory.StockSubscription",
        personal={
            "email": Personal(DataClass.CONTACT, Erasure.DELETE, _UNTIL_TOLD),
            "email_hash": Personal(DataClass.IDENTIFIER, Erasure.DELETE, _UNTIL_TOLD),
        },
        subject="customer",
        section="stock_subscriptions",
    ),
    Table("inventory.FlashSale", plain="slug name"),
    table_of_changes("inventory.WarehouseChange", "code name country"),
    table_of_changes("inventory.StockChange"),
    table_of_changes("inventory.PurchaseLimitChange"),
    table_of_changes("inventory.FlashSaleChange", "name slug"),
)
