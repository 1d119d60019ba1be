"""C1: one key, many at once: one execution, and the same bytes for everybody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.crash.client import Buyer, Insistence
from tests.crash.ground import Ground
from tests.crash.oracle import breaches
from tests.crash.runs import Run, run_of

AT_ONCE = 20


def share_keys(ground: Ground, *, rounds: int) -> list[Run]:
    """Send one checkout `AT_ONCE` times at the same moment, `rounds` times."""
    found: list[str] = []
    told: list[Insistence] = []
    buyers: list[Buyer] = []
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as clients:
        for _ in range(rounds):
            buyer = ground.buyer()
            buyers.append(buyer)
            barrier = threading.Barrier(AT_ONCE)

            def send(buyer: Buyer = buyer, barrier: threading.Barrier = barrier) -> Insistence:
                barrier.wait(30)
                return buyer.check_out()

            answers = [one.result() for one in [clients.submit(send) for _ in range(AT_ONCE)]]
            told += answers
            found += _different(buyer, answers)
    seconds = time.monotonic() - began
    found += breaches(ground, buyers)
    waited = sum(one.in_progress for one in told)
    return [
        run_of(
            f"C1 one key, {AT_ONCE} at once",
            rounds=rounds,
            kills=0,
            told=told,
            breaches=found,
            notes=f"{waited} answers 409 in progress; {seconds:.0f} s",
        )
    ]


def _different(buyer: Buyer, answers: list[Insistence]) -> list[str]:
    given = {(one.answer.status, one.answer.content) for one in answers if one.answer is not None}
    executed = sum(one.answer is not None and not one.answer.is_replay for one in answers)
    found = []
    if len(given) != 1:
        found.append(f"I13 {buyer.email}: {len(given)} different answers to one key")
    if executed != 1:
        found.append(f"I13 {buyer.email}: executed {executed} times")
    return found
