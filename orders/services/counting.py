"""What orders tell of products: which sell best, and which are bought together."""

from datetime import datetime, timedelta

from django.db import connection

from catalog.models import Product
from catalog.services import record_bought_together, set_popularity
from shop.db.alone import alone

SOLD_IN = timedelta(days=30)
TOGETHER_IN = timedelta(days=180)
TOGETHER_KEPT = 12  # of each product, the most frequent
LARGEST_ORDER = 30  # products; who buys more says nothing of what belongs together
_LOCK = 7_310_021

_SOLD = """
SELECT v.product_id, sum(l.quantity)
FROM orders_orderline l
JOIN orders_order o ON o.id = l.order_id
JOIN catalog_variant v ON v.id = l.variant_id
WHERE o.placed_at > %(since)s AND o.placed_at <= %(now)s
  AND o.status IN ('CONFIRMED', 'COMPLETED')
GROUP BY v.product_id
"""

_TOGETHER = """
WITH bought AS MATERIALIZED (
    SELECT DISTINCT l.order_id, v.product_id, count(*) OVER (PARTITION BY l.order_id) AS lines
    FROM orders_orderline l
    JOIN orders_order o ON o.id = l.order_id
    JOIN catalog_variant v ON v.id = l.variant_id
    WHERE o.placed_at > %(since)s AND o.placed_at <= %(now)s
      AND o.status IN ('CONFIRMED', 'COMPLETED')
),
paired AS (
    SELECT one.product_id, other.product_id AS other_id, count(*) AS orders
    FROM bought one
    JOIN bought other ON other.order_id = one.order_id AND other.product_id <> one.product_id
    WHERE one.lines <= %(largest)s AND other.lines <= %(largest)s
    GROUP BY 1, 2
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY product_id ORDER BY orders DESC, other_id) AS place
    FROM paired
)
SELECT product_id, other_id, orders FROM ranked WHERE place <= %(kept)s
ORDER BY product_id, other_id
"""


def count_sales(*, now: datetime) -> int | None:
    """Tell the catalogue what sold in 30 days, and what was bought together in 180.

    Cancelled orders and those that are not paid do not count. Returns how many products have
    another popularity now; None if somebody else is at it. Safe to repeat.
    """
    with alone(_LOCK) as is_mine:
        if not is_mine:
            return None
        with connection.cursor() as cursor:
            cursor.execute(_SOLD, {"since": now - SOLD_IN, "now": now})
            units = {pk: int(sold) for pk, sold in cursor.fetchall()}
            cursor.execute(
                _TOGETHER,
                {
                    "since": now - TOGETHER_IN,
                    "now": now,
                    "largest": LARGEST_ORDER,
                    "kept": TOGETHER_KEPT,
                },
            )
            pairs = {(pk, other): orders for pk, other, orders in cursor.fetchall()}
        # What sold before and does not any more is back at none.
        for pk in Product.objects.filter(popularity__gt=0).values_list("pk", flat=True):
            units.setdefault(pk, 0)
        changed = set_popularity(units=units, now=now)
        record_bought_together(pairs=pairs)
        return changed
