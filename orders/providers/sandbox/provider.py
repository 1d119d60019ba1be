"""Behaves as a real provider would, good days and bad, as the token says."""

import time
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from orders.models import SandboxCharge, SandboxRefund
from orders.providers.base import (
    Outcome,
    PaymentRequest,
    PaymentResult,
    ProviderFailed,
    ProviderTimeout,
    RefundRefused,
    RefundRequest,
    RefundResult,
)
from shop.faults import fault

OK = "tok_ok"
DECLINED = "tok_declined"
REQUIRES_ACTION = "tok_requires_action"
TIMEOUT = "tok_timeout"  # the charge happens, the answer is lost
ERROR = "tok_error"  # the provider answers 500, and nothing happens
SLOW = "tok_slow"

TOKENS = (OK, DECLINED, REQUIRES_ACTION, TIMEOUT, ERROR, SLOW)
SLOW_SECONDS = 3.0

_CARD = ("visa", "4242")
_FIRST_STATUS = {
    DECLINED: SandboxCharge.Status.DECLINED,
    REQUIRES_ACTION: SandboxCharge.Status.REQUIRES_ACTION,
}


class SandboxProvider:
    """The sandbox. Its books are written at once, outside any transaction of the shop."""

    code = "sandbox"
    is_for_buyers = True

    def knows(self, token: str) -> bool:
        return token in TOKENS

    def pay(self, request: PaymentRequest) -> PaymentResult:
        if request.token == ERROR:
            raise ProviderFailed("The sandbox answered 500.")
        if request.token == SLOW:
            time.sleep(SLOW_SECONDS)
        status = _FIRST_STATUS.get(request.token, SandboxCharge.Status.CAPTURED)
        charge, is_new = _charge(request, status)
        fault("payment.charged", error=ProviderTimeout)
        if request.token == TIMEOUT and is_new:
            raise ProviderTimeout("The sandbox did not answer in time.")
        return _result(charge)

    def find(self, request: PaymentRequest) -> PaymentResult | None:
        charge = SandboxCharge.objects.filter(key=request.key).first()
        return _result(charge) if charge else None

    def void(self, request: PaymentRequest) -> PaymentResult:
        # A key that was never heard of is voided too, so that a late request finds it closed.
        charge, is_new = _charge(request, SandboxCharge.Status.VOIDED)
        if not is_new and charge.status == SandboxCharge.Status.REQUIRES_ACTION:
            _finish(request.key, SandboxCharge.Status.VOIDED)
            charge.refresh_from_db()
        return _result(charge)

    def complete(self, key: UUID, *, succeeds: bool) -> PaymentResult | None:
        """Do what the payer does on the provider's page; None if there is no such payment.

        Only the first answer counts.
        """
        _finish(key, SandboxCharge.Status.CAPTURED if succeeds else SandboxCharge.Status.DECLINED)
        charge = SandboxCharge.objects.filter(key=key).first()
        return _result(charge) if charge else None

    def refund(self, request: RefundRequest) -> RefundResult:
        with transaction.atomic():
            refund, is_new = SandboxRefund.objects.get_or_create(
                key=request.key,
                defaults={
                    "charge_id": request.payment.key,
                    "reference": f"sbr_{request.key.hex}",
                    "amount_minor": request.amount_minor,
                },
            )
            if is_new:
                changed = SandboxCharge.objects.filter(
                    key=request.payment.key,
                    status=SandboxCharge.Status.CAPTURED,
                    amount_minor__gte=F("refunded_minor") + request.amount_minor,
                ).update(refunded_minor=F("refunded_minor") + request.amount_minor)
                if not changed:
                    raise RefundRefused("more_than_captured")
        return RefundResult(reference=refund.reference, amount_minor=refund.amount_minor)

    def statement(self, *, since: datetime | None) -> dict[UUID, PaymentResult] | None:
        charges = SandboxCharge.objects.all()
        if since is not None:
            charges = charges.filter(created_at__gte=since)
        return {charge.key: _result(charge) for charge in charges.iterator(chunk_size=2000)}


def _charge(request: PaymentRequest, status: SandboxCharge.Status) -> tuple[SandboxCharge, bool]:
    """Return the charge of this key and whether it is new: one charge, however many ask."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orders_sandboxcharge
                (key, reference, token, amount_minor, currency, status, refunded_minor, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, 0, clock_timestamp())
            ON CONFLICT DO NOTHING
            """,
            [
                request.key,
                f"sbx_{request.key.hex}",
                request.token,
                request.amount_minor,
                request.currency,
                status.value,
            ],
        )
        is_new = cursor.rowcount == 1
    if not is_new:
        return SandboxCharge.objects.get(key=request.key), False
    charge = SandboxCharge(
        key=request.key,
        reference=f"sbx_{request.key.hex}",
        token=request.token,
        amount_minor=request.amount_minor,
        currency=request.currency,
        status=status,
    )
    return charge, True


def _finish(key: UUID, status: SandboxCharge.Status) -> None:
    SandboxCharge.objects.filter(key=key, status=SandboxCharge.Status.REQUIRES_ACTION).update(
        status=status
    )


def _result(charge: SandboxCharge) -> PaymentResult:
    needs_action = charge.status == SandboxCharge.Status.REQUIRES_ACTION
    took = charge.status == SandboxCharge.Status.CAPTURED
    brand, last4 = _CARD if charge.status != SandboxCharge.Status.VOIDED else ("", "")
    return PaymentResult(
        outcome=Outcome(charge.status.lower()),
        reference=charge.reference,
        amount_minor=charge.amount_minor if took or needs_action else 0,
        currency=charge.currency,
        card_brand=brand,
        card_last4=last4,
        next_action_url=(
            f"{settings.SHOP_PUBLIC_URL}/api/v1/sandbox/payments/{charge.key}/complete"
            if needs_action
            else ""
        ),
        failure_code=("card_declined" if charge.status == SandboxCharge.Status.DECLINED else ""),
        refunded_minor=charge.refunded_minor,
    )
