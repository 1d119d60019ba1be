"""Fifty shoppers want the last unit, over HTTP, at once."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.e2e.client import Shopper, problem
from tests.e2e.conftest import ShopRun
from tests.races.figures import figure, reported

ROUNDS = int(os.environ.get("LAST_UNIT_ROUNDS") or figure(full=200, small=5))
BUYERS = 50
SKU = "MUG-STONE-MOSS"  # not the one that the other journeys buy

pytestmark = pytest.mark.timeout(3600)


def _units(clerk: Shopper) -> dict[str, int]:
    row = clerk.get(f"/inventory/stock?sku={SKU}").json()["results"][0]
    return {name: row[name] for name in ("variant_id", "on_hand", "reserved", "available")}


def _set_on_hand(clerk: Shopper, units: int) -> int:
    now = _units(clerk)
    delta = units - now["available"]
    if delta:
        answer = clerk.post(
            "/inventory/adjustments",
            {"sku": SKU, "warehouse": "main", "delta": delta, "reason": "test of the last unit"},
        )
        assert answer.status_code == 201, answer.text
    return now["variant_id"]


def test_the_last_unit_is_sold_once(shop_run: ShopRun) -> None:
    clerk = Shopper(shop_run.url)
    clerk.sign_in(shop_run.staff_email, shop_run.staff_password)
    variant_id = _set_on_hand(clerk, BUYERS)
    buyers = [Shopper(shop_run.url) for _ in range(BUYERS)]
    statuses: Counter[int] = Counter()

    for buyer in buyers:
        assert buyer.add(variant_id).status_code == 200

    with (
        ThreadPoolExecutor(BUYERS) as pool,
        reported("A2 last unit over HTTP", rounds=ROUNDS, buyers=BUYERS) as seen,
    ):
        for _ in range(ROUNDS):
            _set_on_hand(clerk, 1)
            gate = Barrier(BUYERS)

            def buy(buyer: Shopper, gate: Barrier = gate) -> int:
                gate.wait()
                answer = buyer.checkout()
                if answer.status_code == 409:
                    assert problem(answer)["code"] == "out_of_stock"
                return answer.status_code

            answers = list(pool.map(buy, buyers))
            outcome = Counter(answers)
            assert outcome == {201: 1, 409: BUYERS - 1}, outcome
            statuses += outcome
            assert _units(clerk)["available"] == 0
            # Those who were refused still have their carts as they were: they try again.
            _set_on_hand(clerk, 1)
            assert buyers[answers.index(201)].add(variant_id).status_code == 200
        seen["winners"] = statuses[201]

    assert statuses == {201: ROUNDS, 409: ROUNDS * (BUYERS - 1)}
