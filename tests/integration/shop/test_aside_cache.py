import threading
from collections.abc import Collection, Iterator, Mapping

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from shop.cache import aside
from shop.cache.aside import AsideCache
from shop.redis import cache_client
from tests.trips import seeing_trips

CACHE = AsideCache(name="test", version="1")


class Source:
    """Stands for the database: counts how often it is asked."""

    def __init__(self, value: bytes | None) -> None:
        self.value = value
        self.asked = 0

    def __call__(self) -> bytes | None:
        self.asked += 1
        return self.value


def test_the_second_read_comes_from_the_cache() -> None:
    source = Source(b"mug")

    assert CACHE.get(1, source) == CACHE.get(1, source) == b"mug"

    assert source.asked == 1


def test_what_does_not_exist_is_remembered_too_but_briefly() -> None:
    source = Source(None)

    assert CACHE.get(1, source) is None
    assert CACHE.get(1, source) is None

    assert source.asked == 1
    assert 0 < cache_client().ttl(CACHE._key(1)) <= 30


def test_after_an_invalidation_the_next_read_is_fresh() -> None:
    source = Source(b"old")
    CACHE.get(1, source)

    source.value = b"new"
    CACHE.invalidate([1])

    assert CACHE.get(1, source) == b"new"


def test_a_slow_reader_cannot_bury_a_newer_state() -> None:
    """The reader loads the old row; the writer commits and invalidates; the reader stores.

    Negative control: without the comparison of generations in `_FILL` the last line reads "old".
    """

    def load_while_a_writer_commits() -> bytes:
        CACHE.invalidate([1])
        return b"old"

    CACHE.get(1, load_while_a_writer_commits)

    assert CACHE.get(1, Source(b"new")) == b"new"


def test_releases_do_not_read_each_other_and_are_dropped_together() -> None:
    green = AsideCache(name="test", version="2")
    CACHE.get(1, Source(b"blue"))
    green.get(1, Source(b"green"))

    assert CACHE.get(1, Source(b"x")) == b"blue"
    assert green.get(1, Source(b"x")) == b"green"

    CACHE.invalidate([1])
    assert green.get(1, Source(b"fresh")) == b"fresh"


def test_many_readers_of_a_missing_key_fill_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than a busy machine may stand still.
    monkeypatch.setattr(aside, "WAIT_SECONDS", 60)
    monkeypatch.setattr(aside, "LEASE_MS", 60_000)
    gate = threading.Event()
    asked = []

    def slow() -> bytes:
        asked.append(1)
        gate.wait(0.1)
        return b"mug"

    found: list[bytes | None] = []
    readers = [threading.Thread(target=lambda: found.append(CACHE.get(1, slow))) for _ in range(20)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert found == [b"mug"] * 20
    assert len(asked) == 1


def test_many_keys_take_one_trip_and_load_only_what_is_missing() -> None:
    CACHE.get(1, Source(b"one"))
    wanted: list[Collection[str | int]] = []

    def load_many(keys: Collection[str | int]) -> Mapping[str | int, bytes]:
        wanted.append(list(keys))
        return {2: b"two"}

    assert CACHE.get_many([1, 2, 3], load_many) == {1: b"one", 2: b"two"}
    assert CACHE.get_many([1, 2, 3], load_many) == {1: b"one", 2: b"two"}
    assert wanted == [[2, 3]]


def test_redis_being_away_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise RedisConnectionError("away")

    monkeypatch.setattr("shop.cache.aside.cache_client", away)

    assert CACHE.get(1, Source(b"mug")) == b"mug"
    assert CACHE.get_many([1], lambda keys: {1: b"mug"}) == {1: b"mug"}
    CACHE.invalidate([1])


@pytest.fixture
def sent() -> Iterator[list[bytes]]:
    """What went to Redis, as it went."""
    packets: list[bytes] = []
    with seeing_trips(lambda _, packet: packets.append(packet)):
        yield packets


def test_scripts_are_sent_by_their_digest(sent: list[bytes]) -> None:
    CACHE.get(1, Source(b"mug"))
    CACHE.invalidate([1])
    sent.clear()

    assert CACHE.get(1, Source(b"jug")) == b"jug"
    CACHE.invalidate([1, 2])
    assert CACHE.get_many([1, 2], lambda keys: {1: b"urn"}) == {1: b"urn"}

    assert any(b"EVALSHA" in packet for packet in sent)
    assert not any(b"redis.call" in packet for packet in sent)


def test_a_kept_value_is_read_without_a_script(sent: list[bytes]) -> None:
    CACHE.get(1, Source(b"mug"))
    sent.clear()

    CACHE.get(1, Source(b"cup"))

    assert len(sent) == 1
    assert b"HMGET" in sent[0]
