"""A1: the proof that nothing is oversold: exact with the guard, and a breach without it.

A little of it here; `make races` runs it with its full figures.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from shop.embedded.home import PROJECT
from tests.e2e.conftest import ShopRun
from tests.races.figures import figure, reported
from tests.shop_process import newcomers_environment

ROUNDS = figure(full=20, small=1)
UNITS = figure(full=100, small=10)
BUYERS = figure(full=1000, small=60)
CONCURRENCY = figure(full=100, small=16)

pytestmark = pytest.mark.timeout(3600)


def _prove(shop: ShopRun, *arguments: str, **env: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "prove_no_oversell", "--json", *arguments],
        cwd=PROJECT,
        env=newcomers_environment(SHOP_HOME=str(shop.home), **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=figure(full=3600, small=1200),
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
    return done.returncode, report, done.stderr


def _size(units: int, buyers: int, rounds: int, concurrency: int = 16) -> list[str]:
    return [
        f"--units={units}",
        f"--buyers={buyers}",
        f"--rounds={rounds}",
        f"--concurrency={concurrency}",
    ]


def test_every_unit_is_sold_once_and_the_rest_are_refused(shop_run: ShopRun) -> None:
    size = _size(UNITS, BUYERS, ROUNDS, CONCURRENCY)

    with reported("A1 flash sale over HTTP", rounds=ROUNDS, units=UNITS, buyers=BUYERS) as seen:
        code, report, trouble = _prove(shop_run, *size, "--url", shop_run.url)
        refusals = [one["refusal_p99"] for one in report.get("rounds", [])]
        seen["sold"] = sum(one["sold"] for one in report.get("rounds", []))
        seen["ms at most for 99 % of refusals of a round"] = round(1000 * max(refusals, default=0))

    assert (code, report["breaches"]) == (0, []), trouble
    assert len(report["rounds"]) == ROUNDS
    for one in report["rounds"]:
        counted = one["sold"], one["refused"], one["left"], one["ledger"]
        assert counted == (UNITS, BUYERS - UNITS, 0, 0)
        assert one["other"] == 0


def test_the_services_alone_are_exact_too(shop_run: ShopRun) -> None:
    code, report, trouble = _prove(shop_run, *_size(10, 60, 1), "--via", "services")

    assert (code, report["breaches"]) == (0, []), trouble
    assert (report["rounds"][0]["sold"], report["rounds"][0]["refused"]) == (10, 50)


@pytest.mark.parametrize("via", ["http", "services"])
def test_without_the_guard_the_proof_finds_the_breach(shop_run: ShopRun, via: str) -> None:
    code, report, trouble = _prove(shop_run, *_size(5, 40, 2), f"--via={via}", "--without-guard")

    assert code == 1, trouble
    assert report["control_worked"], report
    assert any("oversold" in breach for breach in report["breaches"])


def test_the_guard_is_never_taken_out_of_a_shop_that_is_kept(shop_run: ShopRun) -> None:
    code, report, trouble = _prove(shop_run, "--unguarded")

    assert (code, report) == (1, {})
    assert "thrown away" in trouble
