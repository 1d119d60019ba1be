"""What inventory may refuse."""

from shop import errors


class OutOfStock(errors.Conflict):
    """Some lines ask for more than there is. Facts: `lines`, every short one."""

    code = "out_of_stock"
    title = "Not enough stock"


class PurchaseLimitExceeded(errors.Conflict):
    """One buyer may not have that many. Facts: `lines`, with what counts already."""

    code = "purchase_limit_exceeded"
    title = "That is more than one buyer may have"


class FlashSaleNotFound(errors.NotFound):
    """There is no such flash sale."""

    code = "flash_sale_not_found"
    title = "No such flash sale"


class FlashSaleOverlaps(errors.Conflict):
    """The variant has another flash sale at that time, or the slug is another sale's."""

    code = "flash_sale_overlaps"
    title = "Another flash sale is in the way"


class FlashSaleHasSold(errors.Conflict):
    """Units of the sale are held or sold: so it stays, with as many units at least."""

    code = "flash_sale_has_sold"
    title = "The flash sale has sold already"


class FlashSaleOver(errors.Conflict):
    """The sale has ended: there is nothing to wait for."""

    code = "flash_sale_over"
    title = "The flash sale is over"


class TicketNotFound(errors.NotFound):
    """There is no such ticket."""

    code = "ticket_not_found"
    title = "No such ticket"


class PurchaseLimitNotFound(errors.NotFound):
    """The variant has no limit."""

    code = "purchase_limit_not_found"
    title = "No limit for that variant"


class ReservationOver(errors.Conflict):
    """The promise was ended before. Facts: `reference`."""

    code = "reservation_over"
    title = "The stock is no longer held"


class StockBelowReserved(errors.Conflict):
    """The change would leave fewer units than are promised. Facts: `lines`."""

    code = "stock_below_reserved"
    title = "More units are promised than would be left"


class StockOutOfRange(errors.Conflict):
    """The change would leave more units than the shop counts. Facts: `lines`."""

    code = "stock_out_of_range"
    title = "That is more than the shop can count"


class ReferenceReused(errors.Conflict):
    """The note of that number says something else. Facts: `skus`, those that differ."""

    code = "reference_reused"
    title = "This reference belongs to another note"


class UnknownSku(errors.NotFound):
    """There is no such variant. Facts: `sku`, or `variant_ids`."""

    code = "sku_not_found"
    title = "No such SKU"


class UnknownWarehouse(errors.NotFound):
    """There is no such warehouse. Facts: `warehouse`."""

    code = "warehouse_not_found"
    title = "No such warehouse"


class WarehouseExists(errors.Conflict):
    """There is a warehouse of this code already. Facts: `warehouse`."""

    code = "warehouse_exists"
    title = "There is such a warehouse already"


class WarehouseInUse(errors.Conflict):
    """The warehouse keeps stock, or did: its books stay. Facts: `warehouse`."""

    code = "warehouse_in_use"
    title = "The warehouse has been used"


class QuarantineNotForSale(errors.Invalid):
    """What lies in quarantine is not for sale, so its warehouse cannot be active."""

    code = "quarantine_not_for_sale"
    title = "Quarantine is not for sale"


class UnknownStock(errors.NotFound):
    """There is no such stock."""

    code = "stock_not_found"
    title = "No such stock"


class UnknownTransfer(errors.NotFound):
    """There is no such transfer."""

    code = "transfer_not_found"
    title = "No such transfer"


class TransferOver(errors.Conflict):
    """The transfer was received before."""

    code = "transfer_already_received"
    title = "The transfer has arrived already"


class NotInTransfer(errors.Invalid):
    """More arrived than was sent, or something that was not. Facts: `lines`."""

    code = "not_in_transfer"
    title = "That was not sent"


class UnreadableFile(errors.Malformed):
    """A file to import is not of its format at all. Facts: `line`, `column`."""

    code = "unreadable_file"
    title = "The file cannot be read"
