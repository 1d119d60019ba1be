"""JSON in and out by orjson: fast, and strict about NaN, depth and broken Unicode."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any

import orjson
from django.core.exceptions import RequestDataTooBig
from django.utils.functional import Promise
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from shop.errors import Malformed, Refusal
from shop.money import Money
from shop.privacy.cards import refuse_card_numbers

DEEPEST = 32  # levels of nesting; no route needs more than five
MOST_VALUES = 50_000  # members and elements of a body; no bulk route needs half of that

# Also a string without an end, so that nothing is gone through twice.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


class BodyTooLarge(Refusal):
    """More bytes than this route reads."""

    kind = "too_large"
    code = "body_too_large"
    title = "The request body is too large"


def _unusual(value: Any) -> Any:
    if isinstance(value, Money):
        return value.as_json()
    if isinstance(value, Promise | Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value))


def dumps(value: Any) -> bytes:
    """Render `value`. Aware times become RFC 3339 in UTC with `Z`, money its decimal string."""
    return orjson.dumps(
        _in_utc(value),
        default=_unusual,
        option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_NON_STR_KEYS,
    )


def _in_utc(value: Any) -> Any:
    # orjson keeps a time's own offset; the contract says UTC. Database times are UTC already, so
    # only a bare time needs a look here.
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def _refuse_excess(raw: bytes) -> None:
    """Raise Malformed for what is too deep or has too many values, before anything is built of it.

    Done by the few calls that run through the bytes in C: refusing must cost less than reading.
    """
    may_be_deep = raw.count(b"[") + raw.count(b"{") > DEEPEST
    if not may_be_deep and raw.count(b",") < MOST_VALUES:
        return
    bare = _STRINGS.sub(b"", raw)
    if bare.count(b",") >= MOST_VALUES:
        raise Malformed(f"The body has more than {MOST_VALUES:,} values.")
    # Only brackets, all of one kind: each round takes away the innermost of what is left.
    left, levels = bare.translate(_ONE_KIND, _NO_BRACKETS), 0
    while b"[]" in left and levels < DEEPEST:
        left, levels = left.replace(b"[]", b""), levels + 1
    if left:
        raise Malformed(f"The body is not JSON, or is nested deeper than {DEEPEST} levels.")


def loads(raw: bytes) -> Any:
    """Read one JSON text. Raises Malformed for anything else, NaN and deep nesting included."""
    _refuse_excess(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error.msg}.") from None


def read_body(raw: bytes) -> Any:
    """Read the body of a request. Raises Malformed, and CardNumberNotAccepted."""
    body = loads(raw)
    # Here, before anybody else sees it: not even a hash of it is kept under a key.
    refuse_card_numbers(body)
    return body


class JsonParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            raw = stream.read()
        except RequestDataTooBig:
            raise BodyTooLarge("The body is larger than this route reads.") from None
        return read_body(raw)


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else dumps(data)
