"""Keyed hashes: addresses that can be looked up and not read, contents that can be compared."""

import hashlib
import hmac

from django.conf import settings

from shop.privacy.showing import normal_email


def email_hash(email: str) -> str:
    """Return the keyed hash (HMAC-SHA256, hex) under which an address is kept: by the newest key.

    A plain hash of an address can be reversed by a dictionary; without the key this one cannot.
    """
    return _hash(settings.SHOP_EMAIL_HASH_KEYS[0], email)


def email_hashes(email: str) -> list[str]:
    """Return the hashes under which the address may be kept, by every key that is still read."""
    return [_hash(key, email) for key in settings.SHOP_EMAIL_HASH_KEYS]


def keyed_digest(purpose: str, content: bytes) -> str:
    """Return a digest (HMAC-SHA256, hex) that tells contents apart, for one purpose only.

    Who has the digest and not the key can try out no guess: contents may hold passwords.
    """
    key = f"{purpose}:{settings.SHOP_DIGEST_KEY}".encode()
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _hash(key: str, email: str) -> str:
    return hmac.new(key.encode(), normal_email(email).encode(), hashlib.sha256).hexdigest()
