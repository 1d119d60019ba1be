from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.money import Money, digits, is_currency, spread, to_minor


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (1999, "GBP", "19.99"),
        (5, "GBP", "0.05"),
        (-5, "GBP", "-0.05"),
        (1999, "JPY", "1999"),
        (1999, "BHD", "1.999"),
        (0, "EUR", "0.00"),
        (100, "IQD", "0.100"),
    ],
)
def test_an_amount_has_exactly_the_digits_of_its_currency(
    minor: int, currency: str, amount: str
) -> None:
    assert Money(minor, currency).amount == amount
    assert Money.parse(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "", "1,5", "0x10", "1e400", "19.999", "9" * 30, "--1"]
)
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Money.parse(amount, "GBP")


@pytest.mark.parametrize("code", ["gbp", "XXX", "BTC", "", "GBPX"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(ValueError, match="ISO 4217"):
        digits(code)


@pytest.mark.parametrize(
    ("amount", "minor"), [("0.005", 1), ("0.0049", 0), ("-0.005", -1), ("2.675", 268)]
)
def test_rounds_half_up(amount: str, minor: int) -> None:
    assert to_minor(Decimal(amount), "GBP") == minor


@given(
    total=st.integers(-(10**9), 10**9),
    weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=50),
)
def test_spreading_loses_no_penny(total: int, weights: list[int]) -> None:
    shares = spread(total, weights)

    assert sum(shares) == total
    whole = sum(weights)
    if whole:
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - total * weight / whole) < 1


def test_nothing_can_only_be_spread_over_nothing() -> None:
    assert spread(0, []) == []
    with pytest.raises(ValueError, match="nothing to spread"):
        spread(1, [])
