"""Names in addresses, made from names for people."""

import re
import unicodedata
from collections.abc import Collection

from django.db import models
from django.utils.text import slugify

SLUG = re.compile(r"[-\w]{1,255}")
# What stands below /products/ in addresses of the API: no product could be asked for by these.
RESERVED = frozenset({"bulk", "suggest"})


def slug_from(name: str, *, fallback: str) -> str:
    """Return what `name` looks like in an address: in ASCII, or in its own script."""
    plain = unicodedata.normalize("NFKC", name)
    return slugify(plain) or slugify(plain, allow_unicode=True) or fallback


def free_slug(base: str, *, longest: int, of: Collection[type[models.Model]]) -> str:
    """Return `base`, or `base` with the first number that makes it free in all these tables."""
    base = base[: longest - 8]
    taken = set(RESERVED)
    for model in of:
        taken.update(
            model._default_manager.filter(slug__startswith=base).values_list("slug", flat=True)
        )
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
