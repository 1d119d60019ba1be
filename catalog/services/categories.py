"""The tree of categories."""

from collections.abc import Sequence

from catalog.models import Category


def ensure_category(*, path: Sequence[str]) -> Category:
    """Return the category that these names lead to from the root, made where missing."""
    raise NotImplementedError
