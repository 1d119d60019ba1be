"""Every way in which orders, payments and what comes after them change."""

from orders.services.drafts import DraftLine, OrderDraft, PlacedOrder, Postal
from orders.services.paying import (
    Settlement,
    give_up_payment,
    pay,
    request_of,
    settle_payment,
)
from orders.services.placing import new_number, place_order

__all__ = [
    "DraftLine",
    "OrderDraft",
    "PlacedOrder",
    "Postal",
    "Settlement",
    "give_up_payment",
    "new_number",
    "pay",
    "place_order",
    "request_of",
    "settle_payment",
]
