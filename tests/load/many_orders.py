"""A shop with a long past, made in seconds: orders of every kind, and books that agree.

Set by set in SQL, and not through the services, whose rules it follows; whoever reconciles what is
made here finds nothing. For a database without orders.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from catalog.models import Product, Variant
from inventory.services import ReceiptLine, receive_stock

ON_HAND = 10_000
DAYS = 40
# What every 500 orders have of each kind is in _ORDERS. Here what a kind is made of: its states,
# its payment's, its reservations', and what the provider has of it.
KINDS = {
    "SOLD": ("CONFIRMED", "PAID", "UNFULFILLED", "CAPTURED", "COMMITTED"),
    "SENT": ("COMPLETED", "PAID", "FULFILLED", "CAPTURED", "COMMITTED"),
    "HISTORY": ("COMPLETED", "PAID", "FULFILLED", "CAPTURED", "COMMITTED"),
    "OWED": ("CONFIRMED", "PAID", "UNFULFILLED", "CAPTURED", "OWED"),
    "PART_REFUNDED": ("CONFIRMED", "PARTIALLY_REFUNDED", "UNFULFILLED", "CAPTURED", "COMMITTED"),
    "CANCELLED": ("CANCELLED", "REFUNDED", "UNFULFILLED", "CAPTURED", "COMMITTED"),
    "DECLINED": ("CANCELLED", "FAILED", "UNFULFILLED", "DECLINED", "RELEASED"),
    "EXPIRED": ("CANCELLED", "VOIDED", "UNFULFILLED", "VOIDED", "RELEASED"),
    "AWAY": ("PENDING", "PENDING", "UNFULFILLED", "REQUIRES_ACTION", "HELD"),
}

_KINDS = """
CREATE TEMP TABLE made_kind ON COMMIT DROP AS
SELECT * FROM unnest(%(kind)s::text[], %(status)s::text[], %(paid)s::text[], %(sent)s::text[],
                     %(payment)s::text[], %(promise)s::text[])
AS k(kind, status, payment_status, fulfillment_status, payment, promise)
"""

_ORDERS = """
CREATE TEMP TABLE made_order ON COMMIT DROP AS
SELECT g, 'L' || lpad(g::text, 9, '0') AS number, k.*, gen_random_uuid() AS payment_id,
       CASE WHEN k.kind = 'AWAY' THEN %(now)s::timestamptz - interval '5 minutes'
            ELSE %(now)s::timestamptz - interval '1 hour'
                 - make_interval(secs => %(days)s * 86400.0 * (%(orders)s - g) / %(orders)s)
       END AS placed_at
FROM generate_series(1, %(orders)s) AS g
JOIN made_kind k ON k.kind = CASE
    WHEN g %% 500 = 19 THEN 'AWAY'
    WHEN g %% 500 = 18 THEN 'OWED'
    WHEN g %% 20 = 14 THEN 'HISTORY'
    WHEN g %% 20 = 15 THEN 'DECLINED'
    WHEN g %% 20 = 16 THEN 'CANCELLED'
    WHEN g %% 20 = 17 THEN 'PART_REFUNDED'
    WHEN g %% 20 = 18 THEN 'EXPIRED'
    WHEN g %% 20 = 19 THEN 'SENT'
    ELSE 'SOLD' END
"""

_LINES = """
CREATE TEMP TABLE made_line ON COMMIT DROP AS
SELECT o.g, i, s.variant_id, s.stock_id, s.sku, 1 + (o.g + i) %% 2 AS quantity
FROM made_order o
CROSS JOIN LATERAL generate_series(1, 1 + o.g %% 3) AS i
JOIN (
    SELECT row_number() OVER (ORDER BY s.id) - 1 AS place, s.id AS stock_id, s.variant_id, v.sku
    FROM inventory_stock s JOIN catalog_variant v ON v.id = s.variant_id
    WHERE s.variant_id = ANY(%(variants)s::bigint[])
) s ON s.place = (o.g * 7 + i * (%(skus)s / 4)) %% %(skus)s
"""

_STORE_ORDERS = """
INSERT INTO orders_order
    (number, channel, email, email_hash, access_token_hash, status, payment_status,
     fulfillment_status, version, currency, subtotal_minor, discount_minor, shipping_minor,
     shipping_tax_rate_bps, shipping_tax_minor, tax_minor, total_minor, shipping_method,
     shipping_method_name, country, cart_id, placed_at, hold_expires_at, confirmed_at, cancelled_at,
     cancel_reason)
