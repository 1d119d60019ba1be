"""Questions about orders: no writes, no locks."""

from orders.selectors.access import access_token, is_buyer, link_token, readable_order
from orders.selectors.documents import (
    order_document,
    order_row,
    payment_answer,
    preview_document,
)
from orders.selectors.questions import (
    all_orders,
    document_of,
    erased_people,
    has_bought,
    narrowed,
    orders_of,
)
from orders.selectors.reconciliation import (
    ORDER_CHECKS,
    PAYMENT_CHECKS,
    PROVIDER_CHECKS,
    Finding,
    PaymentsSeen,
    order_findings,
    payment_findings,
    payments_seen,
)

__all__ = [
    "ORDER_CHECKS",
    "PAYMENT_CHECKS",
    "PROVIDER_CHECKS",
    "Finding",
    "PaymentsSeen",
    "access_token",
    "all_orders",
    "document_of",
    "erased_people",
    "has_bought",
    "is_buyer",
    "link_token",
    "narrowed",
    "order_document",
    "order_findings",
    "order_row",
    "orders_of",
    "payment_answer",
    "payment_findings",
    "payments_seen",
    "preview_document",
    "readable_order",
]
