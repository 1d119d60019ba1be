"""Sixty buyers want ten units of a flash sale, one each, over HTTP, at once."""

import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import requests

from tests.e2e.client import ADDRESS, Shopper, problem
from tests.e2e.conftest import ShopRun

SKU = "MUG-STRIPED-RUST"  # nothing that other journeys buy
UNITS, BUYERS = 10, 60

pytestmark = pytest.mark.timeout(900)


def _planned(clerk: Shopper, variant_id: int) -> str:
    now = datetime.now(UTC)
    slug = f"mugs-{uuid.uuid4().hex[:8]}"
    answer = clerk.post(
        "/flash-sales",
        {
            "slug": slug,
            "name": "Ten mugs",
            "variant_id": variant_id,
            "starts_at": (now - timedelta(minutes=1)).isoformat(),
            "ends_at": (now + timedelta(minutes=10)).isoformat(),
            "units": UNITS,
            "limit_per_customer": 1,
            # So few that some have to wait, however slowly all of them come in.
            "admitted_per_second": 2,
            "admitted_at_once": 4,
        },
    )
    assert answer.status_code == 201, answer.text
    return slug


def _buy(buyer: Shopper, email: str) -> tuple[requests.Response, bool]:
    """Check out as a good client does: wait while told to. Tell whether it had to."""
    key, has_waited = uuid.uuid4().hex, False
    headers: dict[str, str] = {}
    end = time.monotonic() + 240
    while time.monotonic() < end:
        body = {
            "email": email,
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment": {"provider": "sandbox", "token": "tok_ok"},
        }
        answer = buyer.post("/checkout", body, Idempotency_Key=key, **headers)
        if answer.status_code != 202 or "ticket" not in answer.json():
            return answer, has_waited
        has_waited = True
        ticket = answer.json()["ticket"]
        while ticket["state"] == "waiting":
            time.sleep(0.2)
            ticket = buyer.get(f"/flash-sales/tickets/{ticket['id']}").json()["ticket"]
        headers = {"X_Sale_Ticket": ticket["id"]}
    raise AssertionError("nobody waits for so long here")


def test_ten_are_sold_to_ten_and_the_others_hear_it_at_once(shop_run: ShopRun) -> None:
    clerk = Shopper(shop_run.url)
    clerk.sign_in(shop_run.staff_email, shop_run.staff_password)
    row = clerk.get(f"/inventory/stock?sku={SKU}").json()["results"][0]
    variant_id = row["variant_id"]
    clerk.post(
        "/inventory/adjustments",
        {"sku": SKU, "warehouse": "main", "delta": 100, "reason": "more than the sale has"},
    )
    slug = _planned(clerk, variant_id)
    buyers = [Shopper(shop_run.url) for _ in range(BUYERS)]
    with ThreadPoolExecutor(8) as pool:
        added = [answer.status_code for answer in pool.map(lambda b: b.add(variant_id), buyers)]
    assert added == [200] * BUYERS
    # Every second one shares an address with the one before: thirty people, one unit each.
    emails = [f"{uuid.uuid4().hex}@example.com" for _ in range(BUYERS // 2)]
    barrier = Barrier(BUYERS)

    def buy(number: int) -> tuple[requests.Response, bool]:
        barrier.wait()
        return _buy(buyers[number], emails[number // 2])

    with ThreadPoolExecutor(BUYERS) as pool:
        outcomes = list(pool.map(buy, range(BUYERS)))

    answers = [answer for answer, _ in outcomes]
    codes = Counter(
        "sold" if answer.status_code == 201 else problem(answer)["code"] for answer in answers
    )
    assert codes["sold"] == UNITS, codes
    assert set(codes) <= {"sold", "out_of_stock", "purchase_limit_exceeded"}
    assert any(has_waited for _, has_waited in outcomes)
    winners = [emails[number // 2] for number in range(BUYERS) if answers[number].ok]
    assert len(set(winners)) == UNITS
    shown = clerk.get(f"/flash-sales/{slug}").json()
    assert (shown["state"], shown["availability"]["quantity"]) == ("sold_out", 0)
    after = clerk.get(f"/inventory/stock?sku={SKU}").json()["results"][0]
    assert after["available"] == row["available"] + 100 - UNITS
    ended = clerk.call("PATCH", f"/flash-sales/{slug}", {"ends_at": datetime.now(UTC).isoformat()})
    assert (ended.status_code, ended.json()["taken"]) == (200, UNITS)
    # It sells as usual again.
    loser = next(number for number in range(BUYERS) if not answers[number].ok)
    # As long as a process may remember the sale, and not much longer.
    end = time.monotonic() + 60
    while (answer := buyers[loser].checkout()).status_code != 201 and time.monotonic() < end:
        time.sleep(0.5)
    assert answer.status_code == 201, answer.text
