"""Prices, taxes and shipping by rules alone: no database, no Redis."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.errors import ShippingNotAvailable
from cart.selectors import Rules, TaxSpan
from cart.services.pricing import Quote, quote_of, shipping_options, tax_contained
from catalog.selectors import VariantCard
from tests.make.cart import NOW, band, card, plain_rules

Lines = list[tuple[VariantCard, int]]


def quote(
    lines: Lines, *, rules: Rules | None = None, method: str | None = None, country: str = "GB"
) -> Quote:
    return quote_of(
        rules=rules or plain_rules(),
        lines=lines,
        currency="GBP",
        country=country,
        shipping_method=method,
        now=NOW,
    )


cards = st.builds(
    card,
    variant_id=st.integers(1, 10**9),
    unit_price_minor=st.integers(0, 10**12),
    tax_class=st.sampled_from(["STANDARD", "REDUCED", "ZERO"]),
    weight_grams=st.integers(0, 50_000),
    requires_shipping=st.booleans(),
)
carts = st.lists(st.tuples(cards, st.integers(1, 999)), max_size=100)
rates = st.integers(0, 10_000)


@given(lines=carts, standard=rates, reduced=rates, with_shipping=st.booleans())
def test_totals_add_up(lines: Lines, standard: int, reduced: int, with_shipping: bool) -> None:
    rules = plain_rules(standard_bps=standard, reduced_bps=reduced)

    got = quote(lines, rules=rules, method="standard" if with_shipping else None)

    assert got.subtotal_minor == sum(line.subtotal_minor for line in got.lines)
    assert got.subtotal_minor == sum(item.unit_price_minor * units for item, units in lines)
    assert got.total_minor == got.subtotal_minor - got.discount_minor + got.shipping_minor
    assert got.total_minor == sum(line.total_minor for line in got.lines) + got.shipping_minor
    assert got.tax_minor == sum(line.tax_minor for line in got.lines) + got.shipping_tax_minor
    assert 0 <= got.tax_minor <= got.total_minor
    assert all(0 <= line.tax_minor <= line.total_minor for line in got.lines)


@given(lines=carts, seed=st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_total(lines: Lines, seed: object) -> None:
    shuffled = list(lines)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]

    one, other = quote(lines, method="standard"), quote(shuffled, method="standard")

    assert (one.total_minor, one.tax_minor, one.shipping_minor) == (
        other.total_minor,
        other.tax_minor,
        other.shipping_minor,
    )


@given(amount=st.integers(0, 10**15), rate=rates)
def test_contained_tax_is_the_nearest_minor_unit(amount: int, rate: int) -> None:
    tax = tax_contained(amount, rate)

    # |tax - exact| <= 1/2, and exactly a half rounds up.
    assert -(10_000 + rate) < 2 * (amount * rate - tax * (10_000 + rate)) < (10_000 + rate) or (
        2 * (tax * (10_000 + rate) - amount * rate) == 10_000 + rate
    )


@given(lines=carts)
def test_the_trace_explains_every_amount(lines: Lines) -> None:
    got = quote(lines, method="standard")

    steps = got.trace

    assert {frozenset(step) for step in steps} == {
        frozenset({"step", "detail", "sku", "rate_bps", "amounts"})
    }
    names = [step["step"] for step in steps]
    assert names.count("line_price") == names.count("line_tax") == len(lines)
    assert names[-5:] == ["subtotal", "shipping", "shipping_tax", "tax", "total"]


@pytest.mark.parametrize(
    ("amount", "rate", "tax"),
    [
        (1200, 2000, 200),  # 12.00 at 20 %
        (1250, 2000, 208),  # 2.0833
        (1999, 2000, 333),  # 3.3317
        (3, 2000, 1),  # exactly half a penny rounds up
        (1, 2000, 0),
        (105, 500, 5),
        (1000, 550, 52),  # 0.5213
        (1255, 2550, 255),  # Finland
        (1000, 0, 0),
    ],
)
def test_tax_is_taken_out_of_the_price(amount: int, rate: int, tax: int) -> None:
    assert tax_contained(amount, rate) == tax


def test_each_line_is_taxed_by_its_class_and_shipping_at_the_standard_rate() -> None:
    got = quote(
        [
            (card(variant_id=1, unit_price_minor=1200), 2),
            (card(variant_id=2, unit_price_minor=1050, tax_class="REDUCED"), 1),
            (card(variant_id=3, unit_price_minor=500, tax_class="ZERO"), 1),
        ],
        method="standard",
    )

    assert [line.tax_minor for line in got.lines] == [400, 50, 0]
    assert [line.tax_rate_bps for line in got.lines] == [2000, 500, 0]
    assert (got.shipping_minor, got.shipping_tax_minor) == (395, 66)
    assert (got.subtotal_minor, got.tax_minor, got.total_minor) == (3950, 516, 4345)


def test_goods_above_the_threshold_travel_free() -> None:
    assert quote([(card(unit_price_minor=4999), 1)], method="standard").shipping_minor == 395
    assert quote([(card(unit_price_minor=5000), 1)], method="standard").shipping_minor == 0


def test_what_needs_no_parcel_is_not_charged_for_one() -> None:
    got = quote([(card(requires_shipping=False), 1)], method="standard")

    assert (got.shipping_minor, got.weight_grams) == (0, 0)


def test_without_a_method_shipping_counts_as_zero() -> None:
    got = quote([(card(), 1)])

    assert (got.shipping_method, got.shipping_minor, got.total_minor) == (None, 0, 1250)


def test_the_lowest_price_that_fits_is_charged() -> None:
    rules = plain_rules(
        bands=(
            band(price_minor=900, free_over_minor=None),
            band(price_minor=300, free_over_minor=None, max_weight_grams=1000),
            band(price_minor=100, free_over_minor=None, min_subtotal_minor=10_000),
            band(price_minor=1, free_over_minor=None, currency="EUR"),
        )
    )

    light = quote([(card(weight_grams=999), 1)], rules=rules, method="standard")
    heavy = quote([(card(weight_grams=1000), 1)], rules=rules, method="standard")
    dear = quote([(card(unit_price_minor=10_000), 6)], rules=rules, method="standard")

    assert [light.shipping_minor, heavy.shipping_minor, dear.shipping_minor] == [300, 900, 100]


@pytest.mark.parametrize(("method", "country"), [("pigeon", "GB"), ("standard", "FR")])
def test_a_method_that_does_not_go_there_is_refused(method: str, country: str) -> None:
    with pytest.raises(ShippingNotAvailable) as refused:
        quote([(card(), 1)], method=method, country=country)

    assert refused.value.facts["available"] == (["standard"] if country == "GB" else [])


def test_a_parcel_beyond_every_bound_is_refused() -> None:
    rules = plain_rules(bands=(band(max_weight_grams=30_000),))

    with pytest.raises(ShippingNotAvailable):
        quote([(card(weight_grams=1000), 30)], rules=rules, method="standard")


def test_options_come_cheapest_first_and_none_where_we_do_not_ship() -> None:
    def options(country: str) -> list[str]:
        return [
            option.code
            for option in shipping_options(
                country=country,
                postal_code="",
                currency="GBP",
                subtotal_minor=1000,
                weight_grams=100,
                rules=plain_rules(),
            )
        ]

    assert options("GB") == ["standard"]
    assert options("US") == []


def test_a_country_without_a_tax_has_none_in_its_prices() -> None:
    got = quote([(card(), 1)], country="US")

    assert (got.tax_minor, got.total_minor) == (0, 1250)


def test_the_rate_of_the_day_counts() -> None:
    spans = (
        TaxSpan(2000, date(2011, 1, 4), None),
        TaxSpan(1750, date(2010, 1, 1), date(2011, 1, 3)),
    )
    rules = Rules(methods=(), taxes={("GB", "STANDARD"): spans})

    def rate(moment: datetime) -> int:
        return (
            quote_of(
                rules=rules,
                lines=[(card(), 1)],
                currency="GBP",
                country="GB",
                shipping_method=None,
                now=moment,
            )
            .lines[0]
            .tax_rate_bps
        )

    assert rate(datetime(2011, 1, 3, 23, 59, tzinfo=UTC)) == 1750
    assert rate(datetime(2011, 1, 4, tzinfo=UTC)) == 2000
    assert rate(datetime(2009, 12, 31, tzinfo=UTC)) == 0


def test_a_card_in_another_currency_is_a_bug() -> None:
    with pytest.raises(ValueError, match="priced in EUR"):
        quote([(card(currency="EUR"), 1)])
