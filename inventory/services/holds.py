"""Keeping a hold while its money is being written down."""

from django.db import connection

_CLAIM = """
SELECT coalesce(bool_or(state = 'RELEASED'), false) FROM (
    SELECT state FROM inventory_reservation
    WHERE reference = %s ORDER BY id FOR UPDATE
) mine
"""


def claim_hold(*, reference: str) -> bool:
    """Keep the hold of `reference` for the caller until its transaction ends; False if it is over.

    From here on nobody releases it or takes it over, and no stock is locked: `commit_stock` can
    come last. True for a reference that never held anything.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [reference])
        (is_over,) = cursor.fetchone()
    return not is_over
