"""What is personal, how it is shown and compared, who looked at it, and what is never taken in."""

from shop.privacy.hashing import email_hash, email_hashes, keyed_digest
from shop.privacy.registry import DataClass
from shop.privacy.showing import last4, mask, mask_email, normal_email, postal_document

__all__ = [
    "DataClass",
    "email_hash",
    "email_hashes",
    "keyed_digest",
    "last4",
    "mask",
    "mask_email",
    "normal_email",
    "postal_document",
]
