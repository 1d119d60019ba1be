"""The gate before a flash sale: it refuses early, sets the pace, and forgets nobody for long.

Time is the server's, so a test moves what the gate remembers instead of the clock.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import cast
from unittest import mock

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from inventory.store import gate
from inventory.store.gate import Pace, Word
from shop.redis import limiter

WIDE = Pace(sale_id=7, per_second=10_000, at_once=1000, kept_ms=60_000)
ONE = Pace(sale_id=7, per_second=10_000, at_once=1, kept_ms=60_000)


def enter(name: str, *, pace: Pace = WIDE, ticket: str = "", left: int | None = None) -> Word:
    return gate.enter(
        pace, key=f"key-{name}", holder=name, ticket=ticket, new_ticket=f"t-{name}", left=left
    )


def states(*names: str, pace: Pace = WIDE) -> list[str]:
    return [enter(name, pace=pace).state for name in names]


def leave(name: str, *, pace: Pace = WIDE, forgets: bool = False) -> None:
    gate.leave(pace, key=f"key-{name}", forgets=forgets)


def age(part: str, *, milliseconds: int, sale_id: int = 7) -> None:
    """Let what a sorted set remembers have happened so much earlier."""
    key = f"sale:{{{sale_id}}}:{part}"
    for member in cast(list[bytes], limiter().zrange(key, 0, -1)):
        limiter().zincrby(key, -milliseconds, member.decode())


@pytest.fixture(autouse=True)
def _as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the gate believe what it was told until a test makes that older."""
    for name in ("SOLD_OUT_MS", "FRESH_MS", "ASKING_MS"):
        monkeypatch.setattr(gate, name, 60_000)


@contextmanager
def later(milliseconds: int) -> Iterator[None]:
    """Let what was said of the units left be so old."""
    limiter().hincrby("sale:{7}:gate", "left_at", -milliseconds)
    yield


class TestLettingIn:
    def test_asks_one_caller_what_is_left_and_keeps_nobody_waiting_for_it(self) -> None:
        assert states("ada", "bob") == ["ask", "pass"]
        assert enter("ada", left=5).state == "pass"

    def test_has_a_few_tries_for_each_unit_and_lets_the_others_wait(self) -> None:
        assert enter("a", left=2).state == "pass"

        assert states("b", "c", "d") == ["pass", "pass", "waiting"]

    def test_takes_a_try_back_that_came_to_nothing(self) -> None:
        enter("a", left=1)
        assert states("b", "c") == ["pass", "waiting"]

        leave("a")

        assert enter("c").state == "pass"  # its ticket came up, and it is the holder

    def test_stops_waiting_for_a_request_that_was_killed(self) -> None:
        enter("a", left=5, pace=ONE)
        assert states("b", pace=ONE) == ["waiting"]

        age("flight", milliseconds=gate.FLIGHT_MS)

        assert states("b", pace=ONE) == ["pass"]

    def test_knows_a_request_again_whatever_is_left(self) -> None:
        enter("a", left=1)
        leave("a")
        gate.note_left(sale_id=7, units=0)

        assert states("a", "b") == ["pass", "sold_out"]

        leave("a", forgets=True)
        assert states("a") == ["sold_out"]

    def test_keeps_the_pace(self) -> None:
        slow = Pace(sale_id=7, per_second=10, at_once=1000, kept_ms=60_000)
        gate.note_left(sale_id=7, units=1000)

        began = time.monotonic()
        let_in = states(*[f"n{number}" for number in range(10)], pace=slow).count("pass")
        gone_by = time.monotonic() - began

        assert 1 <= let_in <= 4 + gone_by / 0.1  # one each 100 ms, and a little slack


class TestSoldOut:
    def test_is_remembered_for_a_second_and_then_looked_at_by_one(self) -> None:
        enter("a", left=0)
        assert states("b", "c") == ["sold_out", "sold_out"]

        with later(gate.SOLD_OUT_MS):
            assert states("d", "e") == ["ask", "sold_out"]
        assert enter("d", left=1).state == "pass"

    def test_is_over_as_soon_as_units_come_back(self) -> None:
        enter("a", left=0)

        gate.note_left(sale_id=7, units=1)

        assert states("b") == ["pass"]


