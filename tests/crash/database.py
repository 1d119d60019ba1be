"""B3 and B5: PostgreSQL is killed in mid-write, as a whole and one session at a time."""

import contextlib
import os
import random
import signal
import threading
import time
import uuid

import psycopg

from shop.faults import Action, Plan, arm, armed_file
from tests.crash.client import Buyer, Insistence
from tests.crash.ground import Ground, until
from tests.crash.load import steady_load
from tests.crash.oracle import breaches
from tests.crash.runs import Run, percentile, run_of

BUYERS = 4
FIRST_SALE_SECONDS = 30.0  # after the database takes connections again
_HELD_SECONDS = 1.5  # a session holds its locks for so long, unless it is ended before


def kill_postmaster(ground: Ground, *, times: int, seed: int) -> list[Run]:
    """SIGKILL the server under load, wait for it and for the first order, and again."""
    dice = random.Random(seed)
    accepts: list[float] = []  # seconds from the kill until it took connections
    sales: list[float] = []  # seconds from there to the first order
    found: list[str] = []
    with steady_load(ground, buyers=BUYERS) as load:
        for _ in range(times):
            time.sleep(dice.uniform(2.0, 4.0))
            os.kill(_postmaster(ground), signal.SIGKILL)
            killed = time.monotonic()
            if not until(lambda: _accepts(ground), 90):
                found.append("the database did not come back")
                break
            accepted = time.monotonic()
            accepts.append(accepted - killed)
            if not until(lambda at=accepted: load.first_sale_after(at) is not None, 60):  # type: ignore[misc]
                found.append("nothing was sold after the database had come back")
                break
            sales.append((load.first_sale_after(accepted) or accepted) - accepted)
    found += breaches(ground, load.buyers)
    found += [f"first order {s:.1f} s after the database" for s in sales if s > FIRST_SALE_SECONDS]
    return [
        run_of(
            "B3 SIGKILL of PostgreSQL",
            rounds=times,
            kills=len(accepts),
            told=load.told,
            breaches=found,
            notes=(
                f"seed {seed}; {len(load.sold)} orders; takes connections after"
                f" {percentile(accepts, 50):.1f}/{percentile(accepts, 100):.1f} s (p50/max),"
                f" first order {percentile(sales, 50):.1f}/{percentile(sales, 100):.1f} s later"
            ),
        )
    ]


def end_sessions(ground: Ground, *, times: int, kills: int) -> list[Run]:
    """End one session that holds the stock's row while another waits for it: `times` politely.

    And `kills` times by SIGKILL of its process, upon which PostgreSQL ends all the others too.
    """
    polite = [_end_one(ground, is_rude=False) for _ in range(times)]
    rude = [_end_one(ground, is_rude=True) for _ in range(kills)]
    buyers = [buyer for one in [*polite, *rude] for buyer in one.buyers]
    found = [text for one in [*polite, *rude] for text in one.trouble]
    found += breaches(ground, buyers)
    freed = [one.freed_seconds for one in polite if one.freed_seconds is not None]
    return [
        run_of(
            "B5 pg_terminate_backend of a lock's holder",
            rounds=times,
            kills=times,
            told=[told for one in polite for told in one.told],
            breaches=found,
            notes=(
                "who waited had the order"
                f" {percentile(freed, 50):.2f}/{percentile(freed, 100):.2f} s later (p50/max)"
            ),
        ),
        run_of(
            "B5 SIGKILL of its process",
            rounds=kills,
            kills=kills,
            told=[told for one in rude for told in one.told],
            notes="PostgreSQL ends all sessions and recovers",
        ),
    ]


class _Ended:
    """What ending one session came to."""

    def __init__(self) -> None:
        self.buyers: list[Buyer] = []
        self.told: list[Insistence] = []
        self.trouble: list[str] = []
        self.freed_seconds: float | None = None


def _end_one(ground: Ground, *, is_rude: bool) -> _Ended:
    ended = _Ended()
    holder, waiter = ground.buyer(), ground.buyer()
    ended.buyers += [holder, waiter]
    request_id = uuid.uuid4().hex
    point = "checkout.before_commit"
    arm(
        point,
        Plan(Action.SLEEP, seconds=_HELD_SECONDS, request_id=request_id),
        home=ground.home,
    )
    file = armed_file(point, home=ground.home)

    def hold() -> None:
        ended.told.append(holder.check_out(request_id=request_id))

    def wait() -> None:
        told = waiter.check_out()
        ended.told.append(told)
        if told.lost == told.unavailable == 0:
            ended.freed_seconds = told.answered_at - at[0]

    at = [time.monotonic()]
    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    if until(lambda: not file.exists(), 20):
        threads[1].start()
        if not _end_whoever_blocks(ground, is_rude=is_rude, at=at):
            ended.trouble.append("nobody was waiting for the lock")
        threads[1].join()
    else:
        ended.trouble.append("the lock was never taken")
    threads[0].join()
    if is_rude:
        until(lambda: _accepts(ground), 60)
    elif ended.freed_seconds is None:
        ended.trouble.append("who waited for the lock did not get it")
    return ended


def _end_whoever_blocks(ground: Ground, *, is_rude: bool, at: list[float]) -> bool:
    """End the session that another waits for, and note when; False if none does."""
    with ground.database() as database:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            row = database.execute(
                "SELECT (pg_blocking_pids(pid))[1] FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND application_name = 'shop-web' LIMIT 1"
            ).fetchone()
            if row is not None and row[0]:
                at[0] = time.monotonic()
                if is_rude:
                    os.kill(row[0], signal.SIGKILL)
                else:
                    database.execute("SELECT pg_terminate_backend(%s)", [row[0]])
                return True
            time.sleep(0.01)
    return False


def _postmaster(ground: Ground) -> int:
    lines = (ground.home / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    return int(lines[0])


def _accepts(ground: Ground) -> bool:
    with contextlib.suppress(psycopg.OperationalError), ground.database() as database:
        return database.execute("SELECT 1").fetchone() is not None
    return False
