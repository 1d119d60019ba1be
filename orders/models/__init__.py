"""Tables of orders: what was bought, how it was paid, and what came back."""

from orders.models.aftersales import (
    CreditNote,
    CreditNoteLine,
    Refund,
    RefundLine,
    Return,
    ReturnLine,
)
from orders.models.changes import (
    OrderChange,
    PaymentChange,
    RefundChange,
    ReturnChange,
)
from orders.models.erasure import Erasure, RetainedInvoiceData
from orders.models.history import (
    AccountAdjustment,
    Cancellation,
    CancellationLine,
    UnstockedWriteOff,
)
from orders.models.orders import Channel, LineKind, Order, OrderEvent, OrderLine
from orders.models.payments import Payment, ProviderEvent
from orders.models.sandbox import SandboxCharge, SandboxRefund

__all__ = [
    "AccountAdjustment",
    "Cancellation",
    "CancellationLine",
    "Channel",
    "CreditNote",
    "CreditNoteLine",
    "Erasure",
    "LineKind",
    "Order",
    "OrderChange",
    "OrderEvent",
    "OrderLine",
    "Payment",
    "PaymentChange",
    "ProviderEvent",
    "Refund",
    "RefundChange",
    "RefundLine",
    "RetainedInvoiceData",
    "Return",
    "ReturnChange",
    "ReturnLine",
    "SandboxCharge",
    "SandboxRefund",
    "UnstockedWriteOff",
]
