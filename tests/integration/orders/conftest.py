"""What every test of orders stands on."""

import pytest

from tests.make import orders as make


@pytest.fixture(autouse=True)
def _ground(request: pytest.FixtureRequest) -> None:
    """Make the first rules and the warehouse again, where a test begins with empty tables."""
    marker = request.node.get_closest_marker("django_db")
    if marker is not None and marker.kwargs.get("transaction"):
        request.getfixturevalue("transactional_db")
        make.ground()