SELECT o.number, CASE o.kind WHEN 'HISTORY' THEN 'HISTORY' ELSE 'WEB' END, '', '', '', o.status,
       o.payment_status, o.fulfillment_status, 2, 'GBP', l.total, 0, 395, 2000, 65, l.tax + 65,
       l.total + 395, 'standard', 'Standard', 'GB', '', o.placed_at,
       o.placed_at + interval '20 minutes',
       CASE WHEN o.promise IN ('COMMITTED', 'OWED') THEN o.placed_at + interval '2 seconds' END,
       CASE o.status WHEN 'CANCELLED' THEN o.placed_at + interval '20 minutes' END, ''
FROM made_order o
JOIN (
    SELECT g, sum(quantity * 1250) AS total, sum(quantity * 1250 / 6) AS tax
    FROM made_line GROUP BY g
) l USING (g)
ORDER BY o.g
"""

_STORE_LINES = """
INSERT INTO orders_orderline
    (order_id, position, kind, variant_id, sku, title, variant_title, options, image, quantity,
     unit_price_minor, discount_minor, total_minor, tax_class, tax_rate_bps, tax_minor, is_free)
SELECT m.id, l.i, 'GOODS', l.variant_id, l.sku, 'A thing', '', '{}', '', l.quantity, 1250, 0,
       l.quantity * 1250, 'STANDARD', 2000, l.quantity * 1250 / 6, false
FROM made_line l JOIN made_order o USING (g) JOIN orders_order m ON m.number = o.number
ORDER BY l.g, l.i
"""

_STORE_EVENTS = """
INSERT INTO orders_orderevent (order_id, kind, happened_at, detail)
SELECT m.id, e.kind, o.placed_at + make_interval(secs => e.after), ''
FROM made_order o JOIN orders_order m ON m.number = o.number
CROSS JOIN LATERAL (
    VALUES ('PLACED', 0),
           (CASE WHEN o.promise IN ('COMMITTED', 'OWED') THEN 'CONFIRMED'
                 WHEN o.kind = 'DECLINED' THEN 'PAYMENT_DECLINED'
                 WHEN o.kind = 'EXPIRED' THEN 'EXPIRED'
                 ELSE 'ACTION_REQUIRED' END, 2),
           (CASE o.kind WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'PART_REFUNDED' THEN 'REFUNDED' END,
            1200)
) AS e(kind, after)
WHERE e.kind IS NOT NULL
ORDER BY o.g, e.after
"""

_STORE_PAYMENTS = """
INSERT INTO orders_payment
    (id, order_id, provider, token, amount_minor, currency, status, captured_minor,
     provider_reference, card_brand, card_last4, next_action_url, failure_code, attempts,
     requested_at, next_attempt_at, created_at, settled_at)
SELECT o.payment_id, m.id, CASE o.kind WHEN 'HISTORY' THEN 'manual' ELSE 'sandbox' END, 'tok_ok',
       m.total_minor, 'GBP', o.payment,
       CASE o.payment WHEN 'CAPTURED' THEN m.total_minor ELSE 0 END,
       'sbx_' || replace(o.payment_id::text, '-', ''), 'visa', '4242', '', '', 1,
       o.placed_at + interval '1 second',
       CASE o.payment WHEN 'REQUIRES_ACTION' THEN %(now)s::timestamptz + interval '1 minute' END,
       o.placed_at,
       CASE WHEN o.payment <> 'REQUIRES_ACTION' THEN o.placed_at + interval '2 seconds' END
FROM made_order o JOIN orders_order m ON m.number = o.number
"""

_STORE_REFUNDS = """
INSERT INTO orders_refund
    (id, reference, order_id, payment_id, amount_minor, currency, reason, status,
     provider_reference, failure_code, attempts, created_at, settled_at)
SELECT gen_random_uuid(), 'cancel:' || m.id, m.id, o.payment_id,
       CASE o.kind WHEN 'CANCELLED' THEN m.total_minor ELSE 100 END, 'GBP', 'Sent back',
       'SUCCEEDED', 'sbr_' || m.id, '', 1, o.placed_at + interval '20 minutes',
       o.placed_at + interval '20 minutes'
FROM made_order o JOIN orders_order m ON m.number = o.number
WHERE o.kind IN ('CANCELLED', 'PART_REFUNDED')
"""

_STORE_CHARGES = """
INSERT INTO orders_sandboxcharge
    (key, reference, token, amount_minor, currency, status, refunded_minor, created_at)
SELECT o.payment_id, 'sbx_' || replace(o.payment_id::text, '-', ''), 'tok_ok', m.total_minor,
       'GBP', o.payment, coalesce(r.amount_minor, 0), o.placed_at + interval '1 second'
