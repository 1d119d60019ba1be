"""What no log line says: values of personal fields, addresses of e-mail, numbers of cards."""

import re
from collections.abc import Mapping
from typing import Any

from structlog.types import EventDict

from shop.privacy.cards import without_card_numbers
from shop.privacy.registry import names_never_logged

HIDDEN = "[hidden]"
# Fields of the log line itself, or of things with a name that is nobody's.
_OURS = frozenset({"name", "key"})
_EMAIL = re.compile(r"[^\s@<>\"(),;:=\[\]{}]+@[^\s@<>\"'(),;:\[\]{}]+\.[^\W\d_]{2,}")
# What PostgreSQL tells of a row that it refused: "Key (email)=(…) already exists", "Failing row
# contains (…)".
_ROW = re.compile(r"(Key \([^)]*\)=|Failing row contains )\(.*\)")
_DIGITS = re.compile(r"\d{4}")


def redacted(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Take personal data out of a log line (a structlog processor; the last before rendering)."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: Any) -> Any:
    if value and name in names_never_logged() and name not in _OURS:
        return HIDDEN
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, Mapping):
        return {str(one): _clean(str(one), member) for one, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", member) for member in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean_text(str(value))


def _clean_text(text: str) -> str:
    if "@" in text:
        text = _EMAIL.sub("[e-mail]", text)
    if "(" in text:
        text = _ROW.sub(r"\1[hidden]", text)
    if _DIGITS.search(text):
        text = without_card_numbers(text)
    return text
