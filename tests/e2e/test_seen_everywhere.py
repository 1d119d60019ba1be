"""A change is seen within a second in each worker of a running shop, however it was made."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import requests

from shop.embedded.home import PROJECT
from tests.e2e.client import Shopper
from tests.e2e.conftest import ShopRun
from tests.e2e.watch import (
    WORKERS,
    Mug,
    Watch,
    clerk_of,
    four_workers,
    price,
    status,
    title,
)
from tests.make.jobs import table
from tests.races.figures import reported
from tests.shop_process import newcomers_environment

SEEN_SECONDS = 1.0
COMMAND_SECONDS = 240.0  # until it has begun, on a machine that is busy


@pytest.fixture(scope="module")
def watch(shop_run: ShopRun) -> Iterator[Watch]:
    with four_workers(shop_run) as opened:
        yield opened


@pytest.fixture(scope="module")
def clerk(shop_run: ShopRun) -> Shopper:
    return clerk_of(shop_run)


@pytest.fixture
def mug(clerk: Shopper) -> Mug:
    return Mug(clerk)


def assert_seen_in_time(by: str, unseen: list[float], *, since: float) -> None:
    """Check that nobody who was asked more than a second after the change told the old."""
    late = [round(max(0.0, moment - since), 3) for moment in unseen]
    with reported(f"seen everywhere, changed by {by}", workers=WORKERS) as told:
        told["last not seen in s"] = max(late)
    assert len(late) == WORKERS
    assert max(late) < SEEN_SECONDS, f"unseen {late} seconds after the change"


def test_what_the_api_changed(watch: Watch, clerk: Shopper, mug: Mug) -> None:
    watch.warm(mug.slug, title, "Mug")

    answer = clerk.call("PATCH", f"/products/{mug.slug}", {"title": "Beaker"})
    changed_at = time.time()

    assert answer.status_code == 200, answer.text
    assert_seen_in_time("the API", watch.until_seen(mug.slug, title, "Beaker"), since=changed_at)


def test_what_was_sent_in_bulk(watch: Watch, clerk: Shopper, mug: Mug) -> None:
    watch.warm(mug.slug, title, "Mug")

    answer = clerk.post("/products/bulk", {"products": [mug.as_told("Bulky mug")]})
    changed_at = time.time()

    assert answer.status_code == 200, answer.text
    assert_seen_in_time("bulk", watch.until_seen(mug.slug, title, "Bulky mug"), since=changed_at)


def test_what_the_admin_archived_and_published_again(
    shop_run: ShopRun, watch: Watch, mug: Mug
) -> None:
    watch.warm(mug.slug, status, 200)
    staff = requests.Session()
    entrance = f"{shop_run.url}/admin/login/?next=/admin/catalog/product/"
    staff.get(entrance, timeout=120)
    signed_in = staff.post(
        entrance,
        {
            "username": shop_run.staff_email,
            "password": shop_run.staff_password,
            "csrfmiddlewaretoken": staff.cookies["csrftoken"],
        },
        timeout=120,
    )
    assert "/admin/login/" not in signed_in.url, "staff could not sign in"

    for action, expected in (("archive", 404), ("publish", 200)):
        answer = staff.post(
            f"{shop_run.url}/admin/catalog/product/",
            {
                "action": action,
                "_selected_action": mug.id,
                "csrfmiddlewaretoken": staff.cookies["csrftoken"],
            },
            timeout=120,
            allow_redirects=False,
        )
        changed_at = time.time()

        assert answer.status_code == 302, answer.text
        assert_seen_in_time(
            f"the admin ({action})", watch.until_seen(mug.slug, status, expected), since=changed_at
        )


def test_what_an_import_brought(shop_run: ShopRun, watch: Watch, mug: Mug, tmp_path: Path) -> None:
    """By its command, a process of its own; jobs run the same service behind whatever is queued."""
    watch.warm(mug.slug, title, "Mug")
    row = {"Handle": mug.slug, "Title": "Imported", "Variant SKU": mug.sku, "Variant Price": "16"}
    file = tmp_path / "mugs.csv"
    file.write_bytes(table(tuple(row), [row]))

    command = [sys.executable, str(PROJECT / "manage.py"), "import_products", str(file)]
    environment = newcomers_environment(SHOP_HOME=str(shop_run.home), PYTHONWARNINGS="ignore")
    with (
        psycopg.connect(shop_run.database_url, autocommit=True) as database,
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL) as run,
    ):
        changed_at = _committed_at(database, mug.id, "Imported")
        unseen = watch.until_seen(mug.slug, title, "Imported")

    assert run.returncode == 0
    assert_seen_in_time("an import", unseen, since=changed_at)


def test_a_price_that_begins_by_the_clock(watch: Watch, clerk: Shopper, mug: Mug) -> None:
    began = time.monotonic()
    watch.warm(mug.slug, price, "15.00")
    # So late that it is set and looked at before, on this machine.
    begins = datetime.now(UTC) + timedelta(seconds=1.5 + 5 * (time.monotonic() - began))
    row = {
        "sku": mug.sku,
        "price": {"amount": "12.00", "currency": "GBP"},
        "starts_at": begins.isoformat(),
        "ends_at": (begins + timedelta(hours=1)).isoformat(),
    }
    answer = clerk.post("/prices", {"prices": [row]})
    assert answer.status_code == 200, answer.text
    watch.warm(mug.slug, price, "15.00")

    unseen = watch.until_seen(mug.slug, price, "12.00")

    assert min(watch.told_at) >= begins.timestamp()  # and not a moment too early
    assert_seen_in_time("the clock", unseen, since=begins.timestamp())


def _committed_at(database: psycopg.Connection, product_id: int, title: str) -> float:
    """Wait for a change by another process, and return when it was committed."""
    end = time.monotonic() + COMMAND_SECONDS
    while time.monotonic() < end:
        asked_at = time.time()
        row = database.execute(
            "SELECT title FROM catalog_product WHERE id = %s", [product_id]
        ).fetchone()
        if row == (title,):
            return asked_at
        time.sleep(0.005)
    raise AssertionError("the import was never carried out")
