"""Questions about orders: no writes, no locks."""

from orders.selectors.access import access_token, link_token, readable_order
from orders.selectors.documents import order_document, order_row
from orders.selectors.questions import all_orders, document_of, narrowed, orders_of

__all__ = [
    "access_token",
    "all_orders",
    "document_of",
    "link_token",
    "narrowed",
    "order_document",
    "order_row",
    "orders_of",
    "readable_order",
]
