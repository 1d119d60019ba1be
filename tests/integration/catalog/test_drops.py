"""Copies inside a process that live for seconds, and are never older than half of one."""

import time
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from shop.cache import drops
from shop.cache.aside import AsideCache
from shop.cache.drops import HEARD_SECONDS, LOOK_SECONDS, STREAM, DropLog, FollowingMemory
from shop.redis import cache_client
from tests.integration.catalog.conftest import Trips
from tests.trips import seeing_trips

KEPT_SECONDS = 5.0


class Process:
    """What one process has: a log, a cache, and copies of its own."""

    def __init__(self) -> None:
        self.drops = DropLog()
        self.cache = AsideCache(name="test", version="1", drops=self.drops)
        self.copies = FollowingMemory[bytes](
            self.drops, name="test", seconds=HEARD_SECONDS, kept_seconds=KEPT_SECONDS, size=1000
        )

    def read(self, key: str, value: bytes) -> bytes | None:
        """Read through the copies, and the cache, to where `value` is the truth."""
        return self.copies.through(key, lambda: self.cache.get(key, lambda: value))


@pytest.fixture
def here() -> Process:
    return Process()


@pytest.fixture
def there() -> Process:
    return Process()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the stopwatch, to be set forward by hand."""
    now = [time.monotonic()]
    monkeypatch.setattr("shop.cache.memory.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def heard(here: Process, clock: list[float]) -> None:
    """Have this process know its place in the stream, which is done at the first look."""
    assert here.drops.is_heard()


@pytest.mark.usefixtures("heard")
def test_a_copy_is_kept_while_nothing_is_dropped(
    here: Process, clock: list[float], redis_trips: Trips
) -> None:
    assert here.read("1", b"old") == b"old"

    for _ in range(8):
        clock[0] += HEARD_SECONDS + 0.1
        with redis_trips() as trips:
            assert here.read("1", b"another") == b"old"
        assert len(trips) == 1  # the look, for all copies of the process
        with redis_trips() as trips:
            assert here.read("1", b"another") == b"old"
        assert len(trips) == 0

    clock[0] += KEPT_SECONDS
    assert here.copies.get("1") is None


@pytest.mark.usefixtures("heard")
def test_a_drop_by_another_process_is_heard_of_at_the_next_look(
    here: Process, there: Process, clock: list[float]
) -> None:
    here.read("1", b"old")
    here.read("2", b"two")
    clock[0] += HEARD_SECONDS + 0.01
    assert here.read("1", b"new") == b"old"

    there.cache.invalidate(["1"])

    clock[0] += LOOK_SECONDS
    assert here.read("1", b"new") == b"new"
    assert here.copies.get("2") == b"two"


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("count", [2, drops._MOST_KEYS + 1])
def test_many_may_be_dropped_at_once(
    count: int, here: Process, there: Process, clock: list[float]
) -> None:
    for key in ("1", "2"):
        here.read(key, b"old")

    there.cache.invalidate([str(key) for key in range(1, count + 1)])

    clock[0] += HEARD_SECONDS + 0.01
    assert [here.read(key, b"new") for key in ("1", "2")] == [b"new", b"new"]


@pytest.mark.usefixtures("heard")
def test_a_stream_that_lost_its_place_vouches_for_nothing(
    here: Process, there: Process, clock: list[float]
) -> None:
    here.read("1", b"old")
    there.cache.invalidate(["1"])
    cache_client().delete(STREAM)  # evicted, before anybody looked
    there.cache.invalidate(["2"])

    clock[0] += HEARD_SECONDS + 0.01

    assert here.read("1", b"new") == b"new"


@pytest.mark.usefixtures("heard")
def test_a_stream_that_was_begun_anew_with_the_same_number_is_another(
    here: Process, there: Process, clock: list[float]
) -> None:
    """As when it happens within a millisecond. Control: by its number alone, it reads "old"."""
    here.read("1", b"old")
    stream: Any = cache_client()
    ((place, _),) = stream.xrevrange(STREAM, count=1)
    there.cache.invalidate(["1"])
    cache_client().delete(STREAM)
    stream.xadd(STREAM, {"product": "2"}, id=place)

    clock[0] += HEARD_SECONDS + 0.01

    assert here.read("1", b"new") == b"new"


@pytest.mark.usefixtures("heard")
def test_who_slept_through_too_much_forgets_everything(
    here: Process, there: Process, clock: list[float]
) -> None:
    here.read("1", b"old")
    there.cache.invalidate(["1"])
    for key in range(drops._MOST_ENTRIES):
        there.cache.invalidate([f"x{key}"])

    clock[0] += HEARD_SECONDS + 0.01

    assert here.read("1", b"new") == b"new"


@pytest.mark.usefixtures("heard")
def test_what_another_release_drops_is_no_trouble(here: Process, clock: list[float]) -> None:
    here.read("1", b"old")
    DropLog().note("unheard-of", ["1"])

    clock[0] += HEARD_SECONDS + 0.01

    assert here.read("1", b"new") == b"old"


@pytest.mark.usefixtures("heard")
def test_while_redis_is_away_copies_are_young_or_not_shown(
    here: Process, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.read("1", b"old")

    def refuse(*_: object, **__: object) -> None:
        raise RedisConnectionError("away")

    with seeing_trips(refuse):
        clock[0] += HEARD_SECONDS - 0.01
        assert here.copies.get("1") == b"old"
        clock[0] += 0.02
        assert here.copies.get("1") is None
    clock[0] += drops.LEFT_ALONE_SECONDS
    assert here.copies.get("1") == b"old"  # nothing was dropped meanwhile: the stream says so


@pytest.mark.usefixtures("heard")
def test_what_was_read_before_a_drop_is_not_kept_after_it(
    here: Process, there: Process, clock: list[float]
) -> None:
    """The reader has the old value in its hand while the drop is heard of.

    Negative control: kept by `put`, which knows of no mark, the last line reads "old".
    """
    mark = here.copies.mark()
    there.cache.invalidate(["1"])
    clock[0] += HEARD_SECONDS + 0.01
    assert here.drops.is_heard()

    here.copies.keep("1", b"old", read_at=mark)

    assert here.copies.get("1") is None


@pytest.mark.usefixtures("heard")
def test_a_read_under_way_is_not_remembered_past_a_drop(
    here: Process, there: Process, clock: list[float]
) -> None:
    def dropped_meanwhile() -> bytes:
        there.cache.invalidate(["1"])
        clock[0] += HEARD_SECONDS + 0.01
        assert here.drops.is_heard()
        return b"old"

    assert here.copies.through("1", dropped_meanwhile) == b"old"

    assert here.copies.get("1") is None


def test_a_process_that_begins_vouches_for_nothing_before(
    here: Process, there: Process, clock: list[float]
) -> None:
    here.read("1", b"old")
    there.cache.invalidate(["1"])

    clock[0] += HEARD_SECONDS + 0.01

    assert here.read("1", b"new") == b"new"
