"""`make load`: shoppers who look around and buy, against budgets. Exit code 1 where one is broken.

Guests and customers in equal parts browse, open a product, fill a cart and check out. Written for
locust, which runs it in processes of its own: `make load USERS=20 SECONDS=60`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from locust import HttpUser, between, task

from tests.e2e.client import ADDRESS
from tests.servers import UNTHROTTLED

# Budgets of the 95th and 99th percentile, in milliseconds, by the name of the request.
BUDGETS_MS: dict[str, tuple[int, int]] = {
    "list": (200, 500),
    "product": (200, 500),
    "cart": (200, 500),
    "checkout": (500, 1000),
}


class Shopper(HttpUser):
    """One shopper: mostly looks, sometimes buys."""

    abstract = True
    wait_time = between(0.1, 0.5)

    def on_start(self) -> None:
        answer = self.client.get("/api/v1/products?page_size=50&in_stock=true", name="list")
        self.slugs = [row["slug"] for row in answer.json()["results"]]

    @task(6)
    def look(self) -> None:
        self.client.get("/api/v1/products?page_size=20", name="list")
        self.client.get(f"/api/v1/products/{random.choice(self.slugs)}", name="product")

    @task(2)
    def buy(self) -> None:
        product = self.client.get(
            f"/api/v1/products/{random.choice(self.slugs)}", name="product"
        ).json()
        variant = next(
            (one for one in product["variants"] if one["availability"]["state"] != "out_of_stock"),
            None,
        )
        if variant is None:
            return
        with self.client.post(
            "/api/v1/cart/items",
            json={"variant_id": variant["id"], "quantity": 1},
            headers=self.identity(),
            name="cart",
            catch_response=True,
        ) as answer:
            if answer.status_code == 409:  # sold out meanwhile: a good answer
                answer.success()
                return
            token = answer.headers.get("X-Cart-Token", "")
        with self.client.post(
            "/api/v1/checkout",
            json={
                "shipping_address": ADDRESS,
                "shipping_method": "standard",
                "payment": {"provider": "sandbox", "token": "tok_ok"},
                **self.who(),
            },
            headers={**self.identity(token), "Idempotency-Key": uuid.uuid4().hex},
            name="checkout",
            catch_response=True,
        ) as answer:
            if answer.status_code == 409:
                answer.success()

    def identity(self, token: str = "") -> dict[str, str]:
        """Return the headers that say whose cart it is."""
        raise NotImplementedError

    def who(self) -> dict[str, str]:
        """Return the members of a checkout that say who buys."""
        raise NotImplementedError


class Guest(Shopper):
    """Buys with a cart token and an e-mail address."""

    def identity(self, token: str = "") -> dict[str, str]:
        return {"X-Cart-Token": token} if token else {}

    def who(self) -> dict[str, str]:
        return {"email": f"{uuid.uuid4().hex}@example.com"}


class Customer(Shopper):
    """Registers first, and buys signed in."""

    def on_start(self) -> None:
        super().on_start()
        login = {"email": f"{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex}
        self.client.post("/api/v1/auth/register", json=login, name="register")
        tokens = self.client.post("/api/v1/auth/token", json=login, name="token").json()
        self.access = tokens["access"]

    def identity(self, token: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def who(self) -> dict[str, str]:
        return {}


def broken_budgets(
    statistics: list[dict[str, object]], measured: dict[str, list[float]]
) -> list[str]:
    """Return each budget that was broken, as a sentence."""
    told = []
    for row in statistics:
        name = str(row["name"])
        if int(str(row["num_failures"])):
            told.append(f"{name}: {row['num_failures']} answers were refusals or errors")
    for name, (most_95, most_99) in BUDGETS_MS.items():
        found_95, found_99 = measured.get(name, [float("inf")] * 2)
        if found_95 > most_95 or found_99 > most_99:
            told.append(
                f"{name}: p95 {found_95:.0f} ms, p99 {found_99:.0f} ms; "
                f"at most {most_95} and {most_99} were promised"
            )
    return told


def percentiles(row: dict[str, object]) -> list[float]:
    """Return the 95th and the 99th percentile of a row of locust's JSON, in milliseconds."""
    counts = {float(ms): int(n) for ms, n in dict(row["response_times"]).items()}  # type: ignore[call-overload]
    total = sum(counts.values())
    found = []
    for share in (0.95, 0.99):
        seen = 0
        for ms in sorted(counts):
            seen += counts[ms]
            if seen >= share * total:
                found.append(ms)
                break
    return found or [float("inf")] * 2


def main() -> int:
    """Run a shop of its own, let locust loose on it, and judge what it measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--url", default="", help="a shop that runs already")
    options = parser.parse_args()
    if options.url:
        return measure(options.url, options.users, options.seconds)

    # Only here: locust imports this file with everything patched for its green threads.
    from tests.shop_process import running_shop  # noqa: PLC0415

    # All shoppers come from one address, so the limit would be what is measured.
    more = {"SHOP_RATE_LIMIT": UNTHROTTLED}
    with (
        tempfile.TemporaryDirectory(prefix="shop-load-") as folder,
        running_shop(Path(folder) / "home", env=more) as shop,
    ):
        return measure(shop.url, options.users, options.seconds)


def measure(url: str, users: int, seconds: int) -> int:
    """Let locust loose on `url`; returns 1 where a budget was broken."""
    command = [
        *(
            sys.executable,
            "-m",
            "locust",
            "-f",
            __file__,
            "--headless",
            "--json",
            "--loglevel",
            "ERROR",
        ),
        *("--host", url, "--users", str(users), "--spawn-rate", str(users)),
        *("--run-time", f"{seconds}s", "Guest", "Customer"),
    ]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
    rows: list[dict[str, object]] = json.loads(result.stdout)
    measured = {str(row["name"]): percentiles(row) for row in rows}
    for row in sorted(rows, key=lambda one: str(one["name"])):
        p95, p99 = measured[str(row["name"])]
        sys.stdout.write(
            f"{row['name']!s:<10} {row['num_requests']!s:>7} requests   "
            f"p95 {p95:>6.0f} ms   p99 {p99:>6.0f} ms   {row['num_failures']} failed\n"
        )
    told = broken_budgets(rows, measured)
    for sentence in told:
        sys.stdout.write(f"BROKEN: {sentence}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
