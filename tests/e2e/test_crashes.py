"""`make crash` in small: the shop dies at every line once, and nothing is lost or charged twice."""

import json
import subprocess
import sys
from typing import Any

import pytest

from shop.embedded.home import PROJECT
from tests.crash.points import POINTS_HERE


@pytest.mark.timeout(1800)  # a minute, but for a machine that others use too
def test_whatever_is_killed_nothing_is_lost_and_nothing_is_done_twice() -> None:
    # One shop for all of it, which takes the longest; `make crash` does more, and longer.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.crash", "points", "postgres", "keys"),
            *("--runs=1", "--kills=1", "--rounds=3", "--hurry", "--json"),
        ],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )

    assert done.stdout.strip(), done.stderr
    runs: list[dict[str, Any]] = json.loads(done.stdout)
    assert [text for run in runs for text in run["breaches"]] == []
    assert done.returncode == 0
    assert {run["name"]: run["kills"] for run in runs} == {
        **dict.fromkeys(POINTS_HERE, 1),
        "B1 all points": len(POINTS_HERE),
        "B3 SIGKILL of PostgreSQL": 1,
        "C1 one key, 20 at once": 0,
    }
