"""How a product is rated."""

from typing import Any


def rating_document(*, count: int, total: int) -> dict[str, Any]:
    """Return a product's rating as clients see it, to two digits."""
    return {"average": round(total / count, 2) if count else None, "count": count}