FROM made_order o
JOIN orders_order m ON m.number = o.number
LEFT JOIN orders_refund r ON r.payment_id = o.payment_id
WHERE o.kind <> 'HISTORY'
"""

_STORE_PROMISES = """
INSERT INTO inventory_reservation (reference, stock_id, quantity, state, expires_at, created_at)
SELECT 'order:' || m.id, l.stock_id, l.quantity, o.promise, m.hold_expires_at, o.placed_at
FROM made_line l JOIN made_order o USING (g) JOIN orders_order m ON m.number = o.number
ORDER BY l.g, l.i
"""

# In the order in which it happened, as the ledger's ids are: each balance follows from the last.
_STORE_LEDGER = """
INSERT INTO inventory_stockmovement
    (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after, reason, cause,
     happened_at)
SELECT stock_id, kind, on_hand, reserved,
       %(on_hand)s + sum(on_hand) OVER told, sum(reserved) OVER told, '', cause, happened_at
FROM (
    SELECT l.g, l.stock_id, e.step, e.kind, e.on_hand * l.quantity AS on_hand,
           e.reserved * l.quantity AS reserved,
           CASE e.kind WHEN 'RETURN' THEN 'cancel:' ELSE 'order:' END || m.id AS cause,
           o.placed_at + make_interval(secs => e.step) AS happened_at
    FROM made_line l JOIN made_order o USING (g) JOIN orders_order m ON m.number = o.number
    CROSS JOIN LATERAL (
        VALUES (1, 'RESERVATION', 0, 1),
               (2, CASE o.promise WHEN 'COMMITTED' THEN 'SALE' END, -1, -1),
               (2, CASE o.promise WHEN 'RELEASED' THEN 'RELEASE' END, 0, -1),
               (3, CASE o.kind WHEN 'CANCELLED' THEN 'RETURN' END, 1, 0)
    ) AS e(step, kind, on_hand, reserved)
    WHERE e.kind IS NOT NULL
) AS d
WINDOW told AS (PARTITION BY stock_id ORDER BY g, step)
ORDER BY g, step, stock_id
"""

_STORE_COUNTERS = """
UPDATE inventory_stock s SET on_hand = l.on_hand_after, reserved = l.reserved_after
FROM (
    SELECT DISTINCT ON (stock_id) stock_id, on_hand_after, reserved_after
    FROM inventory_stockmovement ORDER BY stock_id, id DESC
) l
WHERE l.stock_id = s.id
"""

# Three days of answers, as long as they are kept.
_STORE_KEYS = """
INSERT INTO shop_idempotencykey
    (subject, route, key, request_hash, state, resource, response_status, response_headers,
     response_body, created_at, locked_until, expires_at)
SELECT 'user:' || o.g, 'POST api/v1/checkout', o.number, '', 'DONE', o.payment_id::text, 201, '{}',
       decode(repeat('ab', 3000), 'hex'), o.placed_at, o.placed_at,
       o.placed_at + interval '72 hours'
FROM made_order o WHERE o.placed_at > %(now)s::timestamptz - interval '72 hours'
"""


@dataclass(frozen=True, slots=True)
class Made:
    """How many rows were made."""

    orders: int
    lines: int
    movements: int
    skus: int


@transaction.atomic
def make_many_orders(*, orders: int, skus: int, now: datetime) -> Made:
    """Make so many SKUs, and orders of them over the last 40 days; `skus` is 8 or more."""
    product = Product.objects.create(
        slug="many", title="Many", created_at=now, updated_at=now, status=Product.Status.ARCHIVED
    )
    variants = Variant.objects.bulk_create(
        [
            Variant(product=product, sku=f"MANY-{number:06}", position=number)
            for number in range(skus)
        ],
        batch_size=2000,
    )
    receive_stock(
        lines=[ReceiptLine(variant.pk, ON_HAND) for variant in variants],
        warehouse="main",
        cause="receipt:many",
        reason="Opening stock",
        now=now,
    )
    facts: dict[str, Any] = {
        "orders": orders,
        "skus": skus,
        "now": now,
        "days": DAYS,
        "on_hand": ON_HAND,
        "variants": [variant.pk for variant in variants],
        "kind": list(KINDS),
        **{
            name: [states[place] for states in KINDS.values()]
            for place, name in enumerate(("status", "paid", "sent", "payment", "promise"))
        },
    }
    made = {}
    with connection.cursor() as cursor:
        for statement in (
            _KINDS,
            _ORDERS,
            _LINES,
            "ANALYZE made_order",
            "ANALYZE made_line",
            _STORE_ORDERS,
            _STORE_LINES,
            _STORE_EVENTS,
            _STORE_PAYMENTS,
            _STORE_REFUNDS,
            _STORE_CHARGES,
            _STORE_PROMISES,
            _STORE_LEDGER,
            _STORE_COUNTERS,
            _STORE_KEYS,
        ):
            cursor.execute(statement, facts)
            made[statement] = cursor.rowcount
    return Made(
        orders=made[_STORE_ORDERS],
        lines=made[_STORE_LINES],
        movements=made[_STORE_LEDGER] + skus,
        skus=skus,
    )
