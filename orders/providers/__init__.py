"""Ways to be paid, one folder each."""

from django.conf import settings

from orders.providers.base import PaymentProvider
from orders.providers.careful import CarefulProvider
from orders.providers.manual.provider import ManualProvider
from orders.providers.sandbox.provider import SandboxProvider

MANUAL = "manual"
SANDBOX = "sandbox"

_PROVIDERS: dict[str, PaymentProvider] = {
    MANUAL: CarefulProvider(ManualProvider()),
    SANDBOX: CarefulProvider(SandboxProvider()),
}


def provider_of(code: str) -> PaymentProvider:
    """Return the provider of that code, also one that takes no new payments. Raises KeyError."""
    return _PROVIDERS[code]


def providers_for_buyers() -> dict[str, PaymentProvider]:
    """Return the providers that a checkout may name, by code."""
    return {
        code: provider
        for code, provider in _PROVIDERS.items()
        if provider.is_for_buyers and (code != SANDBOX or settings.SHOP_SANDBOX_PAYMENTS)
    }


def provider_codes() -> list[str]:
    """Return the codes of all providers."""
    return list(_PROVIDERS)
