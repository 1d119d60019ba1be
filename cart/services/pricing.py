"""What goods cost, delivered: every rule of price, shipping, tax and rounding, in one place.

Integers of minor units only. Prices contain the tax of the country of delivery, so tax is taken
out of an amount and never added to it:

    tax = amount * rate / (100 % + rate), rounded half up, for each line and for the shipping

The shipping is taxed at the country's standard rate, whatever is in the parcel. A country that the
rules know no tax for is sold to at the same price, with no tax in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from django.conf import settings

from cart.errors import ShippingNotAvailable
from cart.selectors import MethodRule, Rules, load_rules
from catalog.models import TaxClass
from shop.money import Money

WHOLE_BPS = 10_000  # 100 %

TraceStep = dict[str, object]


class Priced(Protocol):
    """What pricing needs to know of a variant. `catalog.selectors.VariantCard` is one."""

    @property
    def variant_id(self) -> int: ...
    @property
    def sku(self) -> str: ...
    @property
    def unit_price_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def tax_class(self) -> str: ...
    @property
    def weight_grams(self) -> int: ...
    @property
    def requires_shipping(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class ShippingOption:
    """A way to have a parcel delivered, and what it costs, tax included."""

    code: str
    name: str
    price_minor: int
    currency: str
    days_min: int
    days_max: int


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One line of a quote. `total_minor` is after the discount, and contains `tax_minor`."""

    variant_id: int
    sku: str
    quantity: int
    unit_price_minor: int
    subtotal_minor: int
    discount_minor: int
    total_minor: int
    tax_class: str
    tax_rate_bps: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What is to be paid for these goods, delivered there.

    `subtotal - discount + shipping = total`; `tax` is the part of the total that is tax, shipping
    included. Without a `shipping_method` the shipping is not known yet and counts as zero.
    """

    currency: str
    country: str
    lines: tuple[QuoteLine, ...]
    subtotal_minor: int
    discount_minor: int
    shipping_method: ShippingOption | None
    shipping_minor: int
    shipping_tax_rate_bps: int
    shipping_tax_minor: int
    tax_minor: int
    total_minor: int
    weight_grams: int

    @property
    def trace(self) -> list[TraceStep]:
        """Explain the quote, step by step, each amount as clients see money.

        Every step has the same members: `step`, `detail`, `sku` (or null), `rate_bps` (or null)
        and `amounts`, an object of money by name.
        """
        return _explain(self)


def price(
    *,
    lines: Sequence[tuple[Priced, int]],
    currency: str,
    country: str | None,
    postal_code: str,
    shipping_method: str | None,
    now: datetime,
    rules: Rules | None = None,
) -> Quote:
    """Return what `lines` (variants and units) cost, delivered to `country`.

    No country means the shop's own; `postal_code` is for zones to come, which today are made of
    whole countries. Uses the cached rules, so no SQL while they are warm; pass
    `rules=load_rules(fresh=True)` where money will be taken.

    Raises ShippingNotAvailable when the method does not go there, or not with such a parcel.
    """
    return quote_of(
        rules=rules or load_rules(),
        lines=lines,
        currency=currency,
        country=country or settings.SHOP_COUNTRY,
        shipping_method=shipping_method,
        now=now,
    )


def quote_of(
    *,
    rules: Rules,
    lines: Sequence[tuple[Priced, int]],
    currency: str,
    country: str,
    shipping_method: str | None,
    now: datetime,
) -> Quote:
    """Price `lines` by `rules`. Reads nothing else, so the same input gives the same quote."""
    today = now.astimezone(ZoneInfo("UTC")).date()

    def tax_rate_bps(tax_class: str) -> int:
        return rules.tax_rate_bps(country=country, tax_class=tax_class, on=today) or 0

    priced: list[QuoteLine] = []
    weight_grams = 0
    is_shipped = False
    for card, quantity in lines:
        if card.currency != currency:
            raise ValueError(f"{card.sku} is priced in {card.currency}, the quote is in {currency}")
        if quantity < 1 or card.unit_price_minor < 0:
            raise ValueError(f"{card.sku}: {quantity} units at {card.unit_price_minor}")
        subtotal = card.unit_price_minor * quantity
        rate_bps = tax_rate_bps(card.tax_class)
        priced.append(
            QuoteLine(
                variant_id=card.variant_id,
                sku=card.sku,
                quantity=quantity,
                unit_price_minor=card.unit_price_minor,
                subtotal_minor=subtotal,
                discount_minor=0,
                total_minor=subtotal,
                tax_class=card.tax_class,
                tax_rate_bps=rate_bps,
                tax_minor=tax_contained(subtotal, rate_bps),
            )
        )
        if card.requires_shipping:
            is_shipped = True
            weight_grams += card.weight_grams * quantity

    subtotal_minor = sum(line.subtotal_minor for line in priced)
    discount_minor = sum(line.discount_minor for line in priced)
    option = None
    if shipping_method is not None:
        option = _chosen_option(
            rules=rules,
            code=shipping_method,
            country=country,
            currency=currency,
            subtotal_minor=subtotal_minor - discount_minor,
            weight_grams=weight_grams,
        )
    shipping_minor = option.price_minor if option and is_shipped else 0
    shipping_rate_bps = tax_rate_bps(TaxClass.STANDARD)
    shipping_tax_minor = tax_contained(shipping_minor, shipping_rate_bps)
    return Quote(
        currency=currency,
        country=country,
        lines=tuple(priced),
        subtotal_minor=subtotal_minor,
        discount_minor=discount_minor,
        shipping_method=option,
        shipping_minor=shipping_minor,
        shipping_tax_rate_bps=shipping_rate_bps,
        shipping_tax_minor=shipping_tax_minor,
        tax_minor=sum(line.tax_minor for line in priced) + shipping_tax_minor,
        total_minor=subtotal_minor - discount_minor + shipping_minor,
        weight_grams=weight_grams,
    )


def tax_contained(amount_minor: int, rate_bps: int) -> int:
    """Return how much of an amount is tax at this rate, rounded half up to a minor unit."""
    whole = WHOLE_BPS + rate_bps
    return (2 * amount_minor * rate_bps + whole) // (2 * whole)


def shipping_options(
    *,
    country: str,
    postal_code: str,
    currency: str,
    subtotal_minor: int,
    weight_grams: int,
    rules: Rules | None = None,
) -> list[ShippingOption]:
    """Return the ways to ship a parcel there, cheapest first; none where the shop does not ship."""
    return _options(
        rules=rules or load_rules(),
        country=country,
        currency=currency,
        subtotal_minor=subtotal_minor,
        weight_grams=weight_grams,
    )


def _options(
    *, rules: Rules, country: str, currency: str, subtotal_minor: int, weight_grams: int
) -> list[ShippingOption]:
    cheapest: dict[str, ShippingOption] = {}
    for method in rules.methods:
        if country not in method.countries:
            continue
        option = _option(method, currency, subtotal_minor, weight_grams)
        # A country in two zones may find one code twice.
        if option and (
            method.code not in cheapest or option.price_minor < cheapest[method.code].price_minor
        ):
            cheapest[method.code] = option
    return sorted(cheapest.values(), key=lambda option: (option.price_minor, option.code))


def _option(
    method: MethodRule, currency: str, subtotal_minor: int, weight_grams: int
) -> ShippingOption | None:
    prices = [
        band.price_for(subtotal_minor)
        for band in method.bands
        if band.fits(currency=currency, subtotal_minor=subtotal_minor, weight_grams=weight_grams)
    ]
    if not prices:
        return None
    return ShippingOption(
        code=method.code,
        name=method.name,
        price_minor=min(prices),
        currency=currency,
        days_min=method.days_min,
        days_max=method.days_max,
    )


def _chosen_option(
    *,
    rules: Rules,
    code: str,
    country: str,
    currency: str,
    subtotal_minor: int,
    weight_grams: int,
) -> ShippingOption:
    options = _options(
        rules=rules,
        country=country,
        currency=currency,
        subtotal_minor=subtotal_minor,
        weight_grams=weight_grams,
    )
    for option in options:
        if option.code == code:
            return option
    raise ShippingNotAvailable(
        "Choose one of the shipping methods that are available for this address.",
        shipping_method=code,
        country=country,
        available=[option.code for option in options],
    )


def _explain(quote: Quote) -> list[TraceStep]:
    def money(amount_minor: int) -> Money:
        return Money(amount_minor, quote.currency)

    def step(
        name: str,
        detail: str,
        *,
        sku: str | None = None,
        rate_bps: int | None = None,
        **amounts: int,
    ) -> TraceStep:
        return {
            "step": name,
            "detail": detail,
            "sku": sku,
            "rate_bps": rate_bps,
            "amounts": {key: money(amount).as_json() for key, amount in amounts.items()},
        }

    def tax_step(name: str, of: int, tax: int, rate_bps: int, sku: str | None) -> TraceStep:
        if rate_bps:
            detail = (
                f"{_percent(rate_bps)} {quote.country} tax is contained: {money(of).amount} × "
                f"{rate_bps}/{WHOLE_BPS + rate_bps}, rounded half up"
            )
        else:
            detail = f"No {quote.country} tax is contained"
        return step(name, detail, sku=sku, rate_bps=rate_bps, amount=of, tax=tax)

    trace: list[TraceStep] = []
    for line in quote.lines:
        trace.append(
            step(
                "line_price",
                f"{line.quantity} × {money(line.unit_price_minor).amount}",
                sku=line.sku,
                unit_price=line.unit_price_minor,
                subtotal=line.subtotal_minor,
                discount=line.discount_minor,
                total=line.total_minor,
            )
        )
        trace.append(
            tax_step("line_tax", line.total_minor, line.tax_minor, line.tax_rate_bps, line.sku)
        )
    trace.append(
        step("subtotal", f"The sum of {len(quote.lines)} lines", subtotal=quote.subtotal_minor)
    )
    option = quote.shipping_method
    if option is None:
        trace.append(step("shipping", "No shipping method is chosen yet", shipping=0))
    else:
        trace.append(
            step(
                "shipping",
                f"{option.name} to {quote.country}, for {quote.weight_grams} g",
                shipping=quote.shipping_minor,
            )
        )
        trace.append(
            tax_step(
                "shipping_tax",
                quote.shipping_minor,
                quote.shipping_tax_minor,
                quote.shipping_tax_rate_bps,
                None,
            )
        )
    trace.append(step("tax", "The sum of the taxes above", tax=quote.tax_minor))
    trace.append(
        step(
            "total",
            "Subtotal − discount + shipping",
            subtotal=quote.subtotal_minor,
            discount=quote.discount_minor,
            shipping=quote.shipping_minor,
            total=quote.total_minor,
        )
    )
    return trace


def _percent(rate_bps: int) -> str:
    return f"{rate_bps / 100:g} %"
