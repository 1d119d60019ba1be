"""A6: the same cart is ordered with two keys at once. It becomes one order."""

from functools import partial

import pytest
from django.utils import timezone

from catalog.models import Variant
from orders.errors import CartAlreadyOrdered, CartEmpty
from orders.models import Order
from orders.services import CheckoutAnswer
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.crew import Crew, troubles
from tests.races.figures import dice, figure, reported
from tests.races.guards import must_show, no_constraint
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

TRIALS = figure(full=500, small=25)


def two_keys(crew: Crew, sold: Variant, clients: Clients, delay: float = 0) -> list[str]:
    """Order one cart with two keys; return what is wrong with how it ended."""
    wish = make.wish(basket({sold.pk: 1}))
    buy = [partial(clients.check_out, wish, make.scope(), now=timezone.now()) for _ in range(2)]
    outcomes = crew.race(buy, delays=[0, delay])
    orders = sum(isinstance(outcome, CheckoutAnswer) for outcome in outcomes)
    found = troubles(outcomes, CartAlreadyOrdered, CartEmpty)
    if orders != 1:
        found.append(f"{orders} orders of one cart")
    return found


def test_one_cart_and_two_keys_are_one_order() -> None:
    sold, clients, chance = make.variant(on_hand=TRIALS + 5), Clients(), dice("A6")

    with Crew(2) as crew, reported("A6 one cart, two keys", trials=TRIALS) as seen:
        for _ in range(TRIALS):
            assert two_keys(crew, sold, clients, delay=chance.uniform(0, 0.02)) == []
        seen["orders"] = Order.objects.count()

    assert Order.objects.count() == TRIALS
    assert make.units(sold) == (5, 0)
    assert breaches(bring_to_rest(timezone.now()), clients=clients) == []


def test_without_the_constraint_they_are_two() -> None:
    with no_constraint("orders_order", "order_once_per_cart_version"):
        sold = make.variant(on_hand=100)
        with Crew(2) as crew:
            must_show(lambda: two_keys(crew, sold, Clients()), "2 orders of one cart")
        assert any(breach.startswith("I8: 2 orders") for breach in breaches(timezone.now()))
