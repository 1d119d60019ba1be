"""The statements by which promises are made, kept and ended, each whole or not at all."""

# Looks before it locks: when the stock that is there cannot cover the lines, no row comes back and
# none was waited for. Holds past their end count as there: they can be taken over. A reference
# that holds something already is let through to be found.
#
# The arrays stand behind a SELECT so that the planner does not see their length. Where it does,
# a plan for three lines looks so much cheaper than one for any number that it plans anew for each
# call, which takes as long as to run it, or longer.
LOOK_AND_LOCK = """
SELECT s.id, s.variant_id, s.warehouse_id, w.country, w.priority, w.is_active,
       s.on_hand, s.reserved, s.backorder_limit, s.low_at,
       EXISTS (SELECT FROM inventory_purchaselimit l WHERE l.variant_id = s.variant_id)
       OR EXISTS (
           SELECT FROM inventory_flashsale f
           WHERE f.variant_id = s.variant_id
             AND f.starts_at <= %(now)s::timestamptz AND f.ends_at > %(now)s::timestamptz
       )
FROM inventory_stock s JOIN inventory_warehouse w ON w.id = s.warehouse_id
WHERE s.variant_id = ANY((SELECT %(variants)s::bigint[])::bigint[])
  AND (
    EXISTS (SELECT FROM inventory_reservation r WHERE r.reference = %(reference)s)
    OR NOT EXISTS (
        SELECT FROM unnest((SELECT %(variants)s::bigint[]), (SELECT %(quantities)s::bigint[]))
                    AS q(variant_id, units)
        CROSS JOIN LATERAL (
            SELECT q.units - coalesce(sum(l.on_hand + l.backorder_limit - l.reserved), 0) AS units
            FROM inventory_stock l JOIN inventory_warehouse p ON p.id = l.warehouse_id
            WHERE l.variant_id = q.variant_id AND p.is_active
        ) missing
        WHERE missing.units > 0 AND missing.units > (
            SELECT coalesce(sum(r.quantity), 0)
            FROM inventory_reservation r
            JOIN inventory_stock l ON l.id = r.stock_id
            JOIN inventory_warehouse p ON p.id = l.warehouse_id
            WHERE l.variant_id = q.variant_id AND p.is_active
              AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
        )
    )
  )
ORDER BY s.id FOR NO KEY UPDATE OF s
"""

# Everything that a hold changes, at once. `earlier` is read under the lock, in a statement of its
# own: a twin of this call has either finished, and is seen here, or not begun.
HOLD = """
WITH earlier AS MATERIALIZED (
    SELECT state FROM inventory_reservation WHERE reference = %(reference)s
), wanted AS (
    SELECT q.stock_id, q.units, q.sale_id
    FROM unnest(%(stocks)s::bigint[], %(quantities)s::int[], %(sales)s::bigint[])
         AS q(stock_id, units, sale_id)
    WHERE NOT EXISTS (SELECT FROM earlier)
), held AS (
    INSERT INTO inventory_reservation
        (reference, stock_id, quantity, state, expires_at, created_at, buyer, sale_id)
    SELECT %(reference)s, stock_id, units, 'HELD',
           %(expires_at)s::timestamptz, %(now)s::timestamptz, %(buyer)s, sale_id
    FROM wanted
), sold AS (
    UPDATE inventory_flashsale f SET taken = f.taken + t.units
    FROM (
        SELECT sale_id, sum(units) AS units FROM wanted WHERE sale_id IS NOT NULL GROUP BY sale_id
    ) t
    WHERE f.id = t.sale_id
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved + q.units
    FROM wanted q WHERE s.id = q.stock_id
    RETURNING s.id, q.units, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'RESERVATION', 0, units, on_hand, reserved,
           '', %(reference)s, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT count(*), coalesce(bool_or(state = 'RELEASED'), false) FROM earlier
"""

