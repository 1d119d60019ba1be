"""How a rate is written. Knows nothing of Django, as settings read theirs with it."""

import re
from typing import NamedTuple

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,3})?([smhd])")


class Rate(NamedTuple):
    """At most `limit` calls in any `seconds`."""

    limit: int
    seconds: int


def read_rate(text: str) -> Rate:
    """Return what `100/m` or `10/5m` means. Raises ValueError."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no rate: write 100/m or 10/5m")
    return Rate(int(found[1]), int(found[2] or 1) * _SECONDS[found[3]])
