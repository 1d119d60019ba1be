"""E4 of the plan: what a broker has to deliver later comes when it is due, and all of it comes.

A RabbitMQ of the test's own, so that it can be killed in the middle.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import redis
from django.conf import settings

from shop.embedded.home import PROJECT
from tests.integration.shop.cache_figures import IS_FULL, figure
from tests.rabbitmq import Broker, server_program
from tests.races.figures import reported

pytestmark = pytest.mark.skipif(
    server_program() is None, reason="no rabbitmq-server is installed here"
)
RETRYING = "tests.integration.shop.retrying"  # not imported: it changes the pauses
NOTES = "retries"
RECONNECTING_SECONDS = 8  # a worker that lost its broker looks again after 2, 4 and 6 seconds
TIMES = 3  # that each fails: after 1–2, 2–4 and 4–8 s where what is away is our own
# And so long each time where it is another's: in truth a minute, which `make cache` waits for.
OTHERS_SECONDS = figure(full=60, small=4)
RIGHT_TIME = 0.1  # of the pause: how late a task may come where the broker was there all the time


@dataclass(frozen=True, slots=True)
class Run:
    """One time that the task ran."""

    number: int
    retries: int
    due: float  # seconds since the epoch
    late: float  # seconds after that; 0 for the first time

    @property
    def waited_for_another(self) -> bool:
        return self.retries > 0 and self.number % 2 == 1


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path / "node")
    try:
        found.start()
        yield found
    finally:
        found.kill()


@pytest.fixture
def notes() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_CARTS_URL) as client:
        client.delete(NOTES)
        yield client
        client.delete(NOTES)


def environment(broker: Broker, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "CELERY_BROKER_URL": broker.url,
        "RETRY_NOTES": NOTES,
        "RETRY_TIMES": str(TIMES),
        "RETRY_OTHERS_SECONDS": str(OTHERS_SECONDS),
        **more,
    }


@contextmanager
def worker(broker: Broker, log: Path, **more: str) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", RETRYING, "worker", "-Q", "critical", "-c2"]
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, cwd=PROJECT, env=environment(broker, **more), stdout=output, stderr=output
        )
    try:
        wait_until(lambda: " ready." in log.read_text(), log, seconds=120)
        yield
    finally:
        running.terminate()
        running.wait(timeout=60)


def wait_until(is_so: Callable[[], bool], log: Path, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, log.read_text()[-4000:]
        time.sleep(0.2)


def send(broker: Broker, count: int) -> None:
    subprocess.run(
        [sys.executable, "-m", RETRYING, str(count)],
        cwd=PROJECT, env=environment(broker), check=True, timeout=120,
    )  # fmt: skip


def runs(notes: redis.Redis) -> list[Run]:
    found = []
    for one in map(json.loads, notes.lrange(NOTES, 0, -1)):
        due = datetime.fromisoformat(one["due"]).timestamp() if one["due"] else one["at"]
        found.append(Run(one["number"], one["retries"], due, one["at"] - due))
    return found


def done(notes: redis.Redis) -> set[int]:
    return {run.number for run in runs(notes) if run.retries == TIMES}


def test_all_come_again_when_they_are_due_although_the_broker_is_killed(
    broker: Broker, notes: redis.Redis, tmp_path: Path
) -> None:
    count, log = figure(full=200, small=40), tmp_path / "worker.log"
    with reported("E4 delayed retries, the broker killed", tasks=count, retries=TIMES) as seen:
        with worker(broker, log):
            send(broker, count)
            # In the middle: all have failed once, nobody is through.
            wait_until(lambda: len({run.number for run in runs(notes)}) == count, log, seconds=60)
            assert not done(notes)
            killed = time.time()
            broker.kill()
            broker.start()
            back = time.time() + RECONNECTING_SECONDS
            wait_until(lambda: len(done(notes)) == count, log, seconds=figure(full=360, small=180))
            time.sleep(2)  # for more of the same, if there were
        found = runs(notes)
        times_run = Counter((run.number, run.retries) for run in found)
        again = [run for run in found if run.retries]
        seen["runs"] = len(found)
        seen["of them doubled"] = len(found) - len(times_run)
        seen["earliest in s"] = round(min(run.late for run in again), 3)
        seen["median late in s"] = round(statistics.median(run.late for run in again), 1)
        seen["slowest in s, over the kill"] = round(max(run.late for run in again), 1)
        in_peace = [
            run for run in again if not killed - OTHERS_SECONDS * RIGHT_TIME < run.due < back
        ]
        latest = max(run.late for run in in_peace if run.waited_for_another) / OTHERS_SECONDS
        seen["of a pause of seconds"] = OTHERS_SECONDS
        seen["% late at most, with the broker there"] = round(latest * 100, 1)

    assert times_run.keys() == {(one, n) for one in range(count) for n in range(TIMES + 1)}
    assert min(run.late for run in again) > -0.01
    if IS_FULL:  # of four seconds, two processes for all of them are late by their own work
        assert latest < RIGHT_TIME


def test_pauses_below_a_second_would_lose_what_waits(
    broker: Broker, notes: redis.Redis, tmp_path: Path
) -> None:
    """The negative control: as it was before, when a first pause was half a second to one."""
    count, log = 20, tmp_path / "worker.log"
    with worker(broker, log, RETRY_WITHIN_SECONDS="0.9", RETRY_OTHERS_SECONDS="4"):
        send(broker, count)
        wait_until(lambda: len(done(notes)) == count // 2, log, seconds=120)

    assert done(notes) == set(range(1, count, 2))  # another's server: its pauses are longer
    assert {run.retries for run in runs(notes) if run.number % 2 == 0} == {0}
