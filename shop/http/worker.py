"""The gunicorn worker that the shop is served by."""

import select
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]


class LeavingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes what has reached it and then stops listening, as soon as it is to end.

    With `reuse_port` each worker has a socket of its own, to which the kernel gives its share of
    new connections for as long as it is open. The worker above stops taking them when it ends,
    keeps the socket for the seconds in which it waits for its clients, and then closes it: whoever
    came meanwhile waits in vain and is reset, however idle the other workers are.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive or not self.cfg.reuse_port:
            return  # a socket that all workers share has others who take from it
        listeners = list(self.sockets)
        self.sockets.clear()
        for listener in listeners:
            with suppress(OSError):  # no file left for one more
                self._take_all(listener)
            listener.close()

    def _take_all(self, listener: Any) -> None:
        coming = select.poll()
        coming.register(listener.fileno(), select.POLLIN)
        while self.nr_conns < self.worker_connections and coming.poll(0):
            self.accept(listener)
