"""How many may go past the cache at once: what is behind it cannot carry everybody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shop.errors import Unavailable


class Gate:
    """Lets so many in at once, in this process. Safe to share between threads.

    Whoever finds it full waits for `wait_seconds`, and is then refused: a client that comes again
    costs less than a queue that holds every thread.
    """

    def __init__(self, *, at_once: int, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._places = threading.BoundedSemaphore(at_once)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place until the block ends. Raises Unavailable (503 with `Retry-After`)."""
        if not self._places.acquire(timeout=self._wait_seconds):
            raise Unavailable("Too many read past the cache just now.", retry_after=1)
        try:
            yield
        finally:
            self._places.release()
