"""What one worker of a test run is given as a whole."""

import pytest

from shop.embedded.home import PROJECT
from tests.sharing_out import _FIRST, _GROUPS, _SHOPS_OF_THEIR_OWN, unit_of


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/unit/test_breaker.py::test_five[a::b]", "tests/unit/test_breaker.py"),
        ("tests/e2e/test_contract.py::TestAccounts::test_a", "journeys"),
        ("tests/e2e/test_up.py::test_a", "journeys"),
        ("tests/e2e/test_crashes.py::test_a", "tests/e2e/test_crashes.py"),
        ("tests/races/test_a03_deadlock_prone_baskets.py::test_a[1]", "many threads"),
        ("tests/races/test_a02_last_unit.py::test_a", "many threads"),
        (
            "tests/races/test_a12_changing_the_price.py::test_a",
            "tests/races/test_a12_changing_the_price.py",
        ),
    ],
)
def test_a_file_stays_together_and_so_do_those_that_share_a_shop(nodeid: str, unit: str) -> None:
    assert unit_of(nodeid) == unit


def test_every_file_that_is_named_exists() -> None:
    patterns = [pattern for patterns in _GROUPS.values() for pattern in patterns]
    files = [name for name in _FIRST if name not in _GROUPS]
    own = [f"tests/e2e/{name}" for name in _SHOPS_OF_THEIR_OWN]

    assert [name for name in (*patterns, *files, *own) if not list(PROJECT.glob(name))] == []
