"""The circuit breaker, by a clock of its own."""

import time

import pytest

from shop.breaker import Breaker


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def opened() -> Breaker:
    breaker = Breaker()
    assert [breaker.failed() for _ in range(5)] == [False] * 4 + [True]
    return breaker


def test_five_failures_within_ten_seconds_open_it(clock: Clock) -> None:
    breaker = opened()

    assert breaker.is_open
    assert not breaker.may_call()


def test_failures_that_lie_further_apart_do_not(clock: Clock) -> None:
    breaker = Breaker()

    for _ in range(20):
        breaker.failed()
        clock.now += 2.6

    assert breaker.may_call()


def test_after_the_pause_one_caller_tries_and_the_others_wait_for_it(clock: Clock) -> None:
    breaker = opened()
    clock.now += 4.9
    assert not breaker.may_call()

    clock.now += 0.2

    assert [breaker.may_call() for _ in range(3)] == [True, False, False]


def test_its_success_closes_it_and_its_failure_is_another_pause(clock: Clock) -> None:
    breaker = opened()
    clock.now += 5.1
    assert breaker.may_call()
    assert breaker.failed() is False  # it was open before
    clock.now += 4.9
    assert not breaker.may_call()
    clock.now += 0.2
    assert breaker.may_call()

    assert breaker.succeeded() is True

    assert [breaker.may_call() for _ in range(3)] == [True] * 3
    assert breaker.succeeded() is False


def test_a_caller_who_never_comes_back_is_followed_by_another(clock: Clock) -> None:
    breaker = opened()
    clock.now += 5.1
    assert breaker.may_call()

    clock.now += 5.1

    assert breaker.may_call()


def test_once_closed_it_takes_five_again(clock: Clock) -> None:
    breaker = opened()
    clock.now += 5.1
    breaker.may_call()
    breaker.succeeded()

    assert [breaker.failed() for _ in range(5)] == [False] * 4 + [True]
