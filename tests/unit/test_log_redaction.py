"""Log lines hold no values of personal fields, no e-mail addresses, no card numbers."""

import logging
from typing import Any

import pytest
import structlog

from shop.observe.logs import console_formatter, json_formatter
from shop.observe.redaction import HIDDEN, redacted


def cleaned(**event: Any) -> Any:
    return redacted(None, "info", event)


@pytest.mark.parametrize("name", ["email", "phone", "full_name", "line1", "password", "token"])
def test_values_of_personal_fields_are_hidden(name: str) -> None:
    assert cleaned(**{name: "anything"}) == {name: HIDDEN}
    assert cleaned(facts={"deep": [{name: "anything"}]}) == {"facts": {"deep": [{name: HIDDEN}]}}
    assert cleaned(**{name: ""}) == {name: ""}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("to jane.o'neil+x@mail.example.co.uk failed", "to [e-mail] failed"),
        ("<jane@example.com>", "<[e-mail]>"),
        ("Key (email)=(jane@example.com) already exists.", "Key (email)=[hidden] already exists."),
        ("Failing row contains (1, Ada Byron, +447700900123).", "Failing row contains [hidden]."),
        ("paid with 4111-1111-1111-1111", "paid with [card]"),
        ("postgresql://shop@127.0.0.1:1/shop", "postgresql://shop@127.0.0.1:1/shop"),
        ("celery@worker-1 ready", "celery@worker-1 ready"),
        ("order 5XK2M8QW1Z in 1234.5 ms", "order 5XK2M8QW1Z in 1234.5 ms"),
    ],
)
def test_texts_are_looked_through(text: str, left: str) -> None:
    assert cleaned(event=text) == {"event": left}


def test_what_is_no_personal_data_stays() -> None:
    line = {"event": "request", "route": "api/v1/me", "status": 200, "ms": 1.5, "problem": None}

    assert cleaned(**line) == line
    assert cleaned(error=ValueError("of jane@example.com")) == {"error": "of [e-mail]"}


@pytest.mark.parametrize("formatter", [json_formatter, console_formatter])
def test_both_forms_of_the_log_are_looked_through_tracebacks_included(formatter: Any) -> None:
    record = logging.LogRecord("django", 40, __file__, 1, "no %s", ("jane@example.com",), None)
    try:
        raise ValueError("Key (email)=(jane@example.com) already exists.")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)

    line = formatter().format(record)

    assert "jane" not in line
    assert "ValueError: Key (email)=[hidden] already exists." in line
    structlog.contextvars.clear_contextvars()
