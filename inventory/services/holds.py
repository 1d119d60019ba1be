"""Holds that are given more time, and kept while their money is being written down."""

from datetime import datetime

from django.db import connection

# The holds are claimed first, as by a commit or a release: of those that cross, one finds what the
# other has left. No stock is locked, as no counter changes. All of them, or none.
_EXTEND = """
WITH mine AS MATERIALIZED (
    SELECT id, state FROM inventory_reservation
    WHERE reference = %(reference)s ORDER BY id FOR UPDATE
), extended AS (
    UPDATE inventory_reservation r SET expires_at = %(until)s::timestamptz
    FROM mine m
    WHERE r.id = m.id AND NOT EXISTS (SELECT FROM mine WHERE state <> 'HELD')
      AND r.expires_at < %(until)s::timestamptz
)
SELECT coalesce(bool_and(state = 'HELD'), true) FROM mine
"""

_CLAIM = """
SELECT coalesce(bool_or(state = 'RELEASED'), false) FROM (
    SELECT state FROM inventory_reservation
    WHERE reference = %s ORDER BY id FOR UPDATE
) mine
"""


def extend_hold(*, reference: str, until: datetime) -> bool:
    """Have everything that is held for `reference` stay so until then; False if some is no more.

    Nothing has changed in that case. A hold never becomes shorter, and one that is past its end and
    that nobody has taken over is as good as any. A reference that never held anything has nothing
    to lose: True. Safe to repeat. Joins the caller's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXTEND, {"reference": reference, "until": until})
        (is_held,) = cursor.fetchone()
    return bool(is_held)


def claim_hold(*, reference: str) -> bool:
    """Keep the hold of `reference` for the caller until its transaction ends; False if it is over.

    From here on nobody releases it or takes it over, and no stock is locked: `commit_stock` can
    come last. True for a reference that never held anything.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [reference])
        (is_over,) = cursor.fetchone()
    return not is_over
