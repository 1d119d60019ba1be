"""How personal data is shown and compared: masked, shortened, or as a keyed hash."""

import hashlib
import hmac

from django.conf import settings


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


def email_hash(email: str) -> str:
    """Return the keyed hash (HMAC-SHA256, hex) under which an address can be looked up.

    A plain hash of an address can be reversed by a dictionary; without the key this one cannot.
    """
    key = settings.SHOP_EMAIL_HASH_KEY.encode()
    return hmac.new(key, normal_email(email).encode(), hashlib.sha256).hexdigest()


def keyed_digest(purpose: str, content: bytes) -> str:
    """Return a digest (HMAC-SHA256, hex) that tells contents apart, for one purpose only.

    Who has the digest and not the key can try out no guess: contents may hold passwords.
    """
    key = f"{purpose}:{settings.SHOP_EMAIL_HASH_KEY}".encode()
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def last4(number: str) -> str:
    """Return the last four digits of a phone or card number, or an empty string."""
    only_digits = [c for c in number if c.isdigit()]
    return "".join(only_digits[-4:])
