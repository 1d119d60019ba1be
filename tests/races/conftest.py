"""What every race stands on."""

import pytest

from tests.make import orders as make


@pytest.fixture(autouse=True)
def _ground(transactional_db: None) -> None:
    """Make the first rules and the warehouse again: the test before emptied every table."""
    make.ground()
