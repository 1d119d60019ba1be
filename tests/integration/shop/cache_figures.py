"""How often the faults of the cache are tried: a little in `make test`, in full in `make cache`."""

import os

IS_FULL = os.environ.get("CACHE_FAULTS") == "full"


def figure(*, full: int, small: int) -> int:
    """Return how often: `full` is the figure of the design, `small` what CI has time for."""
    return full if IS_FULL else small
