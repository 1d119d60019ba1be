"""A provider whose mistakes are its own: what it never should have raised is no answer."""

from collections.abc import Callable
from datetime import datetime
from typing import ParamSpec, TypeVar
from uuid import UUID

import structlog
from django.db import DatabaseError

from orders.providers.base import (
    PaymentProvider,
    PaymentRequest,
    PaymentResult,
    ProviderError,
    ProviderFailed,
    RefundRefused,
    RefundRequest,
    RefundResult,
)

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("orders.providers")


class CarefulProvider:
    """The provider `inner`, with every unforeseen exception logged and raised as ProviderFailed.

    So an answer that its library cannot read leaves a payment as one of which nothing is known,
    which all callers see to, and does not keep a sweep from those that come after it. What the
    contract names, and trouble with our own database, is raised as it is.
    """

    def __init__(self, inner: PaymentProvider) -> None:
        self._inner = inner
        self.code = inner.code
        self.is_for_buyers = inner.is_for_buyers

    def knows(self, token: str) -> bool:
        return self._inner.knows(token)

    def pay(self, request: PaymentRequest) -> PaymentResult:
        return self._asked(self._inner.pay, request)

    def find(self, request: PaymentRequest) -> PaymentResult | None:
        return self._asked(self._inner.find, request)

    def void(self, request: PaymentRequest) -> PaymentResult:
        return self._asked(self._inner.void, request)

    def refund(self, request: RefundRequest) -> RefundResult:
        return self._asked(self._inner.refund, request)

    def statement(self, *, since: datetime | None) -> dict[UUID, PaymentResult] | None:
        return self._asked(self._inner.statement, since=since)

    def _asked(self, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return ask(*args, **kwargs)
        except (ProviderError, RefundRefused, DatabaseError):
            raise
        except Exception as error:
            log.exception("provider_broken", provider=self.code)
            raise ProviderFailed(f"{self.code}: {type(error).__name__}") from error
