"""The proof that nothing is oversold, in small: exact with the guard, and a breach without it."""

import json
import subprocess
import sys
from typing import Any

import pytest

from shop.embedded.home import PROJECT
from tests.e2e.conftest import ShopRun
from tests.shop_process import newcomers_environment


def _prove(shop: ShopRun, *arguments: str, **env: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "prove_no_oversell", "--json", *arguments],
        cwd=PROJECT,
        env=newcomers_environment(SHOP_HOME=str(shop.home), **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
    return done.returncode, report, done.stderr


def _size(units: int, buyers: int, rounds: int) -> list[str]:
    return [f"--units={units}", f"--buyers={buyers}", f"--rounds={rounds}", "--concurrency=16"]


def test_every_unit_is_sold_once_and_the_rest_are_refused(shop_run: ShopRun) -> None:
    code, report, trouble = _prove(shop_run, *_size(10, 60, 1), "--url", shop_run.url)

    assert (code, report["breaches"]) == (0, []), trouble
    (one,) = report["rounds"]
    assert (one["sold"], one["refused"], one["left"], one["ledger"]) == (10, 50, 0, 0)
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
