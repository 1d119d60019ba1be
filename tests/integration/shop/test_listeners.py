"""A listener whose database, store or mail server is away comes again; one with a bug does not."""

import smtplib
from typing import Any
from unittest import mock

import pytest
from celery import Task
from django.conf import settings
from django.db import InterfaceError, OperationalError
from redis.exceptions import ConnectionError as RedisAway

from cart.errors import CartUnavailable
from orders.tasks import send_cancellation
from shop.outbox.listeners import LONGEST_PAUSE_SECONDS, PAUSES_SECONDS

SERVICE = "orders.services.send_cancellation"
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
        state = send_cancellation.apply(kwargs=MESSAGE, throw=False).state
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
    assert pauses[0] <= 2
    assert min(pauses) >= 1  # RabbitMQ refuses less: tests/integration/shop/test_retries.py


def test_somebody_elses_server_gets_half_an_hour() -> None:
    away = smtplib.SMTPServerDisconnected("gone")

    assert listen(away, away, away, None) == ("SUCCESS", 4, [60, 60, 60])
    state, calls, _ = listen(*[away] * 40)
    assert (state, calls) == ("FAILURE", 31)


def test_no_pause_is_so_long_that_the_broker_gives_the_message_out_again() -> None:
    # Control: pauses of 300 and 1500 s were, to every worker in turn, each with chances of its own.
    gives_out_again = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]

    assert isinstance(gives_out_again, int)
    assert max(*PAUSES_SECONDS, LONGEST_PAUSE_SECONDS) <= gives_out_again / 2


@pytest.mark.parametrize("bug", [KeyError("x"), AssertionError(), TypeError()])
def test_a_bug_is_not_tried_again(bug: Exception) -> None:
    assert listen(bug, None) == ("FAILURE", 1, [])
