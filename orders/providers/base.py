"""What a payment provider must be able to do, and what it may answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

CONNECT_SECONDS = 1.0
READ_SECONDS = 5.0  # a provider over the network gets so long, and no longer, for an answer


class Outcome(StrEnum):
    """What became of a payment, as the provider tells it."""

    CAPTURED = "captured"  # the money is taken
    AUTHORIZED = "authorized"  # the money is set aside
    REQUIRES_ACTION = "requires_action"  # the payer must prove who they are first
    DECLINED = "declined"  # refused, for good
    VOIDED = "voided"  # nothing was taken, and nothing will be under this key


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """Ask for this much, once: however often it is sent, `key` makes it one payment."""

    key: UUID
    amount_minor: int
    currency: str
    token: str  # the provider's name for what the buyer pays with


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """What the provider says of a payment. Amount and currency are its words, not ours."""

    outcome: Outcome
    reference: str
    amount_minor: int
    currency: str
    card_brand: str = ""
    card_last4: str = ""
    next_action_url: str = ""
    failure_code: str = ""
    refunded_minor: int = 0
    authorized_until: datetime | None = None  # until when money that is set aside can be taken


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Give this much of a payment back, once per `key`."""

    key: UUID
    payment: PaymentRequest
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RefundResult:
    """The provider has given it back, or will without being asked again."""

    reference: str
    amount_minor: int


class ProviderError(Exception):
    """No answer that tells what happened: ask again with the same key."""


class ProviderTimeout(ProviderError):
    """The provider did not answer in time. Money may have moved."""


class ProviderFailed(ProviderError):
    """The provider answered that it is broken. Money may have moved."""


class RefundRefused(Exception):
    """The provider will not give this back, however often it is asked."""


class PaymentProvider(Protocol):
    """One way to be paid. All but `knows` may go over the network: never call it in a transaction.

    Each call is bounded by `CONNECT_SECONDS` and `READ_SECONDS`, is safe to repeat with the same
    key, and raises ProviderError when it is not known what happened.
    """

    code: str
    is_for_buyers: bool  # whether a checkout may name it

    def knows(self, token: str) -> bool:
        """Tell whether this could be one of the provider's tokens. Asks nobody."""
        ...

    def pay(self, request: PaymentRequest) -> PaymentResult:
        """Take the money, or begin to."""
        ...

    def find(self, request: PaymentRequest) -> PaymentResult | None:
        """Tell what became of this key; None if it was never heard of."""
        ...

    def void(self, request: PaymentRequest) -> PaymentResult:
        """See to it that no money moves under this key from now on, and tell what has moved.

        VOIDED: none has. CAPTURED: it had moved before; this call does not give it back.
        """
        ...

    def refund(self, request: RefundRequest) -> RefundResult:
        """Give money back. Raises RefundRefused."""
        ...

    def statement(self, *, since: datetime | None) -> dict[UUID, PaymentResult] | None:
        """Tell every payment begun since then, by key; None if the provider keeps no books."""
        ...
