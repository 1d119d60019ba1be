"""Where the books of orders disagree: with themselves, with the stock's, with the providers'."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db.models import Q

from orders.providers import provider_codes
from orders.providers.base import ProviderError
from orders.selectors.reconciliation.checks import Check, Finding, findings_of
from orders.selectors.reconciliation.of_orders import ORDER_CHECKS
from orders.selectors.reconciliation.of_payments import PAYMENT_CHECKS
from orders.selectors.reconciliation.of_providers import (
    PROVIDER_CHECKS,
    our_payments,
    provider_findings,
)
from shop.db.snapshot import one_snapshot

__all__ = [
    "ORDER_CHECKS",
    "PAYMENT_CHECKS",
    "PROVIDER_CHECKS",
    "Check",
    "Finding",
    "PaymentsSeen",
    "order_findings",
    "payment_findings",
    "payments_seen",
]

log = structlog.get_logger("orders.reconciliation")


@dataclass(frozen=True, slots=True)
class PaymentsSeen:
    """What a look at the payments found; `away` are the providers that did not answer it."""

    findings: list[Finding]
    away: list[str]


def order_findings(*, now: datetime) -> list[Finding]:
    """Return where orders disagree with their lines, their money or their stock, as of one moment.

    None, in a sound shop, be it as busy as it likes.
    """
    with one_snapshot():
        return findings_of(ORDER_CHECKS, now=now)


def payment_findings(*, now: datetime, since: datetime | None = None) -> list[Finding]:
    """Return where payments disagree with their orders, or with what the providers tell.

    As `payments_seen`, for whom it is enough to know what was found.
    """
    return payments_seen(now=now, since=since).findings


def payments_seen(
    *, now: datetime, since: datetime | None = None, again: Collection[UUID] = ()
) -> PaymentsSeen:
    """Return where payments disagree with their orders, or with what the providers tell.

    Our books are read as of one moment. Providers are asked about what happened since `since`
    (None: ever) and about the payments in `again`. One that does not answer is named, and nothing
    is said of its payments. Never call it in a transaction: providers are asked over the network.
    """
    period = Q() if since is None else Q(created_at__gte=since)
    with one_snapshot():
        found = findings_of(PAYMENT_CHECKS, now=now)
        ours = {code: our_payments(code, where=period) for code in provider_codes()}
    away = []
    for code, payments in ours.items():
        try:
            found += provider_findings(code, payments, since=since, again=again, now=now)
        except ProviderError as error:
            log.warning("provider_away", provider=code, error=type(error).__name__)
            away.append(code)
    return PaymentsSeen(found, away)
