"""How personal data is shown: masked or shortened, by its class."""

from collections.abc import Mapping
from typing import Any

from shop.privacy.registry import DataClass

# Parts of a postal address that many people share.
COARSE = frozenset({"city", "region", "country"})


def normal_email(email: str) -> str:
    """Return the form in which two spellings of one address are equal."""
    return email.strip().lower()


def mask_email(email: str) -> str:
    """Return `j***@e***.com` for `jane@example.com`: enough to recognise one's own."""
    local, _, domain = email.partition("@")
    name, _, top = domain.rpartition(".")
    if not local or not top:
        return "***"
    return f"{local[0]}***@{name[:1]}***.{top}"


def last4(number: str) -> str:
    """Return the last four digits of a phone or card number, or an empty string."""
    only_digits = [c for c in number if c.isdigit()]
    return "".join(only_digits[-4:])


def mask(value: Any, data_class: DataClass) -> str:
    """Return `value` as somebody sees it who may know that it is there, and not what it is.

    Empty stays empty. An address in parts keeps its city, region and country.
    """
    if not value:
        return ""
    if isinstance(value, Mapping):
        parts = (
            str(part) if name in COARSE else mask(part, DataClass.ADDRESS)
            for name, part in value.items()
            if part and name != "phone"
        )
        return ", ".join(parts)
    text = str(value)
    if data_class is DataClass.CONTACT:
        return mask_email(text) if "@" in text else f"…{last4(text)}"
    if data_class is DataClass.ADDRESS:
        return f"{text[0]}***"
    return "***"


def postal_document(address: Mapping[str, str], *, is_masked: bool = False) -> dict[str, object]:
    """Return a postal address as its owner sees it: of the telephone number, four digits.

    With `is_masked` as others do: city, region and country in full, of the rest a letter.
    """
    shown: dict[str, object] = {
        name: mask(text, DataClass.ADDRESS) if is_masked and name not in COARSE else text
        for name, text in address.items()
        if name != "phone"
    }
    shown["phone_last4"] = last4(address.get("phone", "")) or None
    return shown
