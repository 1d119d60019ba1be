"""Holds that are given more time."""

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
