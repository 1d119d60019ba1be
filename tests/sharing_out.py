"""Which tests go to the same xdist worker: those of one file, and of what shares something dear.

xdist's own `loadgroup` writes the group into the name of the test, which pytest 9.2 no longer lets
it do, and then silently shares out test by test: each worker starts a shop of its own.
"""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

# Files that run one after the other, although they are several.
_GROUPS = {
    # One shop for all journeys; those that start shops of their own are not held up by them.
    "journeys": ("tests/e2e/*",),
    # Each has all the threads that the machine bears.
    "many threads": (
        "tests/races/test_a02_*",
        "tests/races/test_a03_*",
        "tests/races/test_a15_*",
    ),
}
_SHOPS_OF_THEIR_OWN = ("test_crashes.py", "test_imports.py", "test_rabbitmq.py")
# What takes longest begins first: at the end of a run no worker is to be left alone with it.
_FIRST = (
    "journeys",
    "tests/e2e/test_crashes.py",
    "tests/integration/shop/test_retries.py",
    "tests/e2e/test_rabbitmq.py",
    "many threads",
)


def unit_of(nodeid: str) -> str:
    """Return the name of what is given to one worker as a whole."""
    file = PurePosixPath(nodeid.partition("::")[0])
    if file.name not in _SHOPS_OF_THEIR_OWN:
        for name, patterns in _GROUPS.items():
            if any(file.match(pattern) for pattern in patterns):
                return name
    return str(file)


def put_long_ones_first(items: list[pytest.Item]) -> None:
    """Order what was collected; the rest stays as it was shuffled."""
    places = {unit: place for place, unit in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(unit_of(item.nodeid), len(places)))


class ByFile(LoadScopeScheduling):
    """Gives each worker a file, or a group of files, at a time."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False  # in the order in which they were collected
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
