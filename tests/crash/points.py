"""B1: a process of the shop is killed at each named line in turn; its client comes back."""

import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from shop.faults import POINTS, Action, Plan, arm, armed_file, disarm
from tests.crash.client import Buyer, Insistence
from tests.crash.ground import Ground, until
from tests.crash.oracle import blind_spots, breaches
from tests.crash.runs import Run, run_of

# The resumer comes after two minutes, and only to what a sweeper could not finish: it is killed in
# tests/integration/orders/test_resuming.py, where the clock can be moved. The catalogue has no
# buyer: it is killed in tests/e2e/test_cache_under_fire.py.
NOT_HERE = frozenset({"resume.taken", "catalog.before_forget"})
POINTS_HERE = tuple(point for point in POINTS if point not in NOT_HERE)
# Passed by another process than the one that answers the client.
_ELSEWHERE = frozenset({"sweep.answered", "settle.locked", "outbox.sent"})
# Passed for one whose provider did not say in time.
_LATE = frozenset({"checkout.before_accept", "sweep.answered", "settle.locked"})
_AFTER_THE_SALE = frozenset({"cancel.committed", "refund.before_asking", "refund.answered"})
_STRIKE_SECONDS = 60.0


@dataclass(slots=True)
class _Point:
    """What one point came to."""

    name: str
    kills: int = 0
    told: list[Future[Insistence]] = field(default_factory=list)


def strike_each_point(ground: Ground, *, rounds: int) -> list[Run]:
    """Kill at every point, `rounds` times each, and compare all books when all is quiet.

    Clients of one round may still be waiting while the next begins. The last run is the sum.
    """
    points = [_Point(name) for name in POINTS_HERE]
    buyers: list[Buyer] = []
    missed: list[str] = []
    with ThreadPoolExecutor(max_workers=256) as clients:
        for _ in range(rounds):
            for point in points:
                buyer, act = _customer(ground, point.name)
                buyers.append(buyer)
                request_id = "" if point.name in _ELSEWHERE else uuid.uuid4().hex
                plan = Plan(Action.KILL, request_id=request_id)
                file = armed_file(point.name, home=ground.home)
                arm(point.name, plan, home=ground.home)
                point.told.append(clients.submit(act, request_id or uuid.uuid4().hex))
                if until(lambda file=file: not file.exists(), _STRIKE_SECONDS):  # type: ignore[misc]
                    point.kills += 1
                elif disarm(point.name, home=ground.home):
                    missed.append(f"{point.name}: passed by nobody")
    found = [*missed, *breaches(ground, buyers)]
    found += blind_spots(ground) if not found else []
    runs = [
        run_of(
            point.name, rounds=rounds, kills=point.kills, told=[one.result() for one in point.told]
        )
        for point in points
    ]
    everything = [one.result() for point in points for one in point.told]
    total = run_of(
        "B1 all points",
        rounds=rounds * len(points),
        kills=sum(point.kills for point in points),
        told=everything,
        breaches=found,
        notes="with a sweeper a minute ahead" if ground.hurries else "",
    )
    return [*runs, total]


def _customer(ground: Ground, point: str) -> tuple[Buyer, Callable[[str], Insistence]]:
    """Return somebody whose next request passes the point."""
    if point == "idempotency.before_commit":
        stranger = ground.stranger()
        stranger.register()
        return stranger, lambda request_id: stranger.add_address(request_id=request_id)
    buyer = ground.buyer(token="tok_timeout" if point in _LATE else "tok_ok")
    if point not in _AFTER_THE_SALE:
        return buyer, lambda request_id: buyer.check_out(request_id=request_id)
    bought = buyer.check_out().answer
    number = bought.number if bought else ""
    token = str(bought.body.get("access_token", "")) if bought else ""
    return buyer, lambda request_id: buyer.cancel(number, token, request_id=request_id)
