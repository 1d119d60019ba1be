"""A2: fifty shoppers want the last unit. One of them gets it, every time.

Over HTTP, with the same figures: `tests/e2e/test_last_unit.py`.
"""

from functools import partial

import pytest
from django.utils import timezone

from catalog.models import Variant
from inventory.errors import OutOfStock
from orders.services import CheckoutAnswer
from tests.make import orders as make
from tests.races.baskets import basket
from tests.races.crew import Crew, troubles
from tests.races.figures import figure, reported
from tests.races.guards import must_show, no_lock_on_stock
from tests.races.soundness import Clients, breaches, bring_to_rest

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600),
]

ROUNDS = figure(full=200, small=4)
BUYERS = figure(full=50, small=20)


def last_unit(crew: Crew, sold: Variant, buyers: int, clients: Clients) -> list[str]:
    """Have so many buyers after one more unit; return what is wrong with how it ended."""
    owners = [basket({sold.pk: 1}) for _ in range(buyers)]
    outcomes = crew.race(
        [
            partial(clients.check_out, make.wish(owner), make.scope(), now=timezone.now())
            for owner in owners
        ]
    )
    winners = sum(isinstance(outcome, CheckoutAnswer) for outcome in outcomes)
    found = troubles(outcomes, OutOfStock)
    if winners != 1:
        found.append(f"{winners} winners of one unit" if winners else "nobody had the unit")
    return found


def test_the_last_unit_has_one_winner() -> None:
    sold, clients = make.variant(on_hand=50), Clients()
    make.adjust(sold, -49)

    with (
        Crew(BUYERS) as crew,
        reported("A2 last unit", rounds=ROUNDS, buyers=BUYERS) as seen,
    ):
        for _ in range(ROUNDS):
            assert last_unit(crew, sold, BUYERS, clients) == []
            assert make.units(sold) == (0, 0)
            make.adjust(sold, 1)
        make.adjust(sold, -1)
        seen["winners"] = len(clients.orders)

    assert len(clients.orders) == ROUNDS
    now = bring_to_rest(timezone.now())
    assert breaches(now, clients=clients, refused=[sold.pk]) == []


def test_without_the_lock_it_has_several() -> None:
    with no_lock_on_stock():
        sold = make.variant(on_hand=1)

        def trial() -> list[str]:
            if not make.units(sold)[0]:  # nobody came between, in the round before
                make.adjust(sold, 1)
            return last_unit(crew, sold, 8, Clients())

        with Crew(8) as crew:
            must_show(trial, "winners of one unit")
        assert any("oversold" in breach for breach in breaches(timezone.now(), is_at_rest=False))
