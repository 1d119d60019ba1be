"""The windows that one process keeps while Redis is away."""

import pytest

from shop.http.rate_limit.rates import Rate
from shop.http.rate_limit.windows import LocalWindows


@pytest.mark.parametrize("now", [2042.3388885400798, 4069.626642599776])
def test_a_first_call_waits_for_its_window_and_no_second_more(
    monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    """Control: as `ceil(now + seconds - now)` these are 61, as the sum is rounded up."""
    monkeypatch.setattr("shop.http.rate_limit.windows.time.monotonic", lambda: now)

    assert LocalWindows(size=10).take("key", Rate(5, 60)).reset_seconds == 60
