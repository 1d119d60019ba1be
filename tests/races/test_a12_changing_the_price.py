"""A12: price and tax change while a cart is ordered. An order has one version of them, and a buyer
who said what they expect to pay pays that, or is told.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone

from cart.models import TaxRate
from catalog.models import Variant
from catalog.selectors import VariantCard, variants_for_sale
from catalog.services import PriceDraft, set_prices
from orders.errors import PriceChanged
from orders.models import Order
from orders.services import CheckoutAnswer, Expectation
from shop.money import Money
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.crew import Crew, troubles
from tests.races.figures import dice, figure, reported
from tests.races.guards import must_show
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

TRIALS = figure(full=300, small=25)
# Two versions of what two things cost, and of the tax in it. Both are above free shipping.
PRICES = ((6000, 7000), (6600, 7700))
TAX_BPS = (2000, 2500)


def change(variants: tuple[Variant, Variant], version: int) -> None:
    with transaction.atomic():
        set_prices(
            drafts=[
                PriceDraft(variant.pk, "GBP", price)
                for variant, price in zip(variants, PRICES[version], strict=True)
            ],
            now=timezone.now(),
        )
        TaxRate.objects.filter(country="GB", tax_class="STANDARD").update(rate_bps=TAX_BPS[version])


def order_and_change(
    crew: Crew,
    variants: tuple[Variant, Variant],
    version: int,
    clients: Clients,
    *,
    expects: bool,
    delays: tuple[float, float],
) -> list[str]:
    """Order both while they change from this version to the other; return what is wrong."""
    expected = sum(PRICES[version]) if expects else None
    wish = make.wish(
        basket({variant.pk: 1 for variant in variants}),
        expectation=Expectation(Money(expected, "GBP") if expected is not None else None),
    )
    outcomes = crew.race(
        [
            partial(clients.check_out, wish, make.scope(), now=timezone.now()),
            partial(change, variants, 1 - version),
        ],
        delays=delays,
    )
    found = troubles(outcomes, PriceChanged)
    told = outcomes[0]
    if isinstance(told, PriceChanged):
        actual = told.facts["actual"]["amount"]
        return [*found, *([] if expects else [f"refused for {actual}, and expected nothing"])]
    if not isinstance(told, CheckoutAnswer):
        return found
    order = Order.objects.get(number=told.answer.headers["Location"].rsplit("/", 1)[1])
    lines = list(order.lines.order_by("variant_id"))
    prices = tuple(line.unit_price_minor for line in lines)
    if prices not in PRICES:
        found.append(f"prices of two versions: {prices}")
    if (
        len(
            {line.tax_rate_bps for line in lines}
            | {order.shipping_tax_rate_bps or lines[0].tax_rate_bps}
        )
        != 1
    ):
        found.append(f"taxes of two versions: {[line.tax_rate_bps for line in lines]}")
    if order.total_minor != sum(line.total_minor for line in lines) + order.shipping_minor:
        found.append(f"total {order.total_minor} is not the sum of {prices}")
    if expected is not None and order.total_minor != expected:
        found.append(f"expected {expected}, and paid {order.total_minor}")
    return found


def two_things() -> tuple[Variant, Variant]:
    first, second = (make.variant(on_hand=2 * TRIALS + 50, price=price) for price in PRICES[0])
    # One rate, so that the race is over its two versions and not over which of many holds.
    TaxRate.objects.filter(country="GB", tax_class="STANDARD").exclude(
        pk=TaxRate.objects.filter(country="GB", tax_class="STANDARD").order_by("valid_from")[0].pk
    ).delete()
    TaxRate.objects.filter(country="GB", tax_class="STANDARD").update(
        valid_from=date(2021, 7, 1), valid_to=None
    )
    change((first, second), 0)
    return first, second


def test_an_order_has_one_version_and_a_buyer_is_told_of_a_change() -> None:
    things, clients, chance = two_things(), Clients(), dice("A12")

    with Crew(2) as crew, reported("A12 changing price and tax", trials=TRIALS) as seen:
        told = 0
        for number in range(TRIALS):
            delays = chance.uniform(0, 0.04), chance.uniform(0, 0.01)
            before = Order.objects.count()
            found = order_and_change(
                crew, things, number % 2, clients, expects=number % 4 < 2, delays=delays
            )
            assert found == []
            told += Order.objects.count() == before
        seen["ordered"] = TRIALS - told
        seen["told price_changed"] = told

    assert breaches(bring_to_rest(timezone.now()), clients=clients) == []


def test_without_a_look_at_what_is_expected_another_total_is_paid() -> None:
    things = two_things()
    with Crew(2) as crew, mock.patch("orders.services.checking_out.require_expected"):
        must_show(
            lambda: order_and_change(crew, things, 0, Clients(), expects=True, delays=(0.05, 0)),
            "expected 13000, and paid 14300",
        )


def test_prices_that_are_read_one_by_one_are_of_two_versions() -> None:
    things = two_things()

    def one_by_one(variant_ids: list[int], **more: Any) -> Mapping[int, VariantCard]:
        cards: dict[int, VariantCard] = {}
        for variant_id in variant_ids:
            cards |= variants_for_sale([variant_id], **more)
            change(things, 1)
        return cards

    with Crew(2) as crew, mock.patch("orders.services.quoting.variants_for_sale", one_by_one):
        must_show(
            lambda: order_and_change(crew, things, 1, Clients(), expects=False, delays=(0.05, 0)),
            "prices of two versions",
        )
