"""A13: whatever happens in whatever order, the shop does what the model does, and stays sound.

`make soak` runs it for long; a failure prints its steps, and comes again with the same RACES_SEED.
"""

import os
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test as run_as_test

from tests.make import inventory as make_inventory
from tests.make import orders as make
from tests.races.figures import SEED, figure, reported
from tests.races.machine.beside import PRICES
from tests.races.machine.shop import Shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("SOAK_EXAMPLES") or figure(full=100, small=100))
STEPS = int(os.environ.get("SOAK_STEPS") or 50)
SHARDS = int(os.environ.get("SOAK_SHARDS") or 2)


def run(
    examples: int, *, first: int, phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink)
) -> None:
    """Run so many examples of the machine, from the seed `first` on."""
    make_inventory.make_warehouse("north", priority=20)
    Shop.variants = (
        make.variant(on_hand=0, price=PRICES[0]),
        make.variant(on_hand=0, price=PRICES[1]),
    )
    run_as_test(
        seed(first)(Shop),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_shop_does_what_the_model_does(shard: int) -> None:
    examples = EXAMPLES // SHARDS
    Shop.told.clear()

    first = SEED + shard
    with reported("A13 state machine", seed=first, examples=examples, steps=STEPS) as seen:
        run(examples, first=first)
        seen.update({f"× {told}": times for told, times in sorted(Shop.told.items())})


def _nothing(*args: object, **kwargs: object) -> None:
    """Do nothing where something should be done."""


LEFT_OUT = [
    "orders.services.paying.release_stock",
    "shop.idempotency.complete",
    "orders.services.sweeping.release_stock",
    "orders.services.cancelling.give_order_stock_back",
    "shop.idempotency.discard",
]


@pytest.mark.parametrize("left_out", LEFT_OUT[: figure(full=5, small=2)])
def test_what_is_left_out_is_noticed(left_out: str) -> None:
    with mock.patch(left_out, _nothing), pytest.raises(AssertionError):
        run(60, first=SEED, phases=(Phase.generate,))
