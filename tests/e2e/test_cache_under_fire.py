"""The cache of a whole shop when a process dies at the wrong moment (E6), and cold (E8)."""

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import pytest
import redis
import requests

from shop.embedded.home import Home
from shop.faults import Action, Plan, arm, disarm
from tests.e2e.conftest import ShopRun
from tests.e2e.watch import Mug, clerk_of, four_workers, title
from tests.integration.shop.cache_figures import IS_FULL, figure
from tests.load.bench.shops import served, wait_for
from tests.races.figures import reported
from tests.servers import UNTHROTTLED

POINT = "catalog.before_forget"
MENDED_SECONDS = 5.0
PER_SECOND = 300
CONNECTIONS = 24
WEB_WORKERS, POOL = 2, 4


def test_an_invalidation_that_a_kill_swallowed_is_made_up_for(shop_run: ShopRun) -> None:
    """The worker dies between its commit and the drop of the copies; the outbox tells once more.

    Negative control: tests/integration/catalog/test_lost_invalidations.py, without the message.
    """
    clerk = clerk_of(shop_run)
    mug = Mug(clerk)
    took: list[float] = []
    rounds = figure(full=100, small=1)
    with (
        four_workers(shop_run) as watch,
        served(shop_run, "shop.wsgi", "/livez", SHOP_FAULTS="1", SHOP_WEB_WORKERS="1") as faulty,
        reported("E6 an invalidation lost by SIGKILL", kills=rounds) as seen,
    ):
        clerk.api = f"http://127.0.0.1:{faulty}/api/v1"
        before = "Mug"
        for number in range(rounds):
            watch.warm(mug.slug, title, before)
            wait_for(f"http://127.0.0.1:{faulty}/livez")  # another worker in the place of the dead
            arm(POINT, Plan(Action.KILL), home=shop_run.home)
            try:
                with pytest.raises(requests.ConnectionError):
                    clerk.call("PATCH", f"/products/{mug.slug}", {"title": f"Mug {number}"})
            finally:
                assert not disarm(POINT, home=shop_run.home), "nothing was killed"
            killed_at = time.time()
            before = f"Mug {number}"
            took.append(max(watch.until_seen(mug.slug, title, before)) - killed_at)
        seen["slowest mended in s"] = round(max(took), 2)

    assert max(took) < MENDED_SECONDS


@dataclass
class Load:
    """What came of requests that were sent at their times, whatever came of the ones before."""

    statuses: Counter[int] = field(default_factory=Counter)
    late: list[tuple[float, float]] = field(default_factory=list)  # due, seconds until answered
    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int = 0

    def percentile(self, share: float, *, after: float) -> float:
        ranked = sorted(took for due, took in self.late if due >= after)
        return ranked[int(share * (len(ranked) - 1))]


def paced(port: int, paths: list[str], *, seconds: float) -> Load:
    """Ask for `paths` in turn, 300 a second, and count seconds from when each was due."""
    load, began = Load(), time.monotonic()

    def ask_on() -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with load.lock:
                number, load.number = load.number, load.number + 1
            due = number / PER_SECOND
            if due >= seconds:
                break
            time.sleep(max(0.0, began + due - time.monotonic()))
            line.request("GET", paths[number % len(paths)])
            answer = line.getresponse()
            answer.read()
            took = time.monotonic() - began - due
            with load.lock:
                load.statuses[answer.status] += 1
                load.late.append((due, took))
        line.close()

    crowd = [threading.Thread(target=ask_on) for _ in range(CONNECTIONS)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    return load


def test_a_cold_start_under_load_fails_nobody_and_keeps_to_its_pool(shop_run: ShopRun) -> None:
    """Fresh processes, an empty cache and 300 requests a second from the first moment on."""
    rows = requests.get(f"{shop_run.url}/api/v1/products?page_size=100", timeout=120).json()
    paths = [f"/api/v1/products/{row['id']}" for row in rows["results"]]
    seconds = figure(full=30, small=2)
    state = Home(shop_run.home).read_state()
    assert state is not None
    most = [0]
    over = threading.Event()

    def count_connections() -> None:
        with psycopg.connect(shop_run.database_url, autocommit=True) as database:
            while not over.is_set():
                (count,) = database.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shop-web'"
                ).fetchone() or (0,)
                most[0] = max(most[0], count)
                time.sleep(0.1)

    with (
        served(
            shop_run, "shop.wsgi", "/livez", SHOP_WEB_WORKERS=str(WEB_WORKERS),
            SHOP_RATE_LIMIT=UNTHROTTLED,
        ) as port,
        reported("E8 cold start", requests_a_second=PER_SECOND, seconds=seconds) as seen,
    ):  # fmt: skip
        watcher = threading.Thread(target=count_connections)
        watcher.start()
        redis.Redis.from_url(state.environment["REDIS_CACHE_URL"]).flushdb()
        load = paced(port, paths, seconds=seconds)
        over.set()
        watcher.join()
        seen["answers"] = dict(load.statuses)
        seen["p99 of all in ms"] = round(load.percentile(0.99, after=0) * 1000)
        if IS_FULL:
            seen["p99 after 10 s in ms"] = round(load.percentile(0.99, after=10) * 1000)
        seen["connections to the database at most"] = most[0]

    assert load.statuses == {200: PER_SECOND * seconds}
    # Those of the shop that runs besides, and of this one.
    assert most[0] <= 2 * WEB_WORKERS * POOL
    if IS_FULL:
        assert load.percentile(0.99, after=10) < 0.5