class TestWaiting:
    def waiting(self, *names: str) -> list[Word]:
        enter("first", left=100, pace=ONE)
        return [enter(name, pace=ONE) for name in names]

    def test_is_first_come_first_served(self) -> None:
        words = self.waiting("a", "b", "c")
        assert [word.position for word in words] == [1, 2, 3]
        assert words[2].wait_ms >= words[0].wait_ms > 0

        leave("first", pace=ONE)

        assert [enter("late", pace=ONE).state, enter("b", pace=ONE).position] == ["waiting", 1]
        assert gate.poll(ONE, ticket="t-a").state == "admitted"
        assert enter("a", pace=ONE, ticket="t-a").state == "pass"

    def test_has_one_place_for_a_holder(self) -> None:
        self.waiting("a")

        again = gate.enter(ONE, key="another", holder="a", ticket="", new_ticket="t-a2")

        assert (again.ticket, again.position, again.waiting) == ("t-a", 1, 1)

    def test_a_ticket_is_used_once(self) -> None:
        self.waiting("a", "b")
        leave("first", pace=ONE)
        assert enter("x", pace=ONE, ticket="t-a").state == "pass"
        leave("x", pace=ONE)

        assert gate.poll(ONE, ticket="t-a") == Word("gone", why="used")
        assert enter("y", pace=ONE, ticket="t-a").state == "waiting"
        assert gate.poll(ONE, ticket="t-b").state == "admitted"

    def test_a_ticket_that_is_not_used_makes_room(self) -> None:
        self.waiting("a", "b")
        leave("first", pace=ONE)
        assert gate.poll(ONE, ticket="t-a").state == "admitted"
        assert gate.poll(ONE, ticket="t-b").position == 1

        age("admitted", milliseconds=gate.ADMITTED_MS)

        assert gate.poll(ONE, ticket="t-b").state == "admitted"
        assert gate.poll(ONE, ticket="t-a") == Word("gone", why="lapsed")

    def test_who_does_not_ask_any_more_is_passed_over(self) -> None:
        self.waiting("a", "b")
        age("seen", milliseconds=gate.ABSENT_MS + 1000)
        assert gate.poll(ONE, ticket="t-b").state == "waiting"

        leave("first", pace=ONE)

        assert gate.poll(ONE, ticket="t-b").state == "admitted"
        assert gate.poll(ONE, ticket="t-a").state == "gone"

    def test_ends_at_once_when_all_is_sold(self) -> None:
        self.waiting("a")

        gate.note_left(sale_id=7, units=0)

        assert gate.poll(ONE, ticket="t-a").state == "sold_out"
        gate.note_left(sale_id=7, units=1)
        assert gate.poll(ONE, ticket="t-a") == Word("gone", why="sold_out")

    def test_a_ticket_that_was_used_in_vain_is_good_again(self) -> None:
        self.waiting("a")
        leave("first", pace=ONE)
        assert enter("a", pace=ONE, ticket="t-a").state == "pass"

        gate.leave(ONE, key="key-a", forgets=True, holder="a", gives_back="t-a")

        assert gate.poll(ONE, ticket="t-a").state == "admitted"

    def test_begins_before_the_sale_and_admits_nobody_until_then(self) -> None:
        early = Pace(sale_id=7, per_second=1000, at_once=10, kept_ms=60_000, opens_in_ms=5000)
        words = [gate.queue_up(early, holder=name, new_ticket=f"t-{name}") for name in ("a", "b")]
        assert [word.position for word in words] == [1, 2]
        assert words[0].wait_ms >= 5000

        gate.note_left(sale_id=7, units=10)
        assert gate.poll(WIDE, ticket="t-b").state == "admitted"

    def test_tells_how_long_by_the_pace_that_was_measured(self) -> None:
        self.waiting("a")
        key = "sale:{7}:pace"
        limiter().delete(key)
        now = int(time.time() * 1000)
        limiter().rpush(key, *[now - 2000 * number for number in range(1, 6)])  # one each 2 s

        word = gate.poll(ONE, ticket="t-a")

        assert 1500 <= word.wait_ms <= 2500


def test_a_store_that_was_wiped_lets_everybody_begin_again() -> None:
    enter("a", left=0)
    enter("first", left=100, pace=ONE)
    enter("b", pace=ONE)

    limiter().flushdb()

    assert gate.poll(WIDE, ticket="t-b").state == "admitted"
    assert states("a") == ["ask"]


def test_staff_see_what_it_did() -> None:
    enter("a", left=5, pace=ONE)
    enter("b", pace=ONE)
    gate.note_left(sale_id=7, units=0)
    enter("c", pace=ONE)

    seen = gate.state_of(7)

    assert (seen.left, seen.in_flight, seen.waiting) == (0, 1, 1)
    assert seen.sums == {"admitted": 1, "waited": 1, "refused": 1}


def test_a_store_that_is_away_is_an_error_for_the_service_to_open_the_gate() -> None:
    nobody = redis.Redis(port=1, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))

    with mock.patch.object(gate, "limiter", return_value=nobody), pytest.raises(redis.RedisError):
        enter("a")


class Shelf:
    """The database, as far as the gate is concerned: it grants, and tells what is left."""

    def __init__(self, units: int) -> None:
        self.left = units
        self._lock = threading.Lock()

    def grant(self) -> bool:
        with self._lock:
            if not self.left:
                return False
            self.left -= 1
            gate.note_left(sale_id=7, units=self.left)
            return True


@pytest.mark.parametrize("trouble", ["none", "errors", "kills"])
def test_nobody_is_refused_while_a_unit_is_left_whatever_went_wrong(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "FLIGHT_MS", 100)  # a killed request makes room so soon
    monkeypatch.setattr(gate, "ADMITTED_MS", 1000)
    pace = Pace(sale_id=7, per_second=5000, at_once=4, kept_ms=60_000)
    shelf = Shelf(10)
    refused_with: list[int] = []

    def shop(number: int) -> str:
        dice = random.Random(number)
        tries = 0
        while True:
            tries += 1
            name = f"{number}-{tries}"
            ask = partial(
                gate.enter, pace, key=name, holder=f"{number}", ticket="", new_ticket=f"t{name}"
            )
            word = ask()
            if word.state == "ask":
                word = ask(left=shelf.left)
            if word.state == "sold_out":
                refused_with.append(shelf.left)
                return "refused"
            if word.state != "pass":
                time.sleep(0.02)
                continue
            fails = trouble != "none" and dice.random() < 0.7
            is_sold = not fails and shelf.grant()
            if not (fails and trouble == "kills"):
                gate.leave(pace, key=name, forgets=not is_sold)
            if fails:
                return "failed"
            if not is_sold:
                refused_with.append(shelf.left)
            return "sold" if is_sold else "refused"

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(shop, range(80)))

    assert outcomes["sold"] == 10
    assert shelf.left == 0
    assert set(refused_with) <= {0}
    assert outcomes["refused"] == 70 - outcomes["failed"]
