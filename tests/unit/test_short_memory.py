import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shop.cache.memory import ShortMemory


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the stopwatch, to be set forward by hand."""
    now = [time.monotonic()]
    monkeypatch.setattr("shop.cache.memory.time.monotonic", lambda: now[0])
    return now


def test_forgets_after_its_seconds(clock: list[float]) -> None:
    memory = ShortMemory[str, int](seconds=0.8, size=10)
    memory.put("a", 1)

    clock[0] += 0.79
    assert memory.get("a") == 1
    clock[0] += 0.02
    assert memory.get("a") is None


def test_counts_its_seconds_from_before_the_read(clock: list[float]) -> None:
    memory = ShortMemory[str, int](seconds=0.8, size=10)

    def slow() -> int:
        clock[0] += 0.5
        return 1

    memory.through("a", slow)
    clock[0] += 0.31

    assert memory.get("a") is None


def test_holds_no_more_than_its_size() -> None:
    memory = ShortMemory[int, int](seconds=60, size=2)

    for number in range(3):
        memory.put(number, number)

    assert [memory.get(number) for number in range(3)] == [None, 1, 2]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have others wait for the one who loads for as long as a busy machine may stand still."""
    monkeypatch.setattr("shop.cache.memory.PATIENCE_SECONDS", 60)


@pytest.mark.usefixtures("patience")
def test_of_many_who_miss_at_once_one_loads() -> None:
    memory = ShortMemory[str, int](seconds=60, size=10)
    is_asked, may_go_on = threading.Event(), threading.Event()
    asked = []

    def load() -> int:
        asked.append(1)
        is_asked.set()
        may_go_on.wait(60)
        return 7

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(memory.through, "a", load)
        assert is_asked.wait(60)
        others = [pool.submit(memory.through, "a", load) for _ in range(3)]
        time.sleep(0.05)
        may_go_on.set()
        assert [call.result(60) for call in (first, *others)] == [7] * 4

    assert len(asked) == 1


def test_who_waited_for_one_that_failed_loads_for_themselves() -> None:
    memory = ShortMemory[str, int](seconds=60, size=10)
    is_asked, may_fail = threading.Event(), threading.Event()

    def fail() -> int:
        is_asked.set()
        may_fail.wait(60)
        raise OSError("away")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(memory.through, "a", fail)
        assert is_asked.wait(60)
        second = pool.submit(memory.through, "a", lambda: 7)
        time.sleep(0.05)
        may_fail.set()
        with pytest.raises(OSError, match="away"):
            first.result(60)
        assert second.result(60) == 7


def test_a_look_that_found_nothing_is_no_answer_for_one_who_looks_further() -> None:
    """Control: shared, the None of a peek would tell a reader that the thing is not there."""
    memory = ShortMemory[str, int](seconds=60, size=10)
    is_asked, may_go_on = threading.Event(), threading.Event()

    def find_nothing() -> None:
        is_asked.set()
        may_go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(memory.through, "a", find_nothing)
        assert is_asked.wait(60)
        second = pool.submit(memory.through, "a", lambda: 7)
        time.sleep(0.05)
        may_go_on.set()
        assert (first.result(60), second.result(60)) == (None, 7)


def test_what_was_dropped_while_it_was_read_is_not_remembered() -> None:
    memory = ShortMemory[str, int](seconds=60, size=10)

    def load_while_it_changes() -> int:
        memory.drop("a")
        return 1

    assert memory.through("a", load_while_it_changes) == 1
    assert memory.get("a") is None
