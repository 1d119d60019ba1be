from datetime import UTC, datetime

import pytest

from catalog.store import _opened, sealed

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("kept", [b"garbage\n{}", b"\x80\x81\n{}", b"{}"])
def test_what_cannot_be_read_is_a_miss(kept: bytes) -> None:
    assert _opened(kept, NOW) is None


def test_what_is_good_without_end_is_shown() -> None:
    assert _opened(sealed(b"{}", good_until=None), NOW) == b"{}"
