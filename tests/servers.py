"""The servers of one test run, and the corner of them that each xdist worker has to itself."""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shop.embedded.home import Home
from shop.embedded.servers import Servers, addresses

UNTHROTTLED = "1000000/m"  # tests and load come from one address, as no customers do

_GIVEN = "SHOP_TEST_GIVEN"  # names of the addresses that the caller of pytest had set
_FOLDER = "SHOP_TEST_FOLDER"
_ROLES = ("REDIS_CARTS_URL", "REDIS_CACHE_URL", "REDIS_LIMITER_URL", "CELERY_BROKER_URL")


def begin() -> None:
    """Name servers, home and settings for the tests in the environment, before Django reads it.

    The first process of a run (xdist's controller, if there is one) starts what is not given, and
    stops it when it ends. Its workers find the addresses in their environment.
    """
    if _FOLDER not in os.environ:
        _start()
    index = int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")) + 1
    _take_corner(index)


def is_test_run() -> bool:
    """Tell whether this process belongs to a run of tests, which has a folder of its own."""
    return _FOLDER in os.environ


def are_ours() -> bool:
    """Tell whether PostgreSQL was started for this run, and is thrown away with it."""
    return "DATABASE_URL" not in os.environ[_GIVEN].split()


@contextlib.contextmanager
def made_once(name: str) -> Iterator[tuple[Path, bool]]:
    """Give a path of this test run, and whether its first visitor is to make there what is dear.

    The other workers wait meanwhile. A maker that fails leaves it to the next.
    """
    folder = Path(os.environ[_FOLDER])
    made = folder / f"{name}.made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / name, not made.exists()
        made.touch()


def _start() -> None:
    folder = Path(tempfile.mkdtemp(prefix="shop-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = Home(folder / "servers")
    home.prepare()
    servers = Servers(home, is_throwaway=True)
    given = addresses(os.environ)
    os.environ.update(servers.start(os.environ))
    atexit.register(servers.stop)
    os.environ[_FOLDER] = str(folder)
    os.environ[_GIVEN] = " ".join(given)
    os.environ["SHOP_ENV"] = "test"
    # The limiter is at work in every test, and in nobody's way: one that is about it sets its own.
    os.environ["SHOP_RATE_LIMIT"] = UNTHROTTLED


def _take_corner(index: int) -> None:
    os.environ["SHOP_HOME"] = str(Path(os.environ[_FOLDER]) / f"home-{index}")
    given = os.environ[_GIVEN].split()
    for position, role in enumerate(_ROLES):
        url = os.environ[role]
        if url.startswith("redis"):
            # On a Redis that was given to us, the first four databases are not ours to flush.
            first = 4 if role in given else 0
            database = first + index * len(_ROLES) + position
            os.environ[role] = f"{url.rsplit('/', 1)[0]}/{database}"
