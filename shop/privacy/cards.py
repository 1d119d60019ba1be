"""Card numbers, which no text of any request may hold: found, and told where, never repeated.

A number is 13 to 19 digits that pass Luhn's check, in one piece or with blanks, dots and hyphens
between them, also where more digits follow (an expiry date). One in ten numbers of that length
passes by chance, so long hexadecimal words with letters in them are not looked at, and fields that
hold such numbers by trade are told apart by name:

* `LONG_NUMBERS` hold numbers of others' making and are not looked at;
* `CODES` hold article numbers, often EAN-13 or GTIN-14, or what somebody scanned to search: there
  only what begins and is as long as cards of some brand counts, and a right GTIN does not.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from shop.errors import FieldError, Malformed

LONG_NUMBERS = frozenset({"phone", "tracking_number", "cursor"})
CODES = frozenset({"sku", "skus", "barcode", "gtin", "q", "external_ref"})

_SEPARATORS = r"[ \u00a0\u2007\u202f.\-\u2010\u2011\u2013]?"
_RUN = re.compile(rf"\d(?:{_SEPARATORS}\d){{12,}}")
# What machines make up: digests, random names. One in some hundreds holds such digits by chance.
_LONG_HEX = r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])[0-9a-f]{24,}(?![0-9A-Za-z])"
_HEX = re.compile(_LONG_HEX)
# What logs hold besides: ids with a letter in them, and seconds that somebody measured.
_LOGGED = re.compile(
    rf"({_LONG_HEX}"
    r"|(?<![0-9A-Za-z])(?=[0-9-]*[a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])"
    r"|(?<![0-9.])0\.[0-9]{13,}(?![0-9.]))"
)
_GROUP = re.compile(r"\d+")
_SHORTEST, _LONGEST = 13, 19
# Prefix and lengths: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro.
_BRAND = re.compile(
    r"4\d{12}(?:\d{3}(?:\d{3})?)?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12,17}"
    r"|35\d{14,17}|6(?:011|4|5)\d{12,15}|(?:62|81)\d{14,17}|(?:5[06-9]|6)\d{11,18}"
)


class CardNumberNotAccepted(Malformed):
    """A text holds the number of a payment card. Payments carry a provider's token instead."""

    code = "card_number_not_accepted"
    title = "Card numbers are not taken here"


def refuse_card_numbers(body: Any) -> None:
    """Raise CardNumberNotAccepted where any text, number or name in `body` is a card's number.

    Its pointer says where; nothing says what.
    """
    for pointer in _found(body, pointer="", field=""):
        raise CardNumberNotAccepted(
            "Never send a card number: pay with a token of the payment provider.",
            errors=[
                FieldError(pointer, CardNumberNotAccepted.code, "This looks like a card number.")
            ],
        )


def holds_card_number(text: str, *, field: str = "") -> bool:
    """Tell whether a card's number is in this text, which is the value of `field`."""
    if field in LONG_NUMBERS or len(text) < _SHORTEST or _is_uuid(text):
        return False
    for candidate in _candidates(_HEX.sub("|", unicodedata.normalize("NFKC", text))):
        if candidate[0] == "0" or not _passes_luhn(candidate):
            continue
        if field not in CODES or (_BRAND.fullmatch(candidate) and not _is_gtin(candidate)):
            return True
    return False


def without_card_numbers(text: str) -> str:
    """Return the text with each number of a card, or what could be one, taken out: for logs."""
    parts = _LOGGED.split(text)  # each second one is nobody's number
    parts[::2] = [
        _RUN.sub(lambda run: "[card]" if holds_card_number(run[0]) else run[0], part)
        for part in parts[::2]
    ]
    return "".join(parts)


def _found(value: Any, *, pointer: str, field: str) -> Iterator[str]:
    if isinstance(value, str):
        if holds_card_number(value, field=field):
            yield pointer
    elif isinstance(value, bool):
        return
    elif isinstance(value, int | float):
        # A key is a number that is never kept as text; the API's are sequences, and tests' are not.
        if field == "id" or field.endswith(("_id", "_ids")):
            return
        if abs(value) >= 10 ** (_SHORTEST - 1) and holds_card_number(f"{value:.0f}", field=field):
            yield pointer
    elif isinstance(value, Mapping):
        for name, member in value.items():
            if holds_card_number(str(name)):
                yield pointer or "/"
            else:
                yield from _found(member, pointer=f"{pointer}/{name}", field=str(name))
    elif isinstance(value, list | tuple):
        for place, member in enumerate(value):
            yield from _found(member, pointer=f"{pointer}/{place}", field=field)


def _candidates(text: str) -> Iterator[str]:
    """Yield each run of digits that could be one number: a whole group, or groups put together."""
    for run in _RUN.finditer(text):
        groups = _GROUP.findall(run[0])
        for start in range(len(groups)):
            digits = ""
            for group in groups[start:]:
                digits += group
                if len(digits) > _LONGEST:
                    break
                if len(digits) >= _SHORTEST:
                    yield digits


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _is_gtin(digits: str) -> bool:
    """Tell whether these are a right EAN-13 or GTIN-14, by the last digit."""
    if len(digits) not in {13, 14}:
        return False
    weighed = (int(d) * (3 if place % 2 else 1) for place, d in enumerate(reversed(digits)))
    return sum(weighed) % 10 == 0


def _is_uuid(text: str) -> bool:
    if len(text) != 36:
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True
