"""Every way in which orders, payments and what comes after them change."""

from orders.services.aftersales import (
    CreditLine,
    RefundPart,
    ReturnPart,
    execute_refund,
    issue_credit_note,
    receive_return,
    refund_order,
    refundable_minor,
    settle_refund,
)
from orders.services.cancelling import cancel_order, void_payment
from orders.services.checking_out import (
    CheckoutAnswer,
    CheckoutWish,
    answer_stored,
    checkout,
    empty_cart_of,
    remember_answer,
    require_in_order,
    shortage_at_hand,
)
from orders.services.counting import count_sales
from orders.services.drafts import DraftLine, OrderDraft, PlacedOrder, Postal
from orders.services.erasing import (
    carry_out_erasure,
    purge_retained_invoice_data,
    reapply_erasures,
    request_erasure,
    sweep_erasures,
)
from orders.services.mails import (
    request_order_link,
    send_cancellation,
    send_confirmation,
    send_order_link,
)
from orders.services.paying import (
    Settlement,
    give_up_payment,
    pay,
    record_sale,
    request_of,
    settle_payment,
)
from orders.services.personal_export import request_personal_export
from orders.services.placing import new_number, place_order
from orders.services.quoting import Expectation, Offer, Preview, preview
from orders.services.reconciling import (
    BooksSeen,
    reconcile_orders,
    reconcile_payments,
    repair_books,
)
from orders.services.rehashing import rehash_emails
from orders.services.resuming import resume_checkouts
from orders.services.reviewing import post_review
from orders.services.sandbox import complete_sandbox_payment, sandbox_payment
from orders.services.sweeping import Sweep, expire_holds, expire_order, sweep_payments

__all__ = [
    "BooksSeen",
    "CheckoutAnswer",
    "CheckoutWish",
    "CreditLine",
    "DraftLine",
    "Expectation",
    "Offer",
    "OrderDraft",
    "PlacedOrder",
    "Postal",
    "Preview",
    "RefundPart",
    "ReturnPart",
    "Settlement",
    "Sweep",
    "answer_stored",
    "cancel_order",
    "carry_out_erasure",
    "checkout",
    "complete_sandbox_payment",
    "count_sales",
    "empty_cart_of",
    "execute_refund",
    "expire_holds",
    "expire_order",
    "give_up_payment",
    "issue_credit_note",
    "new_number",
    "pay",
    "place_order",
    "post_review",
    "preview",
    "purge_retained_invoice_data",
    "reapply_erasures",
    "receive_return",
    "reconcile_orders",
    "reconcile_payments",
    "record_sale",
    "refund_order",
    "refundable_minor",
    "rehash_emails",
    "remember_answer",
    "repair_books",
    "request_erasure",
    "request_of",
    "request_order_link",
    "request_personal_export",
    "require_in_order",
    "resume_checkouts",
    "sandbox_payment",
    "send_cancellation",
    "send_confirmation",
    "send_order_link",
    "settle_payment",
    "settle_refund",
    "shortage_at_hand",
    "sweep_erasures",
    "sweep_payments",
    "void_payment",
]
