"""Questions about the rules: what the shop ships where, for how much, and with which tax."""

import time
from dataclasses import dataclass, fields
from datetime import date
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connections

from cart.models import ShippingMethod, ShippingRate, TaxRate
from shop.cache.aside import AsideCache

RULES_MEMO_SECONDS = 2.0  # how long a process may go on with rules that another one has changed
_RULES_KEY = "all"
_rules_cache = AsideCache(name="cart-rules", version="1", ttl_seconds=3600)


@dataclass(frozen=True, slots=True)
class RateBand:
    """One price of a shipping method, for parcels within its bounds."""

    currency: str
    price_minor: int
    free_over_minor: int | None
    min_subtotal_minor: int
    max_subtotal_minor: int | None
    min_weight_grams: int
    max_weight_grams: int | None

    def fits(self, *, currency: str, subtotal_minor: int, weight_grams: int) -> bool:
        """Tell whether a parcel is within the bounds: inclusive below, exclusive above."""
        return (
            self.currency == currency
            and self.min_subtotal_minor <= subtotal_minor
            and (self.max_subtotal_minor is None or subtotal_minor < self.max_subtotal_minor)
            and self.min_weight_grams <= weight_grams
            and (self.max_weight_grams is None or weight_grams < self.max_weight_grams)
        )

    def price_for(self, subtotal_minor: int) -> int:
        """Return the price in minor units: nothing, from the free-over threshold on."""
        if self.free_over_minor is not None and subtotal_minor >= self.free_over_minor:
            return 0
        return self.price_minor


_BAND_FIELDS = tuple(field.name for field in fields(RateBand))


@dataclass(frozen=True, slots=True)
class MethodRule:
    """A shipping method and the countries that it reaches."""

    code: str
    name: str
    countries: frozenset[str]
    days_min: int
    days_max: int
    bands: tuple[RateBand, ...]


@dataclass(frozen=True, slots=True)
class TaxSpan:
    """A tax rate and the days on which it holds, both ends included."""

    rate_bps: int
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a price depends on besides the goods, as it was at one moment."""

    methods: tuple[MethodRule, ...]
    taxes: dict[tuple[str, str], tuple[TaxSpan, ...]]  # by country and tax class, newest first

    def tax_rate_bps(self, *, country: str, tax_class: str, on: date) -> int | None:
        """Return the rate in hundredths of a percent, or None where the shop knows of no tax."""
        for span in self.taxes.get((country, tax_class), ()):
            if span.valid_from <= on and (span.valid_to is None or on <= span.valid_to):
                return span.rate_bps
        return None


@dataclass(slots=True)
class _Memo:
    rules: Rules | None = None
    good_until: float = 0.0
    # What will be charged: the rules as they were in this version of theirs. Replaced as a whole.
    charged: tuple[UUID, Rules] | None = None


_memo = _Memo()


def load_rules(*, fresh: bool = False) -> Rules:
    """Return the rules of shipping and tax.

    At most `RULES_MEMO_SECONDS` stale, without SQL while the caches are warm. With `fresh`, for
    what will be charged, they are those of the primary at this moment: one query, and three more
    in the first call after a change.
    """
    if fresh:
        return _rules_now()
    if _memo.rules is not None and time.monotonic() < _memo.good_until:
        return _memo.rules
    stored = _rules_cache.get(_RULES_KEY, _read_rules)
    rules = _rules_from(stored or _read_rules())
    _memo.good_until = time.monotonic() + RULES_MEMO_SECONDS
    _memo.rules = rules
    return rules


def forget_rules() -> None:
    """Drop the copies of the rules, the shared one and this process's. Call it after the commit."""
    _rules_cache.invalidate([_RULES_KEY])
    _memo.rules = _memo.charged = None


def _rules_now() -> Rules:
    # A trigger gives every change of a rule a version that never was before, in its transaction.
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT version FROM cart_rulesversion")
        row = cursor.fetchone()
    charged = _memo.charged
    if row is None or charged is None or charged[0] != row[0]:
        # Asked for before the rules are read: what changes in between is found by the next call.
        rules = _rules_from(_read_rules())
        _memo.charged = None if row is None else (row[0], rules)
        return rules
    return charged[1]


def _read_rules() -> bytes:
    """Return the rules as JSON, from the primary."""
    primary = DEFAULT_DB_ALIAS
    bands: dict[int, list[tuple[object, ...]]] = {}
    for method_id, *rate in (
        ShippingRate.objects.using(primary)
        .filter(method__is_active=True)
        .order_by("pk")
        .values_list("method_id", *_BAND_FIELDS)
    ):
        bands.setdefault(method_id, []).append(tuple(rate))
    methods = [
        {
            "code": method.code,
            "name": method.name,
            "countries": method.zone.countries,
            "days_min": method.days_min,
            "days_max": method.days_max,
            "bands": bands.get(method.pk, []),
        }
        for method in ShippingMethod.objects.using(primary)
        .filter(is_active=True)
        .select_related("zone")
        .order_by("position", "pk")
    ]
    taxes = list(
        TaxRate.objects.using(primary)
        .order_by("country", "tax_class", "-valid_from")
        .values("country", "tax_class", "rate_bps", "valid_from", "valid_to")
    )
    return orjson.dumps({"methods": methods, "taxes": taxes})


def _rules_from(stored: bytes) -> Rules:
    content = orjson.loads(stored)
    taxes: dict[tuple[str, str], list[TaxSpan]] = {}
    for row in content["taxes"]:
        taxes.setdefault((row["country"], row["tax_class"]), []).append(
            TaxSpan(
                rate_bps=row["rate_bps"],
                valid_from=date.fromisoformat(row["valid_from"]),
                valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            )
        )
    return Rules(
        methods=tuple(
            MethodRule(
                code=row["code"],
                name=row["name"],
                countries=frozenset(row["countries"]),
                days_min=row["days_min"],
                days_max=row["days_max"],
                bands=tuple(RateBand(*band) for band in row["bands"]),
            )
            for row in content["methods"]
        ),
        taxes={key: tuple(spans) for key, spans in taxes.items()},
    )
