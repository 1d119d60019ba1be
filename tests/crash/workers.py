"""B2: workers of gunicorn, and gunicorn itself, are killed at random under steady load."""

import contextlib
import http.client
import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import psutil

from tests.crash.ground import Ground
from tests.crash.load import steady_load
from tests.crash.oracle import breaches
from tests.crash.runs import Run, percentile, run_of

BUYERS = 4
WORKER_PAUSE_SECONDS = (2.0, 5.0)
# Longer than a program has to run to be started again at once.
MASTER_PAUSE_SECONDS = 36.0
BACK_AFTER_WORKER_SECONDS = 2.0
BACK_AFTER_MASTER_SECONDS = 10.0


def kill_workers(ground: Ground, *, seconds: float, seed: int) -> list[Run]:
    """Kill for so long, and compare all books when all is quiet."""
    dice = random.Random(seed)
    workers: list[float] = []
    masters: list[float] = []
    with _probing(ground.shop.port) as answers, steady_load(ground, buyers=BUYERS) as load:
        end = time.monotonic() + seconds
        next_master = time.monotonic() + min(MASTER_PAUSE_SECONDS, seconds / 2)
        while time.monotonic() < end:
            time.sleep(dice.uniform(*WORKER_PAUSE_SECONDS))
            master = ground.web_master()
            if master is None:
                continue
            with contextlib.suppress(psutil.Error):
                if time.monotonic() >= next_master:
                    next_master = time.monotonic() + MASTER_PAUSE_SECONDS
                    master.kill()
                    masters.append(time.monotonic())
                elif children := master.children():
                    dice.choice(children).kill()
                    workers.append(time.monotonic())
        time.sleep(BACK_AFTER_MASTER_SECONDS)
    found = breaches(ground, load.buyers)
    silence = _silences([*workers, *masters], answers)
    back_w, back_m = [silence[kill] for kill in workers], [silence[kill] for kill in masters]
    for name, back, bound in (
        ("worker", back_w, BACK_AFTER_WORKER_SECONDS),
        ("master", back_m, BACK_AFTER_MASTER_SECONDS),
    ):
        found += [f"back {one:.1f} s after a {name} was killed" for one in back if one > bound]
    return [
        run_of(
            "B2 random workers and master",
            rounds=round(seconds),
            kills=len(workers) + len(masters),
            told=load.told,
            breaches=found,
            notes=(
                f"seed {seed}; {len(load.sold)} orders; {len(workers)} workers, back in"
                f" {percentile(back_w, 50):.2f}/{percentile(back_w, 100):.2f} s (p50/max);"
                f" {len(masters)} masters, back in"
                f" {percentile(back_m, 50):.2f}/{percentile(back_m, 100):.2f} s"
            ),
        )
    ]


def _silences(kills: Sequence[float], answers: Sequence[tuple[float, float]]) -> dict[float, float]:
    """Return, for each kill, the longest time without an answer until the next one.

    Not the time to the first answer: the workers of a master that was killed live on for a moment.
    """
    found = {}
    ordered = sorted(kills)
    ends = sorted(ended for _, ended in answers)
    for kill, following in zip(ordered, [*ordered[1:], math.inf], strict=True):
        heard = [kill, *(end for end in ends if kill <= end <= following)]
        # Before the next kill it has been answering again, or there would have been nobody to kill.
        found[kill] = max((b - a for a, b in pairwise(heard)), default=999.0)
    return found


@contextmanager
def _probing(port: int) -> Iterator[list[tuple[float, float]]]:
    """Ask whether the shop lives, on a new connection every 50 ms; gives when it said yes."""
    answers: list[tuple[float, float]] = []
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.05):
            began = time.monotonic()
            asking = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            with (
                contextlib.closing(asking),
                contextlib.suppress(OSError, http.client.HTTPException),
            ):
                asking.request("GET", "/livez")
                if asking.getresponse().status == 200:
                    answers.append((began, time.monotonic()))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        thread.join()
