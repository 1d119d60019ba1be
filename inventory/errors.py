"""What inventory may refuse."""

from shop import errors


class OutOfStock(errors.Conflict):
    """Some lines ask for more than there is. Facts: `lines`, every short one."""

    code = "out_of_stock"
    title = "Not enough stock"


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
