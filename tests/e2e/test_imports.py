"""Files of products that real shops export, imported into a running shop by its workers."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Shopper
from tests.shop_process import running_shop

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "shopify"
REAL_FILES = sorted(SHARED.glob("*.csv"))
ENDED = {"succeeded", "failed", "cancelled"}


@pytest.fixture(scope="module")
def clerk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopper]:
    # Without the demo, whose pictures its workers would be drawing for a while.
    with running_shop(
        tmp_path_factory.mktemp("imports") / "home", demo=False, is_migrated=True
    ) as shop:
        shopper = Shopper(shop.url)
        shopper.sign_in(shop.staff_email, shop.staff_password)
        yield shopper


def imported(clerk: Shopper, content: bytes) -> list[dict[str, Any]]:
    """Import the file, and return the job as it looked each time, the last time ended."""
    started = clerk.session.post(
        f"{clerk.api}/imports",
        data={"format": "shopify_csv"},
        files={"file": ("products.csv", content, "text/csv")},
        timeout=120,
    )
    assert started.status_code == 202, started.text
    seen: list[dict[str, Any]] = []
    end = time.monotonic() + 240
    while not seen or seen[-1]["state"] not in ENDED:
        assert time.monotonic() < end, seen[-1:]
        time.sleep(0.2)
        seen.append(clerk.get(started.json()["job"]["url"]).json())
    return seen


@pytest.mark.skipif(not REAL_FILES, reason=f"no files in {SHARED}")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
def test_a_real_file_comes_in_while_its_owner_watches(path: Path, clerk: Shopper) -> None:
    seen = imported(clerk, path.read_bytes())

    job = seen[-1]
    assert job["state"] == "succeeded", job
    done = [look["progress"]["done"] for look in seen]
    assert done == sorted(done)
    assert job["progress"]["done"] == job["progress"]["total"] == sum(job["result"].values())
    assert job["result"]["created"] > 0
    assert job["result"]["failed"] == 0
    assert clerk.get("/products?page_size=1").json()["results"]
    again = imported(clerk, path.read_bytes())[-1]
    assert again["result"]["skipped"] == job["progress"]["total"]
