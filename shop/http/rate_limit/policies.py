"""Which limit each route has: the one table."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from shop.http.rate_limit.rates import Rate

UNKNOWN = "unknown"  # every path that leads nowhere is one route
PREFLIGHT = "preflight"  # so are the questions that a browser asks by itself

_API = "api/v1/"
_STRICT_SHARE = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class Policy:
    """A limit by name. `rate` is for the whole shop; `local_rate` for one process.

    The local one holds while the limiter's Redis is away: the process' share of the limit, and a
    quarter of that where somebody might guess or spend (`is_strict` in the table).
    """

    name: str
    rate: Rate
    local_rate: Rate

    @property
    def header(self) -> str:
        """Return the policy as `RateLimit-Policy` tells it."""
        return f'"{self.name}";q={self.rate.limit};w={self.rate.seconds}'


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str = "default"
    share: Fraction = Fraction(1)  # of SHOP_RATE_LIMIT, so that one setting moves them all
    is_strict: bool = False


_DEFAULT = _Rule()
_DEFAULT_STRICT = _Rule(is_strict=True)
_LOG_IN = _Rule("log_in", Fraction(3, 5), is_strict=True)
_REGISTRATION = _Rule("registration", Fraction(3, 5), is_strict=True)
_MAILED_LINKS = _Rule("mailed_links", Fraction(1, 5), is_strict=True)
_GUESSABLE = _Rule("guessable", Fraction(3, 10), is_strict=True)

# Only what differs from the default. These come on top of what accounts and orders count by account
# and address (django-ratelimit), which knows a failure from a success.
_RULES: dict[str, _Rule] = {
    f"{_API}auth/token": _LOG_IN,
    f"{_API}auth/token/second-factor": _GUESSABLE,
    f"{_API}auth/token/refresh": _DEFAULT_STRICT,
    f"{_API}auth/register": _REGISTRATION,
    f"{_API}auth/password/reset": _MAILED_LINKS,
    f"{_API}auth/password/reset/confirm": _GUESSABLE,
    f"{_API}auth/password/change": _GUESSABLE,
    f"{_API}auth/verify-email": _GUESSABLE,
    f"{_API}auth/email/confirm": _GUESSABLE,
    f"{_API}me/email": _MAILED_LINKS,
    f"{_API}me/second-factors/totp": _GUESSABLE,
    f"{_API}me/second-factors/totp/confirm": _GUESSABLE,
    f"{_API}me/second-factors/recovery-codes": _GUESSABLE,
    f"{_API}me/export": _GUESSABLE,
    f"{_API}me/erase": _GUESSABLE,
    f"{_API}orders/lookup": _MAILED_LINKS,
    f"{_API}orders/<str:number>": _DEFAULT_STRICT,
    f"{_API}orders/<str:number>/cancel": _DEFAULT_STRICT,
    f"{_API}cart/vouchers": _GUESSABLE,
    f"{_API}checkout": _DEFAULT_STRICT,
    f"{_API}checkout/preview": _DEFAULT_STRICT,
    # Carries no token, so everybody behind one address shares it, on every route; costs nothing.
    PREFLIGHT: _Rule(PREFLIGHT, Fraction(6)),
}


def routes_with_rules() -> frozenset[str]:
    """Return the routes of the table."""
    return frozenset(_RULES) - {PREFLIGHT}


def names() -> frozenset[str]:
    """Return the names of all policies."""
    return frozenset(rule.name for rule in (_DEFAULT, *_RULES.values()))


@lru_cache(maxsize=512)
def policy_of(route: str, default: Rate, workers: int) -> Policy:
    """Return the limit of `route`, by the shop's `default`, which `workers` processes share."""
    rule = _RULES.get(route, _DEFAULT)
    limit = math.ceil(default.limit * rule.share)
    local = math.ceil(Fraction(limit, workers) * (_STRICT_SHARE if rule.is_strict else 1))
    return Policy(
        name=rule.name,
        rate=Rate(limit, default.seconds),
        local_rate=Rate(local, default.seconds),
    )
