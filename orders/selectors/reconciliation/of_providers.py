"""Our payments beside the providers' own statements, in both directions.

The two are never read at one moment. So ours come first: what we say of a payment, the provider
said before. What has moved meanwhile is told apart by looking at it once more, on both sides.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from orders.models import Payment, Refund
from orders.providers import provider_of
from orders.providers.base import Outcome, PaymentRequest, PaymentResult
from orders.selectors.reconciliation.checks import OPEN_PATIENCE, Finding

# As many disagreements are looked at once more; beyond that something larger is wrong.
MOST_SECOND_LOOKS = 100

CAPTURES = "captures_are_charges"
CHARGES = "charges_are_captures"
AMOUNTS = "charges_are_of_the_amount"
UNKNOWN = "charges_have_a_payment"
REFUNDS = "refunds_are_the_providers"

# Name and promise of each check.
PROVIDER_CHECKS: Mapping[str, str] = {
    CAPTURES: "What we call paid, the provider has taken or set aside.",
    CHARGES: "What the provider has taken or set aside, we call paid.",
    AMOUNTS: "Both say the same amount and currency, and whether it was taken or set aside.",
    UNKNOWN: "The provider knows of no payment that we do not.",
    REFUNDS: "The provider gave back what we say was given back, once.",
}

_MONEY = {Outcome.CAPTURED: "captured", Outcome.AUTHORIZED: "authorized"}


@dataclass(frozen=True, slots=True)
class OurPayment:
    """A payment as our books have it."""

    request: PaymentRequest
    status: str
    captured_minor: int
    next_attempt_at: datetime | None
    created_at: datetime
    given_minor: int  # refunds that have succeeded
    giving_minor: int  # refunds that are on their way

    @property
    def money(self) -> str:
        """What we say has come, such as "captured 1250 GBP"; empty for nothing."""
        currency = self.request.currency
        if self.status == Payment.Status.CAPTURED:
            return f"captured {self.captured_minor} {currency}"
        if self.status == Payment.Status.AUTHORIZED:
            return f"authorized {self.request.amount_minor} {currency}"
        return ""

    def is_on_its_way(self, now: datetime) -> bool:
        """Whether somebody is about to ask the provider, so that the two may differ still."""
        due = self.next_attempt_at or self.created_at
        return self.status in Payment.OPEN and due > now - OPEN_PATIENCE


def our_payments(code: str, *, where: Q) -> dict[UUID, OurPayment]:
    """Return the payments by this provider that fit `where`, in two queries."""
    refunds: dict[UUID, tuple[int, int]] = {
        row["payment_id"]: (row["given"] or 0, row["giving"] or 0)
        for row in Refund.objects.filter(
            payment_id__in=Payment.objects.filter(where, provider=code).values("pk")
        )
        .order_by()
        .values("payment_id")
        .annotate(
            given=Sum("amount_minor", filter=Q(status=Refund.Status.SUCCEEDED)),
            giving=Sum(
                "amount_minor", filter=Q(status__in=[Refund.Status.NEW, Refund.Status.REQUESTED])
            ),
        )
    }
    rows = Payment.objects.filter(where, provider=code).values_list(
        "pk",
        "amount_minor",
        "currency",
        "token",
        "status",
        "captured_minor",
        "next_attempt_at",
        "created_at",
    )
    return {
        pk: OurPayment(
            PaymentRequest(pk, amount_minor, currency, token),
            status,
            captured_minor,
            next_attempt_at,
            created_at,
            *refunds.get(pk, (0, 0)),
        )
        for (
            pk,
            amount_minor,
            currency,
            token,
            status,
            captured_minor,
            next_attempt_at,
            created_at,
        ) in rows.iterator(chunk_size=5000)
    }


def provider_findings(
    code: str,
    ours: Mapping[UUID, OurPayment],
    *,
    since: datetime | None,
    again: Collection[UUID],
    now: datetime,
) -> list[Finding]:
    """Compare `ours`, read before, with what the provider tells now of everything since `since`.

    Payments in `again` were found before and are looked at whatever their age. Never call it in a
    transaction: it waits for somebody else's machine. Raises ProviderError.
    """
    told = provider_of(code).statement(since=since)
    if told is None:
        return []
    doubtful: dict[UUID, list[Finding]] = {}
    for key, payment in ours.items():
        if found := list(_compared(key, payment, told.get(key), now=now)):
            doubtful[key] = found
    for key, theirs in told.items():
        if key not in ours and (found := list(_compared(key, None, theirs, now=now))):
            doubtful[key] = found
    # Those found before that are too old to be among either.
    older = [key for key in again if key not in ours and key not in told]
    looks = [*list(doubtful)[:MOST_SECOND_LOOKS], *older]
    fresh = our_payments(code, where=Q(pk__in=looks))
    for key in looks:
        doubtful[key] = _looked_at_again(code, key, fresh.get(key), now=now)
    return [finding for found in doubtful.values() for finding in found]


def _looked_at_again(
    code: str, key: UUID, payment: OurPayment | None, *, now: datetime
) -> list[Finding]:
    request = payment.request if payment else PaymentRequest(key, 0, "", "")
    theirs = provider_of(code).find(request)
    return list(_compared(key, payment, theirs, now=now))


def _compared(
    key: UUID, payment: OurPayment | None, theirs: PaymentResult | None, *, now: datetime
) -> Iterator[Finding]:
    reference = str(key)
    told = _told(theirs)
    if payment is None:
        # What took nothing may be a request that came too late for an order that was rolled back.
        if told:
            yield Finding(UNKNOWN, reference, "a payment of ours", told)
        return
    if payment.is_on_its_way(now):
        return
    if payment.money and not told:
        outcome = theirs.outcome.value if theirs else "unknown"
        yield Finding(CAPTURES, reference, payment.money, outcome)
        return
    if told and not payment.money:
        yield Finding(CHARGES, reference, told, payment.status.lower())
    elif told != payment.money:
        yield Finding(AMOUNTS, reference, told, payment.money)
    given = theirs.refunded_minor if theirs else 0
    most = payment.given_minor + payment.giving_minor
    if told and not payment.given_minor <= given <= most:
        yield Finding(
            REFUNDS, reference, f"refunded {payment.given_minor}", f"the provider gave {given}"
        )


def _told(theirs: PaymentResult | None) -> str:
    if theirs is None or theirs.outcome not in _MONEY:
        return ""
    return f"{_MONEY[theirs.outcome]} {theirs.amount_minor} {theirs.currency}"
