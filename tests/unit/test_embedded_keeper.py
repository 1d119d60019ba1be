"""When a server that ended is started again, and when there is no going on."""

from typing import Any
from unittest import mock

import pytest

from shop.embedded.errors import CannotRun
from shop.embedded.keeper import ATTEMPTS, HEALTHY_SECONDS, Keeper
from shop.embedded.postgres import READY_SECONDS, Postgres


def make_server() -> Any:
    """Return a server that runs; `process.poll` and `is_ready` say how it is."""
    server = mock.create_autospec(Postgres, instance=True)
    server.process = mock.Mock()
    server.process.poll.return_value = None
    server.is_ready.return_value = True
    return server


def ends(server: Any, code: int | None = -9) -> None:
    server.process.poll.return_value = code


def test_a_server_that_runs_is_left_alone() -> None:
    server = make_server()

    assert [Keeper([server]).look_after(now) for now in (0.0, 1.0)] == [[], []]

    server.start_again.assert_not_called()


def test_it_is_started_at_once_and_told_when_it_is_back() -> None:
    server = make_server()
    keeper = Keeper([server])
    keeper.look_after(0)
    ends(server)

    assert keeper.look_after(100) == [
        "PostgreSQL ended (killed by SIGKILL); starting it again in 0 s"
    ]
    assert keeper.look_after(100.1) == []
    server.start_again.assert_called_once_with()
    ends(server, None)
    server.is_ready.return_value = False
    assert keeper.look_after(101) == []
    server.is_ready.return_value = True

    assert keeper.look_after(102.5) == ["PostgreSQL is back after 2.5 s"]
    assert keeper.look_after(103) == []


def test_the_pauses_grow_and_then_there_is_no_going_on() -> None:
    server = make_server()
    server.complaint.return_value = "the disk is full."
    keeper = Keeper([server])
    keeper.look_after(0)
    ends(server, 1)

    told = [text for tick in range(2 * ATTEMPTS) for text in keeper.look_after(100.0 + 10 * tick)]
    with pytest.raises(CannotRun, match="does not come back: the disk is full"):
        keeper.look_after(300)

    pauses = [text.split()[-2] for text in told]
    assert pauses == ["0", "1", "3", "7", "8"]
    assert server.start_again.call_count == ATTEMPTS


def test_whoever_stayed_up_begins_anew() -> None:
    server = make_server()
    keeper = Keeper([server])
    keeper.look_after(0)

    now = 0.0
    for _ in range(ATTEMPTS + 3):
        now += HEALTHY_SECONDS
        ends(server)
        assert "in 0 s" in keeper.look_after(now)[0]
        keeper.look_after(now + 1)
        ends(server, None)
        keeper.look_after(now := now + 2)

    assert server.start_again.call_count == ATTEMPTS + 3


def test_one_that_comes_up_each_time_is_started_for_ever_after_growing_pauses() -> None:
    server = make_server()
    keeper = Keeper([server])
    keeper.look_after(0)

    now, pauses = 100.0, []
    for _ in range(2 * ATTEMPTS):
        ends(server)
        pauses.append(keeper.look_after(now)[0].split()[-2])
        keeper.look_after(now := now + 10)
        ends(server, None)
        keeper.look_after(now := now + 1)
        now += 3

    assert pauses == ["0", "1", "3", "7", "8", "8", "8", "8", "8", "8"]
    assert server.start_again.call_count == 2 * ATTEMPTS


def test_one_that_never_gets_ready_is_not_waited_for_for_ever() -> None:
    server = make_server()
    keeper = Keeper([server])
    keeper.look_after(0)
    ends(server)
    keeper.look_after(1)
    keeper.look_after(2)
    ends(server, None)
    server.is_ready.return_value = False

    assert keeper.look_after(READY_SECONDS) == []
    with pytest.raises(CannotRun, match="not ready"):
        keeper.look_after(READY_SECONDS + 3)
