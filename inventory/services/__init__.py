"""Every way in which stock changes."""

from inventory.services.adjustments import (
    Adjustment,
    StockTerms,
    adjust_many,
    adjust_stock,
    set_stock_terms,
    write_off,
)
from inventory.services.admission import (
    Admission,
    Ticket,
    enter_sales,
    issue_ticket,
    leave_sales,
    ticket_state,
)
from inventory.services.availability import (
    announce_availability,
    announce_warehouse,
    record_availability,
)
from inventory.services.counts import RowResult, StockRow, count_stock, set_stock
from inventory.services.flash_sales import (
    CHANGEABLE,
    FlashSaleDraft,
    change_flash_sale,
    create_flash_sale,
    delete_flash_sale,
    remove_purchase_limit,
    set_purchase_limit,
)
from inventory.services.receipts import (
    ReceiptLine,
    SkuLine,
    receive_skus,
    receive_stock,
    return_stock,
    take_back,
)
from inventory.services.reconciling import (
    Break,
    Reconciliation,
    Repair,
    reconcile_stock,
    record_reconciliation,
    repair_stock,
)
from inventory.services.stock import (
    StockLine,
    commit_stock,
    forget_purchase,
    refuse_short_lines,
    release_stock,
    reserve_stock,
)
from inventory.services.subscriptions import send_back_in_stock, subscribe_to_stock
from inventory.services.transfers import dispatch_transfer, receive_transfer

__all__ = [
    "CHANGEABLE",
    "Adjustment",
    "Admission",
    "Break",
    "FlashSaleDraft",
    "ReceiptLine",
    "Reconciliation",
    "Repair",
    "RowResult",
    "SkuLine",
    "StockLine",
    "StockRow",
    "StockTerms",
    "Ticket",
    "adjust_many",
    "adjust_stock",
    "announce_availability",
    "announce_warehouse",
    "change_flash_sale",
    "commit_stock",
    "count_stock",
    "create_flash_sale",
    "delete_flash_sale",
    "dispatch_transfer",
    "enter_sales",
    "forget_purchase",
    "issue_ticket",
    "leave_sales",
    "receive_skus",
    "receive_stock",
    "receive_transfer",
    "reconcile_stock",
    "record_availability",
    "record_reconciliation",
    "refuse_short_lines",
    "release_stock",
    "remove_purchase_limit",
    "repair_stock",
    "reserve_stock",
    "return_stock",
    "send_back_in_stock",
    "set_purchase_limit",
    "set_stock",
    "set_stock_terms",
    "subscribe_to_stock",
    "take_back",
    "ticket_state",
    "write_off",
]
