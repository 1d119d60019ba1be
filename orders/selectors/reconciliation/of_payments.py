"""Promises between payments, refunds and the orders that they are for."""

from orders.selectors.reconciliation.checks import Check

PAYMENT_CHECKS: tuple[Check, ...] = (
    Check(
        "refunds_within_captures",
        "Never more is given back than was taken.",
        """
        SELECT o.number, 'at most ' || coalesce(p.taken, 0), r.given::text
        FROM (
            SELECT order_id, sum(amount_minor) AS given FROM orders_refund
            WHERE status <> 'FAILED' GROUP BY order_id
        ) r
        JOIN orders_order o ON o.id = r.order_id
        LEFT JOIN LATERAL (
            SELECT sum(captured_minor) AS taken FROM orders_payment WHERE order_id = o.id
        ) p ON true
        WHERE r.given > coalesce(p.taken, 0)
        """,
    ),
    Check(
        "payment_status_is_the_money",
        "What an order says of its money is what its payments and refunds say.",
        """
        SELECT o.number, x.should, o.payment_status
        FROM orders_order o
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(p.captured_minor), 0) AS taken,
                   bool_or(p.status = 'CAPTURED') AS is_captured,
                   bool_or(p.status = 'AUTHORIZED') AS is_authorized,
                   bool_or(p.status IN ('NEW', 'REQUESTED', 'REQUIRES_ACTION')) AS is_open
            FROM orders_payment p WHERE p.order_id = o.id
        ) p
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(r.amount_minor), 0) AS given FROM orders_refund r
            WHERE r.order_id = o.id AND r.status = 'SUCCEEDED'
        ) r
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN p.is_captured AND r.given > 0 AND r.given >= p.taken THEN 'REFUNDED'
                WHEN p.is_captured AND r.given > 0 THEN 'PARTIALLY_REFUNDED'
                WHEN p.is_captured THEN 'PAID'
                WHEN p.is_authorized THEN 'AUTHORIZED'
                WHEN p.is_open THEN 'PENDING'
                ELSE 'FAILED|VOIDED'
            END AS should
        ) x
        WHERE o.payment_status <> ALL (string_to_array(x.should, '|'))
        """,
    ),
    Check(
        "payments_come_to_an_end",
        "No payment is open for long without anybody asking the provider, or its answering.",
        """
        SELECT p.id::text, 'an outcome', p.status FROM orders_payment p
        WHERE p.status IN ('NEW', 'REQUESTED', 'REQUIRES_ACTION')
          AND (coalesce(p.next_attempt_at, p.created_at)
                   < %(now)s::timestamptz - %(open_patience)s::interval
               OR (p.status = 'REQUESTED'
                   AND coalesce(p.requested_at, p.created_at)
                       < %(now)s::timestamptz - %(open_patience)s::interval))
        """,
        mending="It is made due, and the provider asked with the same key: never a second payment.",
    ),
    Check(
        "authorizations_are_captured_in_time",
        "What was set aside is taken before the provider lets it go.",
        """
        SELECT p.id::text, 'captured or voided',
               format('authorised since %%s', coalesce(p.settled_at, p.created_at)::text)
        FROM orders_payment p
        WHERE p.status = 'AUTHORIZED'
          AND (coalesce(p.settled_at, p.created_at)
                   <= %(now)s::timestamptz - %(authorization_age)s::interval
               OR p.authorized_until < %(now)s::timestamptz + %(authorization_left)s::interval)
        """,
    ),
    Check(
        "refunds_come_to_an_end",
        "No refund is open for long without anybody asking the provider, and none has failed.",
        """
        SELECT r.id::text, 'an outcome', r.status FROM orders_refund r
        WHERE r.status = 'FAILED'
           OR (r.status IN ('NEW', 'REQUESTED')
               AND coalesce(r.next_attempt_at, r.created_at)
                   < %(now)s::timestamptz - %(open_patience)s::interval)
        """,
        mending="One that is open is made due, and asked for with the same key. A failed one waits "
        "for a person.",
    ),
)
