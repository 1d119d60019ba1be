"""What staff did to orders and money. Shoppers' own doings are in the timelines of orders."""

from orders.models.aftersales import Refund, Return
from orders.models.orders import Order
from orders.models.payments import Payment
from shop.audit import track

OrderChange = track(Order, "status", "payment_status", "fulfillment_status", "total_minor")
PaymentChange = track(Payment, "order", "status", "amount_minor", "currency", "captured_minor")
RefundChange = track(Refund, "order", "payment", "status", "amount_minor", "currency")
ReturnChange = track(Return, "order", "status")
