"""Questions to a real Redis on a line of one's own: each gets its own answer."""

import pytest
from redis.exceptions import ResponseError

from shop.redis import ask, ask_each, cache_client


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
