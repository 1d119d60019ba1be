"""Every way in which stock changes."""

from inventory.services.adjustments import (
    Adjustment,
    StockTerms,
    adjust_many,
    adjust_stock,
    change_stock_terms,
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
from inventory.services.catalogue_copies import (
    CopiesSeen,
    drop_stale_copies,
    reconcile_catalogue,
    refresh_drifted_listings,
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
from inventory.services.holds import claim_hold, extend_hold
from inventory.services.low_stock import send_low_stock
from inventory.services.receipts import (
    ReceiptLine,
    SkuLine,
    receive_skus,
    receive_stock,
    return_stock,
    take_back,
)
from inventory.services.reconciling import Reconciliation, reconcile_stock, repair_stock
from inventory.services.recording import Break, Repair, record_reconciliation, resolve_finding
from inventory.services.stock import (
    StockLine,
    commit_stock,
    forget_purchase,
    knows_shortages,
    may_know_shortages,
    refuse_known_shortage,
    refuse_short_lines,
    release_stock,
    reserve_stock,
)
from inventory.services.subscriptions import (
    forget_subscriptions,
    rehash_subscriptions,
    rename_buyers,
    send_back_in_stock,
    subscribe_to_stock,
)
from inventory.services.transfers import dispatch_transfer, receive_transfer
from inventory.services.undoing import end_owed
from inventory.services.warehouses import (
    WarehouseChanges,
    change_warehouse,
    close_warehouse,
    open_warehouse,
)

__all__ = [
    "CHANGEABLE",
    "Adjustment",
    "Admission",
    "Break",
    "CopiesSeen",
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
    "WarehouseChanges",
    "adjust_many",
    "adjust_stock",
    "announce_availability",
    "announce_warehouse",
    "change_flash_sale",
    "change_stock_terms",
    "change_warehouse",
    "claim_hold",
    "close_warehouse",
    "commit_stock",
    "count_stock",
    "create_flash_sale",
    "delete_flash_sale",
    "dispatch_transfer",
    "drop_stale_copies",
    "end_owed",
    "enter_sales",
    "extend_hold",
    "forget_purchase",
    "forget_subscriptions",
    "issue_ticket",
    "knows_shortages",
    "leave_sales",
    "may_know_shortages",
    "open_warehouse",
    "receive_skus",
    "receive_stock",
    "receive_transfer",
    "reconcile_catalogue",
    "reconcile_stock",
    "record_availability",
    "record_reconciliation",
    "refresh_drifted_listings",
    "refuse_known_shortage",
    "refuse_short_lines",
    "rehash_subscriptions",
    "release_stock",
    "remove_purchase_limit",
    "rename_buyers",
    "repair_stock",
    "reserve_stock",
    "resolve_finding",
    "return_stock",
    "send_back_in_stock",
    "send_low_stock",
    "set_purchase_limit",
    "set_stock",
    "set_stock_terms",
    "subscribe_to_stock",
    "take_back",
    "ticket_state",
    "write_off",
]
