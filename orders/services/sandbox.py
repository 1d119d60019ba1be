"""What the payer does on the sandbox's own page, where a real provider would have one."""

from datetime import datetime
from uuid import UUID

from django.conf import settings

from orders.errors import PaymentNotFound
from orders.models import Order, Payment
from orders.providers.sandbox.provider import SandboxProvider
from orders.services.checking_out import empty_ordered_cart
from orders.services.paying import Settlement, settle_payment


def sandbox_payment(payment_id: UUID) -> Payment:
    """Return a payment of the sandbox, with its order. Raises PaymentNotFound."""
    payment = None
    if settings.SHOP_SANDBOX_PAYMENTS:
        payment = (
            Payment.objects.select_related("order")
            .filter(pk=payment_id, provider=SandboxProvider.code)
            .first()
        )
    if payment is None:
        raise PaymentNotFound("There is no such payment.")
    return payment


def complete_sandbox_payment(*, payment_id: UUID, succeeds: bool, now: datetime) -> Settlement:
    """Let the payer prove who they are, or fail to, and settle what follows.

    The first answer counts. Never call it in a transaction. Raises PaymentNotFound.
    """
    payment = sandbox_payment(payment_id)
    result = SandboxProvider().complete(payment.pk, succeeds=succeeds)
    if result is None:
        raise PaymentNotFound("The sandbox has not heard of this payment.")
    settlement = settle_payment(payment_id=payment.pk, result=result, now=now)
    if settlement.order.status == Order.Status.CONFIRMED:
        empty_ordered_cart(settlement.order)
    return settlement
