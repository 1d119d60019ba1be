from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from catalog.errors import InvalidProduct, PriceWindowOverlaps
from catalog.models import Price, PriceHistory, Product, ProductListing, Variant
from catalog.selectors import lowest_prices, variants_for_sale
from catalog.services import PriceDraft, refresh_due, set_prices, withdraw_prices
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def sale(
    variant: Variant,
    amount: int = 1500,
    *,
    starts_at: datetime | None = NOW + HOUR,
    ends_at: datetime | None = NOW + 3 * HOUR,
    compare_at: int | None = None,
) -> PriceDraft:
    return PriceDraft(variant.pk, "GBP", amount, compare_at, starts_at=starts_at, ends_at=ends_at)


def asked(variant: Variant, moment: datetime) -> tuple[int, int | None]:
    card = variants_for_sale([variant.pk], currency="GBP", now=moment)[variant.pk]
    return card.unit_price_minor, card.compare_at_minor


def steps(variant: Variant) -> list[tuple[int | None, datetime]]:
    history = PriceHistory.objects.filter(variant=variant).order_by("effective_at", "id")
    return list(history.values_list("amount_minor", "effective_at"))


def test_a_scheduled_price_wins_while_its_window_holds() -> None:
    variant = make.variant(price=2000)

    set_prices(drafts=[sale(variant)], now=NOW)

    assert asked(variant, NOW) == (2000, None)
    assert asked(variant, NOW + HOUR) == (1500, 2000)  # compared with the base price
    assert asked(variant, NOW + 3 * HOUR - timedelta(microseconds=1)) == (1500, 2000)
    assert asked(variant, NOW + 3 * HOUR) == (2000, None)


def test_a_scheduled_price_wins_also_when_it_is_the_higher_one() -> None:
    variant = make.variant(price=2000)

    set_prices(drafts=[sale(variant, 2500)], now=NOW)

    assert asked(variant, NOW + HOUR) == (2500, None)


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [
        (NOW, NOW + 2 * HOUR),
        (NOW + 2 * HOUR, None),
        (None, NOW + 2 * HOUR),
        (NOW + HOUR, NOW + 2 * HOUR),
        (NOW, NOW + DAY),
    ],
)
def test_windows_with_a_moment_in_common_are_refused(
    starts_at: datetime | None, ends_at: datetime | None
) -> None:
    variant = make.variant(price=2000)
    set_prices(drafts=[sale(variant)], now=NOW)
    version = Product.objects.get().version

    with pytest.raises(PriceWindowOverlaps):
        set_prices(drafts=[sale(variant, starts_at=starts_at, ends_at=ends_at)], now=NOW)
    # And by the table itself, whoever writes it.
    with pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.create(
            variant=variant, currency="GBP", amount_minor=1, starts_at=starts_at, ends_at=ends_at
        )

    assert variant.prices.count() == 2
    assert Product.objects.get().version == version


def test_windows_that_touch_are_fine() -> None:
    variant = make.variant(price=2000)

    set_prices(
        drafts=[
            sale(variant),
            sale(variant, 1200, starts_at=NOW + 3 * HOUR, ends_at=None),
            sale(variant, 1800, starts_at=None, ends_at=NOW + HOUR),
        ],
        now=NOW,
    )

    assert [asked(variant, NOW + hours * HOUR)[0] for hours in range(4)] == [
        1800,
        1500,
        1500,
        1200,
    ]


def test_the_same_window_again_replaces_its_price() -> None:
    variant = make.variant(price=2000)
    set_prices(drafts=[sale(variant)], now=NOW)

    set_prices(drafts=[sale(variant, 1400)], now=NOW)

    assert asked(variant, NOW + HOUR) == (1400, 2000)
    assert variant.prices.count() == 2


def test_a_base_price_is_replaced_and_remembered() -> None:
    variant = make.variant(price=2000)

    set_prices(drafts=[PriceDraft(variant.pk, "GBP", 1800, 2200)], now=NOW + DAY)

    assert asked(variant, NOW + DAY) == (1800, 2200)
    assert steps(variant) == [(2000, NOW), (1800, NOW + DAY)]
    assert ProductListing.objects.get().min_price_minor == 1800
    assert Product.objects.get().version == 2


