"""Money: integers of minor units with their ISO 4217 currency. No floats, ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

# ISO 4217 list one (Maintenance agency: SIX Financial Information AG), active currencies, by the
# number of digits after the decimal separator ("minor unit"). Fund codes, metals and test codes
# are left out. CLDR's digits differ (it rounds to what is in use), so they are not used here.
_DIGITS_BY_COUNT: dict[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
        "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
        "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL "
        "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN "
        "PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
        "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
}
_DIGITS: dict[str, int] = {
    code: count for count, codes in _DIGITS_BY_COUNT.items() for code in codes.split()
}

LARGEST_MINOR = 10**15  # what one amount may be at most: far from bigint's edge, also in sums


def is_currency(code: str) -> bool:
    """Tell whether `code` is an active ISO 4217 currency, in capitals."""
    return code in _DIGITS


def digits(currency: str) -> int:
    """Return how many digits the currency has after the point. Raises ValueError if unknown."""
    try:
        return _DIGITS[currency]
    except KeyError:
        raise ValueError(f"{currency!r} is not an ISO 4217 currency") from None


def to_minor(amount: Decimal | str, currency: str) -> int:
    """Round `amount` half up to the currency's digits and return it in minor units.

    Raises ValueError for what is no finite number, too large, or an unknown currency.
    """
    try:
        value = Decimal(amount)
        if not value.is_finite() or abs(value) > LARGEST_MINOR:
            raise ValueError(f"{amount!r} is not an amount of money")
        scaled = value.scaleb(digits(currency))
        return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not an amount of money") from None


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` minor units in proportion to `weights`, losing none of them.

    Largest remainder (Hamilton): each gets its share rounded towards zero, and what is left goes
    one by one to the largest remainders, earlier ones first. Weights are not negative; if all are
    zero the total is divided evenly. An empty list takes nothing, so `total` must then be 0.
    """
    if not weights:
        if total:
            raise ValueError("nothing to spread the money over")
        return []
    if total < 0:
        return [-share for share in spread(-total, weights)]
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    shares = [total * weight // whole for weight in weights]
    left = total - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[:left]:
        shares[i] += 1
    return shares


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency."""

    amount_minor: int
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> "Money":
        """Read a decimal string with at most the currency's digits. Raises ValueError."""
        if len(amount) > 20:
            raise ValueError("too long for an amount of money")
        minor = to_minor(amount, currency)
        if Decimal(amount).scaleb(digits(currency)) != minor:
            raise ValueError(f"{currency} has {digits(currency)} digits after the point")
        return cls(minor, currency)

    @property
    def amount(self) -> str:
        """The decimal string with exactly the currency's digits, such as `19.99` or `-0.05`."""
        places = digits(self.currency)
        if not places:
            return str(self.amount_minor)
        sign = "-" if self.amount_minor < 0 else ""
        whole, rest = divmod(abs(self.amount_minor), 10**places)
        return f"{sign}{whole}.{rest:0{places}d}"

    def as_json(self) -> dict[str, str]:
        return {"amount": self.amount, "currency": self.currency}

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