# The arrays stand behind a SELECT for the same reason: planning took five times as long as running.
ASKED_AGAINST_THERE = """
SELECT q.variant_id, coalesce(v.sku, ''), q.units,
       coalesce(sum(s.on_hand + s.backorder_limit - s.reserved) FILTER (WHERE w.is_active), 0)
       + coalesce((
           SELECT sum(r.quantity)
           FROM inventory_reservation r
           JOIN inventory_stock l ON l.id = r.stock_id
           JOIN inventory_warehouse p ON p.id = l.warehouse_id
           WHERE l.variant_id = q.variant_id AND p.is_active
             AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
       ), 0),
       EXISTS (SELECT FROM inventory_reservation r WHERE r.reference = %(reference)s),
       EXISTS (
           SELECT FROM inventory_reservation r
           WHERE r.reference = %(reference)s AND r.state = 'RELEASED'
       ),
       EXISTS (SELECT FROM inventory_purchaselimit l WHERE l.variant_id = q.variant_id)
       OR EXISTS (
           SELECT FROM inventory_flashsale f
           WHERE f.variant_id = q.variant_id
             AND f.starts_at <= %(at)s::timestamptz AND f.ends_at > %(at)s::timestamptz
       ),
       (
           SELECT min(ending.expires_at)
           FROM inventory_stock l
           CROSS JOIN LATERAL (
               SELECT r.expires_at FROM inventory_reservation r
               WHERE r.stock_id = l.id AND r.state = 'HELD' AND r.expires_at > %(now)s::timestamptz
               ORDER BY r.expires_at LIMIT 1
           ) ending
           WHERE l.variant_id = q.variant_id
       )
FROM unnest((SELECT %(variants)s::bigint[]), (SELECT %(quantities)s::bigint[]))
     AS q(variant_id, units)
LEFT JOIN catalog_variant v ON v.id = q.variant_id
LEFT JOIN inventory_stock s ON s.variant_id = q.variant_id
LEFT JOIN inventory_warehouse w ON w.id = s.warehouse_id
GROUP BY q.variant_id, v.sku, q.units
ORDER BY q.variant_id
"""

# Units of holds past their end, oldest first and no more than are missing: all that is missing, or
# nothing. Where a sale's units are what is missing, only holds of that sale help. The stock is
# locked already. A hold that somebody has locked is being committed or released at this moment, by
# one who wants the stock next: it is passed over, never waited for.
TAKE_OVER = """
WITH short AS (
    SELECT * FROM unnest(%(variants)s::bigint[], %(missing)s::bigint[], %(sales)s::bigint[])
                  AS q(variant_id, units, sale_id)
), over AS MATERIALIZED (
    SELECT r.id, r.stock_id, r.reference, r.quantity, r.expires_at, r.sale_id, s.variant_id
    FROM inventory_reservation r
    JOIN inventory_stock s ON s.id = r.stock_id
    JOIN inventory_warehouse w ON w.id = s.warehouse_id
    JOIN short q ON q.variant_id = s.variant_id
    WHERE s.variant_id = ANY(%(variants)s::bigint[])
      AND (w.is_active AND q.sale_id IS NULL OR r.sale_id = q.sale_id)
      AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
    ORDER BY r.id FOR UPDATE OF r SKIP LOCKED
), queued AS (
    SELECT o.*, sum(quantity) OVER (PARTITION BY variant_id ORDER BY expires_at, id) - quantity
           AS before
    FROM over o
), taken AS (
    SELECT u.* FROM queued u JOIN short q USING (variant_id) WHERE u.before < q.units
), ended AS (
    UPDATE inventory_reservation r SET state = 'RELEASED'
    FROM taken t
    WHERE r.id = t.id
      AND NOT EXISTS (SELECT FROM inventory_reservation WHERE reference = %(reference)s)
      AND NOT EXISTS (
          SELECT FROM short q
          WHERE q.units > coalesce(
              (SELECT sum(quantity) FROM taken m WHERE m.variant_id = q.variant_id), 0
          )
      )
    RETURNING r.id, r.stock_id, r.reference, r.quantity, r.sale_id
), given_back AS (
    UPDATE inventory_flashsale f SET taken = f.taken - t.units
    FROM (
        SELECT sale_id, sum(quantity) AS units FROM ended WHERE sale_id IS NOT NULL GROUP BY sale_id
    ) t
    WHERE f.id = t.sale_id
    RETURNING f.id, t.units
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved - t.units
    FROM (SELECT stock_id, sum(quantity) AS units FROM ended GROUP BY stock_id) t
    WHERE s.id = t.stock_id
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT s.id, 'RELEASE', 0, -e.quantity, s.on_hand,
           s.reserved - sum(e.quantity) OVER (PARTITION BY s.id ORDER BY e.id),
           'Taken over after its end', e.reference, NULL, %(now)s::timestamptz
    FROM ended e JOIN inventory_stock s ON s.id = e.stock_id
    ORDER BY e.id
)
SELECT stock_id, sum(quantity) FROM ended GROUP BY stock_id
"""

