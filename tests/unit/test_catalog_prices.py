"""Which price holds at a moment: pure functions over prices."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.models import Price
from catalog.selectors.prices import Offer, edges_between, next_edge, offer_at

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

BASE = Price(currency="GBP", amount_minor=2000, compare_at_minor=2500)
SALE = Price(currency="GBP", amount_minor=1500, starts_at=NOW, ends_at=NOW + HOUR)
FOREVER = Price(currency="GBP", amount_minor=1200, starts_at=NOW + 2 * HOUR)


@pytest.mark.parametrize(
    ("hours", "offer"),
    [
        (-1, Offer(2000, 2500)),
        (0, Offer(1500, 2000)),
        (0.999, Offer(1500, 2000)),
        (1, Offer(2000, 2500)),
        (2, Offer(1200, 2000)),
        (1000, Offer(1200, 2000)),
    ],
)
def test_a_window_wins_from_its_start_until_before_its_end(hours: float, offer: Offer) -> None:
    for prices in ([BASE, SALE, FOREVER], [FOREVER, SALE, BASE]):
        assert offer_at(prices, NOW + hours * HOUR) == offer


def test_nothing_is_offered_without_a_price() -> None:
    assert offer_at([], NOW) is None
    assert offer_at([SALE], NOW + HOUR) is None


def test_its_own_comparison_goes_before_the_base_price() -> None:
    own = Price(currency="GBP", amount_minor=1500, compare_at_minor=1800, starts_at=NOW)

    assert offer_at([BASE, own], NOW) == Offer(1500, 1800)


def test_a_dearer_window_is_compared_with_nothing() -> None:
    dearer = Price(currency="GBP", amount_minor=3000, starts_at=NOW)

    assert offer_at([BASE, dearer], NOW) == Offer(3000, None)


def test_edges_are_when_the_answer_may_change() -> None:
    prices = [BASE, SALE, FOREVER]

    assert next_edge(prices, NOW - HOUR) == NOW
    assert next_edge(prices, NOW) == NOW + HOUR
    assert next_edge(prices, NOW + 2 * HOUR) is None
    assert edges_between(prices, NOW - HOUR, NOW + HOUR) == [NOW, NOW + HOUR]
    assert edges_between(prices, NOW, NOW) == []
