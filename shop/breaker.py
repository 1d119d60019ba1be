"""A circuit breaker: what keeps failing is left alone for a while."""

import threading
import time
from collections import deque


class Breaker:
    """Opens after `errors` failures within `within_seconds`, for `open_seconds`.

    Then one caller may try (half open): its success closes the breaker, its failure, or its
    silence, keeps it open for another `open_seconds`. One a process, safe to share between threads.
    """

    def __init__(
        self, *, errors: int = 5, within_seconds: float = 10.0, open_seconds: float = 5.0
    ) -> None:
        self._errors = errors
        self._within_seconds = within_seconds
        self._open_seconds = open_seconds
        self._lock = threading.Lock()
        self._failed_at: deque[float] = deque(maxlen=errors)
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    def may_call(self) -> bool:
        """Tell whether to try. Who is told so must report `succeeded` or `failed`."""
        if self._open_until is None:  # nearly always, so without the lock
            return True
        with self._lock:
            now = time.monotonic()
            if self._open_until is None:
                return True
            if now < self._open_until:
                return False
            self._open_until = now + self._open_seconds
            return True

    def succeeded(self) -> bool:
        """Note that a call came back. Tells whether that closed the breaker."""
        if self._open_until is None:
            return False
        with self._lock:
            was_open = self._open_until is not None
            self._open_until = None
            self._failed_at.clear()
            return was_open

    def failed(self) -> bool:
        """Note that a call failed. Tells whether that opened the breaker."""
        with self._lock:
            now = time.monotonic()
            self._failed_at.append(now)
            was_open = self._open_until is not None
            enough = len(self._failed_at) == self._errors
            if was_open or (enough and now - self._failed_at[0] <= self._within_seconds):
                self._open_until = now + self._open_seconds
                return not was_open
            return False

    def reset(self) -> None:
        """Forget everything, as a new process would."""
        with self._lock:
            self._failed_at.clear()
            self._open_until = None
