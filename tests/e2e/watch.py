"""Looking at a product in each worker of a server, over connections that stay with their worker."""

import contextlib
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import psutil
import requests

from tests.e2e.client import Shopper
from tests.load.bench.shops import served
from tests.servers import UNTHROTTLED
from tests.shop_process import RunningShop

WORKERS = 4
GIVEN_UP_SECONDS = 120.0

Told = Callable[[requests.Response], object]


class Watch:
    """Connections that are kept open, one to each worker, all asking for one product."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/products"
        self._of_worker: dict[int, requests.Session] = {}
        end = time.monotonic() + GIVEN_UP_SECONDS
        while len(self._of_worker) < WORKERS:
            assert time.monotonic() < end, f"only {len(self._of_worker)} workers were reached"
            self._connect(port)

    def _connect(self, port: int) -> None:
        session = requests.Session()
        with session.get(self._url, params={"page_size": 1}, stream=True, timeout=60) as answer:
            connection = answer.raw.connection
            assert connection is not None
            (_, mine), pids = connection.sock.getsockname(), _listening_on(port)
            answer.content  # noqa: B018 — read to its end, so that the connection is kept
        for pid in pids:
            ends = {end.raddr.port for end in psutil.Process(pid).net_connections() if end.raddr}
            if mine in ends and pid not in self._of_worker:
                self._of_worker[pid] = session
                return
        session.close()

    def warm(self, ref: str, told: Told, expected: object) -> None:
        """Have each worker keep a copy of its own."""
        for session in self._of_worker.values():
            answer = session.get(f"{self._url}/{ref}", timeout=60)
            assert told(answer) == expected, answer.text

    def until_seen(self, ref: str, told: Told, expected: object) -> list[float]:
        """Return when (`time.time`) each worker was last asked that did not tell it yet.

        When it was asked and not when it answered, so that a slow machine makes nothing late.
        The moment before the first look where it told it at once.
        """
        waiting = dict.fromkeys(self._of_worker, time.time())
        self.told_at: list[float] = []  # when each worker first told it
        seen: list[float] = []
        end = time.monotonic() + GIVEN_UP_SECONDS
        while waiting:
            assert time.monotonic() < end, f"{len(waiting)} workers never told {expected!r}"
            for pid in list(waiting):
                asked_at, session = time.time(), self._of_worker[pid]
                if told(session.get(f"{self._url}/{ref}", timeout=60)) == expected:
                    self.told_at.append(time.time())
                    seen.append(waiting.pop(pid))
                else:
                    waiting[pid] = asked_at
            time.sleep(0.01)
        return seen

    def close(self) -> None:
        for session in self._of_worker.values():
            session.close()


def _listening_on(port: int) -> list[int]:
    """Return the workers of the server on `port`."""
    mine = psutil.Process().children(recursive=True)
    command = [one for one in mine if _serves(one, port)]
    master = min(command, key=lambda one: one.create_time())
    return [one.pid for one in master.children()]


def _serves(one: psutil.Process, port: int) -> bool:
    try:
        return f"127.0.0.1:{port}" in one.environ().get("SHOP_BIND", "")
    except psutil.NoSuchProcess:  # it has ended since it was listed
        return False


@contextlib.contextmanager
def four_workers(shop: RunningShop) -> Iterator[Watch]:
    """Serve the shop by four workers more, and give a watch of each."""
    env = {"SHOP_WEB_WORKERS": str(WORKERS), "SHOP_RATE_LIMIT": UNTHROTTLED}
    with (
        served(shop, "shop.wsgi", "/livez", **env) as port,
        contextlib.closing(Watch(port)) as watch,
    ):
        yield watch


def clerk_of(shop: RunningShop) -> Shopper:
    """Return staff who may do everything, signed in."""
    clerk = Shopper(shop.url)
    clerk.sign_in(shop.staff_email, shop.staff_password)
    return clerk


class Mug:
    """A product of this test's own."""

    def __init__(self, clerk: Shopper) -> None:
        self.slug = f"seen-{uuid4().hex[:12]}"
        answer = clerk.post("/products", self.as_told("Mug"))
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]
        self.sku = self.slug

    def as_told(self, title: str) -> dict[str, object]:
        prices = [{"price": {"amount": "15.00", "currency": "GBP"}}]
        return {
            "slug": self.slug,
            "title": title,
            "status": "active",
            "variants": [{"sku": self.slug, "prices": prices}],
        }


def title(answer: requests.Response) -> object:
    return answer.json().get("title")


def price(answer: requests.Response) -> object:
    return answer.json()["price"]["min"]["amount"]


def status(answer: requests.Response) -> object:
    return answer.status_code