def test_a_price_that_is_withdrawn_ends_in_the_history() -> None:
    variant = make.variant(price=2000)

    withdrawn = withdraw_prices(
        price_ids=list(variant.prices.values_list("pk", flat=True)), now=NOW + DAY
    )

    assert withdrawn == 1
    assert steps(variant) == [(2000, NOW), (None, NOW + DAY)]
    assert variants_for_sale([variant.pk], currency="GBP", now=NOW + DAY) == {}
    assert not ProductListing.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"amount": -1},
        {"amount": 10**16},
        {"compare_at": 1500},
        {"ends_at": NOW + HOUR},
        {"ends_at": NOW},
    ],
)
def test_impossible_prices_are_refused(change: dict[str, int]) -> None:
    variant = make.variant(price=2000)

    with pytest.raises(InvalidProduct):
        set_prices(drafts=[sale(variant, **change)], now=NOW)  # type: ignore[arg-type]

    assert variant.prices.count() == 1


def test_a_currency_that_does_not_exist_is_refused() -> None:
    variant = make.variant(price=2000)

    with pytest.raises(InvalidProduct):
        set_prices(drafts=[PriceDraft(variant.pk, "XXX", 1)], now=NOW)

    assert variant.prices.count() == 1


def test_the_clock_carries_out_what_was_scheduled() -> None:
    variant = make.variant(price=2000)
    set_prices(drafts=[sale(variant)], now=NOW)
    assert refresh_due(now=NOW + HOUR - timedelta(seconds=1)) == 0

    assert refresh_due(now=NOW + HOUR + timedelta(seconds=20)) == 1

    row = ProductListing.objects.get()
    assert (row.min_price_minor, row.compare_at_minor) == (1500, 2000)
    assert row.refresh_at == NOW + 3 * HOUR
    assert refresh_due(now=NOW + 3 * HOUR) == 1
    assert ProductListing.objects.get().min_price_minor == 2000
    # As it was, not as it was noticed.
    assert steps(variant) == [(2000, NOW), (1500, NOW + HOUR), (2000, NOW + 3 * HOUR)]
    assert refresh_due(now=NOW + 4 * HOUR) == 0


def test_a_clock_that_was_stopped_catches_up() -> None:
    variant = make.variant(price=2000)
    set_prices(drafts=[sale(variant)], now=NOW)

    assert refresh_due(now=NOW + DAY) == 1

    assert steps(variant) == [(2000, NOW), (1500, NOW + HOUR), (2000, NOW + 3 * HOUR)]
    assert ProductListing.objects.get().min_price_minor == 2000


def test_a_product_without_a_base_price_appears_when_its_window_begins() -> None:
    variant = make.variant(variants=[make.variant_draft(price=None)])
    set_prices(drafts=[sale(variant)], now=NOW)
    assert not ProductListing.objects.exists()

    assert refresh_due(now=NOW + HOUR) == 1
    assert ProductListing.objects.get().min_price_minor == 1500

    assert refresh_due(now=NOW + 3 * HOUR) == 1
    assert not ProductListing.objects.exists()
    assert refresh_due(now=NOW + 4 * HOUR) == 0


def test_the_lowest_price_of_thirty_days_is_what_shoppers_could_have_paid() -> None:
    variant = make.variant(price=2000)
    for days, amount in ((10, 900), (20, 1600), (35, 1800), (60, 2200)):
        set_prices(drafts=[PriceDraft(variant.pk, "GBP", amount)], now=NOW + days * DAY)

    def lowest(days: int) -> int | None:
        return lowest_prices([variant.pk], currency="GBP", now=NOW + days * DAY).get(variant.pk)

    assert lowest(-1) is None
    assert lowest(5) == 2000
    assert lowest(49) == 900  # it ended 29 days ago
    assert lowest(51) == 1600  # it ended 31 days ago
    assert lowest(64) == 1600
    assert lowest(89) == 1800
    assert lowest(91) == 2200


@pytest.mark.parametrize("size", [1, 20])
def test_takes_the_same_statements_for_any_number_of_prices(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    variants = [make.variant(price=2000) for _ in range(size)]
    bases = [PriceDraft(variant.pk, "GBP", 1900) for variant in variants]

    # Expect 14: whose variants; lock the products; their prices; update; insert; 3 for the
    # history; count the change; 5 for the listing. The other 4 are two savepoints.
    with django_assert_num_queries(18):
        set_prices(drafts=[*bases, *(sale(variant) for variant in variants)], now=NOW)
