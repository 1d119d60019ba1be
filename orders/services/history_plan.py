"""What a history needs before its first invoice can be replayed: pure reckoning, no database."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django_countries import countries

from orders.services.history_input import History, Invoice, Kind, Row


@dataclass(frozen=True, slots=True)
class Article:
    """A thing on the wholesaler's shelves, as its invoices tell of it."""

    code: str
    title: str
    price_minor: int | None  # None: never sold for money in this history


def stock_change(invoice: Invoice) -> Counter[str]:
    """Return the units that the invoice puts on the shelf (or takes, below 0), by code."""
    change: Counter[str] = Counter()
    if invoice.kind is Kind.ADJUSTMENT:
        return change
    sign = 1 if invoice.kind is Kind.CANCELLATION else -1
    for row in invoice.rows:
        if row.is_stocked:
            change[row.code] += sign * abs(row.quantity)
    return change


def opening_stock(invoices: Iterable[Invoice]) -> dict[str, int]:
    """Return the least units of each code with which the invoices can happen in this order.

    A code that needs none is absent.
    """
    on_shelf: Counter[str] = Counter()
    needed: dict[str, int] = {}
    for invoice in invoices:
        for code, change in stock_change(invoice).items():
            on_shelf[code] += change
            if on_shelf[code] < -needed.get(code, 0):
                needed[code] = -on_shelf[code]
    return needed


def articles(history: History) -> list[Article]:
    """Return every stocked code of the history, by code, with the title and price it mostly had.

    Clerks write notes where a title belongs ("damaged", "?"), but hardly ever on a line with a
    price: so the titles of priced lines count, and others only where there are none.
    """
    titles: dict[str, Counter[str]] = {}
    notes: dict[str, Counter[str]] = {}
    prices: dict[str, Counter[int]] = {}
    for invoice in history.invoices:
        for row in invoice.rows:
            if not row.is_stocked:
                continue
            counts = titles if row.unit_price > 0 else notes
            counts.setdefault(row.code, Counter())[_title(row)] += 1
            if row.unit_price_minor > 0:
                prices.setdefault(row.code, Counter())[row.unit_price_minor] += 1
    return [
        Article(
            code=code,
            title=_most_frequent(titles.get(code)) or _likely_title(notes.get(code)) or code,
            price_minor=_most_frequent_price(prices.get(code)),
        )
        for code in sorted(titles.keys() | notes.keys())
    ]


def _title(row: Row) -> str:
    return " ".join(row.description.split())


def _most_frequent(texts: Counter[str] | None) -> str:
    if not texts:
        return ""
    # Ties are broken by the text itself, so that two runs agree whatever the order of the rows.
    return min((-count, text) for text, count in texts.items() if text or len(texts) == 1)[1]


def _likely_title(texts: Counter[str] | None) -> str:
    """Return the most frequent text that looks like a title: those are in capitals."""
    titles = Counter({text: n for text, n in (texts or {}).items() if text and text.isupper()})
    return _most_frequent(titles)


def _most_frequent_price(prices: Counter[int] | None) -> int | None:
    if not prices:
        return None
    return min((-count, price) for price, count in prices.items())[1]


UNKNOWN_COUNTRY = "ZZ"  # ISO 3166-1 leaves it to users; CLDR uses it for an unknown region
# What the wholesaler writes and no list of countries knows. Two of them are more than one country.
_COUNTRIES = {
    "eire": "IE",
    "korea": "KR",
    "rsa": "ZA",
    "uk": "GB",
    "usa": "US",
}


@cache
def country_code(name: str) -> str:
    """Return the ISO 3166-1 code of a country's name, `ZZ` where there is no one code for it."""
    if code := _COUNTRIES.get(name.lower()):
        return code
    return countries.by_name(name) or UNKNOWN_COUNTRY
