"""What can be shown beside a password, each kind behind one interface."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from accounts.models import RecoveryCodes, TotpFactor, User
from shop.errors import TooMany


class Factor(Protocol):
    """One kind of second factor. A passkey would be another: its proof is an assertion."""

    @property
    def kind(self) -> str: ...

    def is_ready(self, user: User) -> bool:
        """Tell whether `user` has set it up and may show it."""

    def accepts(self, user: User, proof: str, now: datetime) -> bool:
        """Tell whether `proof` is good, and see to it that it is not good again.

        Inside a transaction of the caller, which must be committed also when it is not good, as
        that is counted. Raises TooMany, with the seconds to wait, after wrong ones.
        """


@dataclass(frozen=True, slots=True)
class _Codes:
    """Codes to type in, kept and counted by django-otp."""

    kind: str
    model: type[TotpFactor] | type[RecoveryCodes]

    def is_ready(self, user: User) -> bool:
        return self.model.objects.filter(user=user, confirmed=True).exists()

    def accepts(self, user: User, proof: str, now: datetime) -> bool:
        # Locked: of two that come with one code the second finds it used.
        device = self.model.objects.select_for_update().filter(user=user, confirmed=True).first()
        if device is None:
            return False
        return is_right(device, proof, now=now)


TOTP = _Codes("totp", TotpFactor)
RECOVERY_CODE = _Codes("recovery_code", RecoveryCodes)
FACTORS: tuple[Factor, ...] = (TOTP, RECOVERY_CODE)
KINDS = [factor.kind for factor in FACTORS]


def kinds_of(user: User) -> list[str]:
    """Return the kinds that `user` may show; none, when the password suffices."""
    return [factor.kind for factor in FACTORS if factor.is_ready(user)]


def accepts(user: User, *, kind: str, proof: str, now: datetime) -> bool:
    """Tell whether `proof` of this kind is good: see `Factor.accepts`. An unknown kind never is."""
    return any(factor.kind == kind and factor.accepts(user, proof, now) for factor in FACTORS)


def is_right(device: Any, proof: str, *, now: datetime) -> bool:
    """Tell whether a locked device takes the code. Raises TooMany after wrong ones."""
    is_allowed, why = device.verify_is_allowed()
    if not is_allowed:
        wait = (why["locked_until"] - now).total_seconds()
        raise TooMany("Wait before the next code.", retry_after=max(1, round(wait)))
    return bool(device.verify_token("".join(proof.split()).replace("-", "").lower()))
