"""A process that reads one key of a cache.

Arguments: key, threads, seconds that its database takes, and `die` to be killed while it fills. It
waits for the key `go`, counts in `asked` how often its database is asked, and prints how many ms
the slowest read took.
"""

import os
import signal
import sys
import threading
import time

import django
from django.conf import settings

django.setup()

from redis import Redis  # noqa: E402

from shop.cache.aside import AsideCache  # noqa: E402
from shop.cache.memory import ShortMemory  # noqa: E402

NAME, VERSION = "readers", "1"


def main(key: str, threads: int, seconds: float, *, dies: bool) -> None:
    # In the way in which products are read: in each process one asks Redis for all.
    cache = AsideCache(name=NAME, version=VERSION)
    memory = ShortMemory[str, bytes](seconds=0.8, size=10)
    control = Redis.from_url(settings.REDIS_CARTS_URL)
    slowest: list[float] = []
    found: list[bytes | None] = []

    def load() -> bytes:
        control.incr("asked")
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds)
        return b"new"

    def read() -> None:
        started = time.monotonic()
        found.append(memory.through(key, lambda: cache.get(key, load)))
        slowest.append(time.monotonic() - started)

    control.incr("ready")
    while not control.exists("go"):
        time.sleep(0.002)
    readers = [threading.Thread(target=read) for _ in range(threads)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(found) == threads
    assert set(found) <= {b"new", b"old"}
    sys.stdout.write(f"{round(max(slowest) * 1000)}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), dies=sys.argv[4:] == ["die"])
