"""One shop for all journeys, run as a newcomer runs it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import UNTHROTTLED
from tests.shop_process import RunningShop, running_shop

ShopRun = RunningShop  # the name that journeys know it by


@pytest.fixture(scope="session")
def shop_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """Run a shop with the demo catalogue (SHOP_E2E_DEMO=0: without) until the session ends."""
    home: Path = tmp_path_factory.mktemp("shop") / "home"
    # All journeys come from one address, one after the other without a pause.
    env = {"SHOP_RATE_LIMIT": UNTHROTTLED}
    with running_shop(home, demo=os.environ.get("SHOP_E2E_DEMO") != "0", env=env) as shop:
        yield shop
