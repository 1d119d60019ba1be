"""Steady buyers, for as long as something is being killed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.crash.client import Buyer, Insistence
from tests.crash.ground import Ground


@dataclass(slots=True)
class Load:
    """Who bought, and what they went through. Read it when the block has ended."""

    buyers: list[Buyer] = field(default_factory=list)
    told: list[Insistence] = field(default_factory=list)
    # When each order was answered, by the monotonic clock: begun and ended.
    sold: list[tuple[float, float]] = field(default_factory=list)

    def first_sale_after(self, moment: float) -> float | None:
        """Return when the first order that began after the moment was answered."""
        ends = [ended for began, ended in [*self.sold] if began >= moment]
        return min(ends, default=None)


@contextmanager
def steady_load(ground: Ground, *, buyers: int, pause_seconds: float = 0.1) -> Iterator[Load]:
    """Have so many buyers come again and again, each time with a new cart and a new key."""
    load, stopping, noting = Load(), threading.Event(), threading.Lock()

    def work() -> None:
        while not stopping.is_set():
            buyer = ground.buyer()
            began = time.monotonic()
            told = buyer.check_out()
            with noting:
                load.buyers.append(buyer)
                load.told.append(told)
                if told.answer is not None and told.answer.status == 201:
                    began = began if told.asked == 1 else told.answered_at
                    load.sold.append((began, told.answered_at))
            stopping.wait(pause_seconds)

    threads = [threading.Thread(target=work) for _ in range(buyers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