# The holds of the reference are claimed first, so that of a commit and a release that cross one
# finds nothing left to do; then the stock is locked, in primary-key order like everywhere. One hold
# that was released, or taken over after its end, and none of them is committed. Where more is
# promised than is on hand, somebody may wait for what is there: then nothing leaves here, and the
# stocks that come back are filled by a statement of its own, which begins under the lock. This one
# sees what was owed when it began.
COMMIT = """
WITH mine AS MATERIALIZED (
    SELECT id, stock_id, quantity, state FROM inventory_reservation
    WHERE reference = %(reference)s ORDER BY id FOR UPDATE
), locked AS MATERIALIZED (
    SELECT s.id, s.on_hand, s.reserved FROM inventory_stock s
    WHERE s.id = ANY(ARRAY(SELECT stock_id FROM mine WHERE state = 'HELD'))
      AND NOT EXISTS (SELECT FROM mine WHERE state = 'RELEASED')
    ORDER BY s.id FOR NO KEY UPDATE
), settled AS (
    UPDATE inventory_reservation r
    SET state = CASE WHEN l.on_hand >= l.reserved THEN 'COMMITTED' ELSE 'OWED' END
    FROM mine m JOIN locked l ON l.id = m.stock_id
    WHERE r.id = m.id AND m.state = 'HELD'
    RETURNING r.stock_id, r.quantity, r.state
), changed AS (
    UPDATE inventory_stock s
    SET on_hand = s.on_hand - q.quantity, reserved = s.reserved - q.quantity
    FROM settled q WHERE s.id = q.stock_id AND q.state = 'COMMITTED'
    RETURNING s.id, q.quantity, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'SALE', -quantity, -quantity, on_hand, reserved,
           '', %(reference)s, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT coalesce(bool_or(state = 'RELEASED'), false),
       ARRAY(SELECT stock_id FROM settled WHERE state = 'OWED' ORDER BY stock_id)
FROM mine
"""

RELEASE = """
WITH mine AS MATERIALIZED (
    SELECT id, stock_id, quantity FROM inventory_reservation
    WHERE reference = %(reference)s AND state = 'HELD' ORDER BY id FOR UPDATE
), locked AS MATERIALIZED (
    SELECT s.* FROM inventory_stock s
    WHERE s.variant_id = ANY(ARRAY(
        SELECT t.variant_id FROM inventory_stock t JOIN mine m ON m.stock_id = t.id
    ))
    ORDER BY s.id FOR NO KEY UPDATE
), ended AS (
    UPDATE inventory_reservation r SET state = 'RELEASED'
    FROM mine m JOIN locked l ON l.id = m.stock_id
    WHERE r.id = m.id
    RETURNING r.stock_id, r.quantity, r.sale_id
), given_back AS (
    UPDATE inventory_flashsale f SET taken = f.taken - t.units
    FROM (
        SELECT sale_id, sum(quantity) AS units FROM ended WHERE sale_id IS NOT NULL GROUP BY sale_id
    ) t
    WHERE f.id = t.sale_id
    RETURNING f.id, f.variant_id, f.units - f.taken AS units_left
), changed AS (
    UPDATE inventory_stock s SET reserved = s.reserved - q.quantity
    FROM ended q WHERE s.id = q.stock_id
    RETURNING s.id, q.quantity, s.on_hand, s.reserved
), noted AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, actor_id, happened_at)
    SELECT id, 'RELEASE', 0, -quantity, on_hand, reserved,
           %(reason)s, %(reference)s, NULL, %(now)s::timestamptz
    FROM changed ORDER BY id
)
SELECT s.id, s.variant_id, s.warehouse_id, w.country, w.priority, w.is_active,
       s.on_hand, s.reserved, s.backorder_limit, s.low_at, coalesce(c.quantity, 0),
       g.id, g.units_left
FROM locked s
JOIN inventory_warehouse w ON w.id = s.warehouse_id
LEFT JOIN changed c ON c.id = s.id
LEFT JOIN given_back g ON g.variant_id = s.variant_id
"""

FORGET = """
WITH mine AS MATERIALIZED (
    SELECT id, sale_id, quantity FROM inventory_reservation
    WHERE reference = ANY(%(references)s) AND state IN ('COMMITTED', 'OWED')
      AND (buyer <> '' OR sale_id IS NOT NULL)
    ORDER BY id FOR UPDATE
), forgotten AS (
    UPDATE inventory_reservation r SET buyer = '', sale_id = NULL FROM mine m WHERE r.id = m.id
), given_back AS (
    UPDATE inventory_flashsale f SET taken = f.taken - t.units
    FROM (
        SELECT sale_id, sum(quantity) AS units FROM mine WHERE sale_id IS NOT NULL GROUP BY sale_id
    ) t
    WHERE f.id = t.sale_id
    RETURNING f.id, f.units - f.taken AS units_left
)
SELECT id, units_left FROM given_back
"""
