"""A process that reads a cache with a crowd of threads, as often as it is told to.

Each line of its input is a round, and is answered by a line: both are JSON. A round names a key,
the moment at which all begin (`at`, of the clock that all processes share), how long the database
takes (`seconds`), and a `way`: `shared` as products are read, `naive` without lease and flight (the
negative control), or `dies`: a child of this process is killed while it fills. How often the
database was asked is counted in the key `asked`.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.conf import settings

django.setup()

from redis import Redis  # noqa: E402

from shop.cache import aside, memory  # noqa: E402
from shop.cache.aside import AsideCache  # noqa: E402
from shop.cache.memory import ShortMemory  # noqa: E402
from shop.redis import cache_client  # noqa: E402
from tests.integration.shop.cache_figures import IS_FULL  # noqa: E402

NAME, VERSION = "readers", "1"
CACHE = AsideCache(name=NAME, version=VERSION)
# In the way in which products are read: in each process one asks Redis for all.
MEMORY = ShortMemory[str, bytes](seconds=0.5, size=10)


def main(threads: int) -> None:
    if not IS_FULL:  # what a machine that others use too may need is measured by nobody
        aside.WAIT_SECONDS = memory.PATIENCE_SECONDS = 60.0
    crowd = ThreadPoolExecutor(threads)
    for line in sys.stdin:
        order = json.loads(line)
        told = _killed(order) if order["way"] == "dies" else _round(order, crowd, threads)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def _round(order: dict[str, Any], crowd: ThreadPoolExecutor, threads: int) -> dict[str, Any]:
    key, ready = order["key"], threading.Barrier(threads)
    source = _source(order)
    read = _naive if order["way"] == "naive" else _shared

    def one(_: int) -> tuple[float, str]:
        ready.wait()
        time.sleep(max(0.0, order["at"] - time.time()))
        started = time.monotonic()
        try:
            found = read(key, source)
        except Exception as error:
            return time.monotonic() - started, type(error).__name__
        return time.monotonic() - started, (found or b"").decode()

    answers = list(crowd.map(one, range(threads)))
    return {"ms": [took * 1000 for took, _ in answers], "found": [found for _, found in answers]}


def _shared(key: str, source: Callable[[], bytes]) -> bytes | None:
    return MEMORY.through(key, lambda: CACHE.get(key, source))


def _naive(key: str, source: Callable[[], bytes]) -> bytes | None:
    kept = cache_client().get(f"naive:{key}")
    if kept is None:
        kept = source()
        cache_client().set(f"naive:{key}", kept)
    return kept  # type: ignore[return-value]


def _source(order: dict[str, Any]) -> Callable[[], bytes]:
    control = Redis.from_url(settings.REDIS_CARTS_URL)

    def load() -> bytes:
        control.incr("asked")
        if order["way"] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(order["seconds"])
        return b"new"

    return load


def _killed(order: dict[str, Any]) -> dict[str, Any]:
    child = os.fork()
    if child == 0:
        CACHE.get(order["key"], _source(order))
        os._exit(1)  # it should never come to this
    _, status = os.waitpid(child, 0)
    return {"signal": os.WTERMSIG(status)}


if __name__ == "__main__":
    main(int(sys.argv[1]))
