"""Questions to a real Redis on a line of one's own: each gets its own answer."""

import time

import pytest
import redis
from django.conf import settings
from redis.exceptions import ResponseError

from shop.embedded.processes import free_port
from shop.redis import _client, ask, ask_each, cache_client


def test_several_questions_are_answered_in_their_order() -> None:
    client = cache_client()
    client.set("a", "1")
    client.set("c", "3")

    assert ask_each(client, [("GET", "a"), ("GET", "b"), ("GET", "c")]) == [b"1", None, b"3"]
    assert ask_each(client, [("GET", "a")]) == [b"1"]


def test_after_a_refusal_no_answer_is_taken_for_that_to_the_next_question() -> None:
    """Control: if the line stayed open, the last question would get the answer of the third."""
    client = cache_client()
    client.set("a", "1")
    client.set("c", "3")

    with pytest.raises(ResponseError):
        ask_each(client, [("GET", "a"), ("HGETALL", "a"), ("GET", "c")])

    assert ask(client, "GET", "a") == b"1"


def test_a_question_that_is_refused_alone_leaves_the_line_open() -> None:
    client = cache_client()
    client.set("a", "1")
    number = ask(client, "CLIENT", "ID")

    with pytest.raises(ResponseError):
        ask(client, "HGETALL", "a")

    assert ask(client, "CLIENT", "ID") == number


def test_a_silent_server_is_given_up_in_time_and_its_late_answer_is_nobodys() -> None:
    """Control: if the line stayed open, the last question would get the answer to the first."""
    client = _client(settings.REDIS_CACHE_URL, 0.2, (redis.ConnectionError,))
    client.set("a", "1")
    client.delete("queue")
    started = time.monotonic()

    with pytest.raises(redis.TimeoutError):
        ask(client, "BLPOP", "queue", 5)

    assert 0.15 < time.monotonic() - started < 3
    client.rpush("queue", "late")
    assert ask(client, "GET", "a") == b"1"


def test_a_line_that_the_server_closed_is_opened_anew() -> None:
    client = cache_client()
    number = ask(client, "CLIENT", "ID")
    client.execute_command("CLIENT", "KILL", "ID", number)

    assert ask(client, "CLIENT", "ID") != number


def test_a_server_that_is_away_is_an_error_of_its_kind() -> None:
    client = _client(f"redis://127.0.0.1:{free_port()}/0", 0.2)

    with pytest.raises(redis.ConnectionError):
        ask(client, "GET", "a")
