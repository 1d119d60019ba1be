"""Fault points: declared once and marked once, silent unless asked, exact over processes."""

import ast
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import structlog
from django.db import OperationalError
from pytest_django import Settings

from orders.providers.base import ProviderTimeout
from shop.embedded.home import PROJECT
from shop.faults import POINTS, Action, Plan, arm, armed_file, disarm, fault
from tests.unit.test_architecture import FLOOR

POINT = "checkout.prepared"

# Passes the point so often, and tells each passing before it.
PASSES = f"""
import sys
from django.conf import settings
settings.configure(SHOP_FAULTS=True, SHOP_HOME=__import__("pathlib").Path(sys.argv[1]))
from shop.faults import fault
for number in range(int(sys.argv[2])):
    print(number, flush=True)
    fault("{POINT}")
"""


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Path:
    settings.SHOP_FAULTS = True
    settings.SHOP_HOME = tmp_path
    return tmp_path


def passer(home: Path, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PASSES, str(home), str(times)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )


def marked() -> Counter[str]:
    """Return how often each name is given to `fault` in the shop's own code."""
    found = Counter[str]()
    for app in FLOOR:
        for path in (PROJECT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "fault":
                    (name,) = node.args
                    assert isinstance(name, ast.Constant), f"{path}: the name is to be written out"
                    found[str(name.value)] += 1
    return found


def test_each_point_stands_in_the_code_once_and_nothing_else_does() -> None:
    assert marked() == Counter(list(POINTS))


def test_nothing_happens_where_faults_are_off(home: Path, settings: Settings) -> None:
    arm(POINT, Plan(Action.RAISE), home=home)
    settings.SHOP_FAULTS = False

    fault(POINT)
    fault("no.such.point")

    assert armed_file(POINT, home=home).exists()


def test_nothing_happens_at_a_point_that_is_not_armed(home: Path) -> None:
    fault(POINT)


def test_a_name_that_nobody_declared_is_an_error(home: Path) -> None:
    with pytest.raises(KeyError):
        fault("no.such.point")
    with pytest.raises(KeyError):
        arm("no.such.point", Plan(Action.RAISE), home=home)

    assert list(home.iterdir()) == []


def test_it_strikes_once_at_the_passing_that_was_asked_for(home: Path) -> None:
    arm(POINT, Plan(Action.RAISE, passing=2, times=2), home=home)

    fault(POINT)
    for _ in range(2):
        with pytest.raises(OperationalError):
            fault(POINT)
    fault(POINT)

    assert not armed_file(POINT, home=home).exists()


def test_what_fails_there_is_what_would_fail_in_real_life(home: Path) -> None:
    arm(POINT, Plan(Action.RAISE), home=home)

    with pytest.raises(ProviderTimeout):
        fault(POINT, error=ProviderTimeout)


def test_it_sleeps(home: Path) -> None:
    arm(POINT, Plan(Action.SLEEP, seconds=0.2), home=home)
    started = time.monotonic()

    fault(POINT)

    assert time.monotonic() - started >= 0.2


def test_it_waits_for_one_request(home: Path) -> None:
    arm(POINT, Plan(Action.RAISE, request_id="the-one-request"), home=home)

    fault(POINT)
    with (
        structlog.contextvars.bound_contextvars(request_id="the-one-request"),
        pytest.raises(OperationalError),
    ):
        fault(POINT)


def test_it_can_be_called_off(home: Path) -> None:
    arm(POINT, Plan(Action.RAISE), home=home)

    assert disarm(POINT, home=home)

    fault(POINT)
    assert not disarm(POINT, home=home)


def test_another_process_dies_where_it_was_told_to(home: Path) -> None:
    arm(POINT, Plan(Action.KILL, passing=3), home=home)

    told, _ = passer(home, 5).communicate(timeout=60)

    assert [word for word in told.split() if word.isdigit()] == ["0", "1", "2"]


def test_of_many_processes_one_dies(home: Path) -> None:
    arm(POINT, Plan(Action.KILL, passing=100), home=home)

    running = [passer(home, 100) for _ in range(3)]
    for one in running:
        one.communicate(timeout=60)

    assert sorted(one.returncode for one in running) == [-signal.SIGKILL, 0, 0]
