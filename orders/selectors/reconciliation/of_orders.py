"""Promises between an order, its lines, its money and its stock."""

from orders.selectors.reconciliation.checks import Check

ORDER_CHECKS: tuple[Check, ...] = (
    Check(
        "order_totals_are_their_lines",
        "Subtotal, discount and tax of an order are the sums of its lines.",
        """
        SELECT o.number,
               concat_ws('/', l.subtotal, l.discount, l.tax + o.shipping_tax_minor),
               concat_ws('/', o.subtotal_minor, o.discount_minor, o.tax_minor)
        FROM orders_order o
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(total_minor + discount_minor), 0) AS subtotal,
                   coalesce(sum(discount_minor), 0) AS discount,
                   coalesce(sum(tax_minor), 0) AS tax
            FROM orders_orderline WHERE order_id = o.id
        ) l
        WHERE (o.subtotal_minor, o.discount_minor, o.tax_minor)
              IS DISTINCT FROM (l.subtotal, l.discount, l.tax + o.shipping_tax_minor)
        """,
    ),
    Check(
        "order_totals_add_up",
        "The total of an order is subtotal less discount plus shipping, and contains its tax.",
        """
        SELECT o.number,
               format('%%s with tax of at most that',
                      o.subtotal_minor - o.discount_minor + o.shipping_minor),
               format('%%s with tax of %%s', o.total_minor, o.tax_minor)
        FROM orders_order o
        WHERE o.total_minor <> o.subtotal_minor - o.discount_minor + o.shipping_minor
           OR o.tax_minor NOT BETWEEN 0 AND o.total_minor
        """,
    ),
    Check(
        "orders_have_lines",
        "No order is without lines.",
        """
        SELECT o.number, '1 or more', '0' FROM orders_order o
        WHERE NOT EXISTS (SELECT FROM orders_orderline l WHERE l.order_id = o.id)
        """,
    ),
    Check(
        "sold_orders_are_paid",
        "A confirmed or completed order has its total captured or authorised, to the penny.",
        """
        SELECT o.number, o.total_minor::text, coalesce(p.came, 0)::text
        FROM orders_order o
        LEFT JOIN LATERAL (
            SELECT sum(
                CASE status WHEN 'CAPTURED' THEN captured_minor ELSE amount_minor END
            ) AS came
            FROM orders_payment
            WHERE order_id = o.id AND status IN ('CAPTURED', 'AUTHORIZED')
              AND currency = o.currency
        ) p ON true
        WHERE o.status IN ('CONFIRMED', 'COMPLETED') AND p.came IS DISTINCT FROM o.total_minor
        """,
    ),
    Check(
        "money_has_an_order",
        "What was captured for an order that ended goes back.",
        """
        SELECT o.number, 'a refund', 'none'
        FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
        WHERE o.status = 'CANCELLED' AND p.status = 'CAPTURED' AND p.captured_minor > 0
          AND NOT EXISTS (
              SELECT FROM orders_refund r WHERE r.order_id = o.id AND r.status <> 'FAILED'
          )
        """,
    ),
    Check(
        "sold_orders_have_their_stock",
        "Each variant of a sold order has left the shelf, or is owed: neither less nor more.",
        """
        SELECT o.number, w.units::text, h.units::text
        FROM orders_order o
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0) AS units FROM orders_orderline l
            WHERE l.order_id = o.id AND l.kind = 'GOODS' AND l.variant_id IS NOT NULL
        ) w
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0) AS units FROM inventory_reservation r
            WHERE r.reference IN ('order:' || o.id, 'order:' || o.id || ':again')
              AND r.state IN ('COMMITTED', 'OWED')
        ) h
        CROSS JOIN LATERAL (
            -- What comes back before it was even in is no longer owed.
            SELECT coalesce(sum(b.quantity), 0) AS units
            FROM orders_return t JOIN orders_returnline b ON b.return_order_id = t.id
            WHERE t.order_id = o.id AND t.status = 'RECEIVED'
        ) b
        WHERE o.status IN ('CONFIRMED', 'COMPLETED')
          AND h.units NOT BETWEEN w.units - b.units AND w.units
        """,
    ),
    Check(
        "unsold_orders_have_no_stock",
        "No stock has left for an order that was never confirmed.",
        """
        SELECT o.number, '0', sum(r.quantity)::text
        FROM orders_order o
        JOIN inventory_reservation r
          ON r.reference IN ('order:' || o.id, 'order:' || o.id || ':again')
        WHERE o.confirmed_at IS NULL AND r.state IN ('COMMITTED', 'OWED')
        GROUP BY o.number
        """,
    ),
    Check(
        "only_pending_orders_hold_stock",
        "Stock is held for pending orders alone, and for each of them until its hold ends.",
        """
        SELECT o.number, CASE o.status WHEN 'PENDING' THEN 'held' ELSE 'not held' END,
               CASE WHEN h.is_held THEN 'held' ELSE 'not held' END
        FROM orders_order o
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT FROM inventory_reservation r
                WHERE r.reference IN ('order:' || o.id, 'order:' || o.id || ':again')
                  AND r.state = 'HELD'
            ) AS is_held
        ) h
        WHERE (o.status = 'PENDING') <> h.is_held
          AND (h.is_held OR o.hold_expires_at > %(now)s::timestamptz)
          AND (h.is_held OR EXISTS (
              SELECT FROM orders_orderline l
              WHERE l.order_id = o.id AND l.kind = 'GOODS' AND l.variant_id IS NOT NULL
          ))
        """,
        mending="What a cancelled order still holds is released: it can never be sold again.",
    ),
    Check(
        "stock_is_promised_to_orders",
        "What is promised or sold to an order has that order: both come in one transaction.",
        """
        SELECT r.reference, 'an order', format('%%s units %%s', r.units, lower(r.state))
        FROM (
            SELECT reference, state, sum(quantity) AS units,
                   substring(reference FROM '^order:([0-9]{1,18})(?::again)?$')::bigint AS order_id
            FROM inventory_reservation
            WHERE state <> 'RELEASED' AND reference LIKE 'order:%%'
            GROUP BY reference, state
        ) r
        LEFT JOIN orders_order o ON o.id = r.order_id
        WHERE r.order_id IS NOT NULL AND o.id IS NULL
        """,
        mending="What is only held is released: there is nobody to sell it to.",
    ),
    Check(
        "holds_end_with_their_order",
        "What a pending order holds ends when the order says, be it extended or not.",
        """
        SELECT o.number, o.hold_expires_at::text, min(r.expires_at)::text
        FROM orders_order o
        JOIN inventory_reservation r ON r.reference = 'order:' || o.id AND r.state = 'HELD'
        WHERE o.status = 'PENDING' AND r.expires_at <> o.hold_expires_at
        GROUP BY o.number, o.hold_expires_at
        """,
    ),
    Check(
        "holds_end_in_time",
        "No order is pending for long after its hold has run out.",
        """
        SELECT o.number, o.hold_expires_at::text, 'pending' FROM orders_order o
        WHERE o.status = 'PENDING'
          AND o.hold_expires_at < %(now)s::timestamptz - %(hold_patience)s::interval
        """,
        mending="The order is expired as the job does it: its provider is asked first.",
    ),
    Check(
        "outbox_is_relayed",
        "No message waits for more than a minute to be relayed.",
        # By the database's clock, as messages are stamped when they are written.
        """
        SELECT topic, 'relayed within a minute',
               format('%%s waiting, the oldest for %%s s', count(*),
                      extract(epoch FROM clock_timestamp() - min(created_at))::bigint)
        FROM shop_outboxmessage
        WHERE published_at IS NULL
          AND created_at < clock_timestamp() - %(outbox_patience)s::interval
        GROUP BY topic
        """,
        mending="They are relayed once more, oldest first: who gets one twice takes it once.",
    ),
    Check(
        "idempotency_keys_come_to_an_end",
        "No first request under an Idempotency-Key is without its answer for long.",
        """
        SELECT k.id::text, 'an answer', format('started at %%s', k.created_at::text)
        FROM shop_idempotencykey k
        WHERE k.state = 'STARTED'
          AND k.created_at < %(now)s::timestamptz - %(open_patience)s::interval
        """,
    ),
)
