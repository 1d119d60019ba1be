"""Who edits must have seen what is there now."""

from collections.abc import Collection

from shop.errors import VersionMismatch


def require_version(current: int, wanted: Collection[int] | None) -> None:
    """Refuse an edit by somebody who has seen another version; None: any will do.

    Call it under the lock. Raises VersionMismatch.
    """
    if wanted is not None and current not in wanted:
        raise VersionMismatch("It has changed since you read it: read it again.")
