"""Sales that are undone before anything of them has left the house."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import connection, transaction

from inventory.services.admission import tell_gate
from inventory.services.counters import fill_owed, locked_levels, tell_of_change

# The stock is locked before this, as by all who bring an owed promise to its end: those fill it.
_END_OWED = """
WITH ended AS (
    UPDATE inventory_reservation SET state = 'RELEASED'
    WHERE reference = ANY(%(references)s) AND state = 'OWED'
    RETURNING reference, stock_id, quantity, sale_id
), given_back AS (
    UPDATE inventory_flashsale f SET taken = f.taken - t.units
    FROM (
        SELECT sale_id, sum(quantity) AS units FROM ended WHERE sale_id IS NOT NULL GROUP BY sale_id
    ) t
    WHERE f.id = t.sale_id
    RETURNING f.id, f.units - f.taken AS units_left
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved - q.quantity
    FROM ended q WHERE s.id = q.stock_id
    RETURNING s.id, q.reference, q.quantity, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'RELEASE', 0, -quantity, on_hand, reserved,
           %(reason)s, reference, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT e.stock_id, e.quantity, g.id, g.units_left
FROM ended e LEFT JOIN given_back g ON g.id = e.sale_id
"""


@transaction.atomic
def end_owed(
    *, references: Sequence[str], variant_ids: Collection[int], reason: str, now: datetime
) -> Counter[int]:
    """End what is owed to these references, and return the units by variant: they never left.

    What waited behind it is filled if it can be. Joins the caller's transaction, and locks the
    stock of `variant_ids`, which are all variants of the references. Safe to repeat.
    """
    levels = locked_levels(variant_ids)
    with connection.cursor() as cursor:
        cursor.execute(_END_OWED, {"references": list(references), "reason": reason, "now": now})
        rows = cursor.fetchall()
    if not rows:
        return Counter()
    units_of = {stock_id: units for stock_id, units, _, _ in rows}
    tell_of_change(
        levels,
        [
            replace(level, reserved=level.reserved - units_of.get(level.stock_id, 0))
            for level in levels
        ],
    )
    for sale_id, units_left in {row[2:] for row in rows if row[2] is not None}:
        tell_gate(sale_id=sale_id, units_left=units_left)
    fill_owed(stock_ids=list(units_of), now=now)
    ended = Counter[int]()
    for level in levels:
        ended[level.variant_id] += units_of.get(level.stock_id, 0)
    return ended
