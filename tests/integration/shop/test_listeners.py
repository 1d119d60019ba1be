"""A listener whose database, store or mail server is away comes again; one with a bug does not."""

import smtplib
from typing import Any
from unittest import mock

import pytest
from celery import Task
from django.db import InterfaceError, OperationalError
from redis.exceptions import ConnectionError as RedisAway

from cart.errors import CartUnavailable
from orders.tasks import send_confirmation
from shop.outbox.listeners import LONGEST_PAUSE_SECONDS, PAUSES_SECONDS

SERVICE = "orders.services.send_confirmation"
MESSAGE = {"message_id": "7", "payload": {"v": 1, "order_id": 7}}


def listen(*outcomes: Exception | None) -> tuple[str, int, list[float]]:
    """Have the service fail so; return the state, how often it was called, and the pauses."""
    pauses: list[float] = []
    come_again = Task.retry

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        pauses.append(kwargs["countdown"])
        return come_again(self, *args, **kwargs)

    with (
        mock.patch(SERVICE, side_effect=outcomes) as service,
        mock.patch.object(Task, "retry", noted),
    ):
        state = send_confirmation.apply(kwargs=MESSAGE, throw=False).state
    return state, service.call_count, pauses


@pytest.mark.parametrize(
    "away",
    [OperationalError(), InterfaceError(), RedisAway(), CartUnavailable("Away.", retry_after=1)],
    ids=lambda error: type(error).__name__,
)
def test_it_comes_again_until_what_it_needs_is_back(away: Exception) -> None:
    # Control: without the base class the message is gone after the first failure.
    state, calls, pauses = listen(*[away] * 9, None)

    assert (state, calls) == ("SUCCESS", 10)
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert pauses[0] <= 1


def test_somebody_elses_server_gets_three_more_chances() -> None:
    away = smtplib.SMTPServerDisconnected("gone")

    assert listen(away, away, away, None) == ("SUCCESS", 4, list(PAUSES_SECONDS))
    state, calls, _ = listen(*[away] * 9)
    assert (state, calls) == ("FAILURE", 4)


@pytest.mark.parametrize("bug", [KeyError("x"), AssertionError(), TypeError()])
def test_a_bug_is_not_tried_again(bug: Exception) -> None:
    assert listen(bug, None) == ("FAILURE", 1, [])
