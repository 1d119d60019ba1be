"""Where the books of orders disagree: with themselves, with the stock's, with the providers'."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from orders.models import Payment
from orders.providers import provider_codes, provider_of
from orders.providers.base import Outcome

# A pending order may outlive its hold by this much before somebody should ask why.
HOLD_PATIENCE = timedelta(minutes=2)
# A payment or a refund may be open, with nobody asking, for this long.
OPEN_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: which check, about what, what it should be and what it is."""

    check: str
    reference: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Check:
    """A promise that the books keep, and the rows that break it.

    `sql` gives reference, expected and found for each breach.
    """

    name: str
    promise: str
    sql: str


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
    ),
    Check(
        "holds_end_in_time",
        "No order is pending for long after its hold has run out.",
        """
        SELECT o.number, o.hold_expires_at::text, 'pending' FROM orders_order o
        WHERE o.status = 'PENDING'
          AND o.hold_expires_at < %(now)s::timestamptz - %(hold_patience)s::interval
        """,
    ),
)

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
        "No payment is open for long without anybody asking the provider.",
        """
        SELECT p.id::text, 'an outcome', p.status FROM orders_payment p
        WHERE p.status IN ('NEW', 'REQUESTED', 'REQUIRES_ACTION')
          AND coalesce(p.next_attempt_at, p.created_at)
              < %(now)s::timestamptz - %(open_patience)s::interval
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
    ),
)

_Facts = dict[str, Any]

PROVIDER_CHECK = "provider_agrees"


def order_findings(*, now: datetime) -> list[Finding]:
    """Return where orders disagree with their lines, their money or their stock, as of one moment.

    None, in a sound shop.
    """
    return _findings(ORDER_CHECKS, now=now)


def payment_findings(*, now: datetime, since: datetime | None = None) -> list[Finding]:
    """Return where payments disagree with their orders, or with what the providers tell.

    Providers are asked about what happened since `since`; None means from the beginning. A payment
    that is on its way may be found once, and not a minute later.
    """
    found = _findings(PAYMENT_CHECKS, now=now)
    for code in provider_codes():
        found += _provider_findings(code, since=since)
    return found


def _findings(checks: tuple[Check, ...], *, now: datetime) -> list[Finding]:
    facts = {"now": now, "hold_patience": HOLD_PATIENCE, "open_patience": OPEN_PATIENCE}
    found = []
    with _one_moment() as run:
        for check in checks:
            rows = run(check.sql, facts)
            found += [Finding(check.name, *map(str, row)) for row in rows]
    return found


class _one_moment:  # noqa: N801 — used like a function
    """Run queries that all see the database as it was when the first of them began."""

    def __enter__(self) -> Callable[[str, _Facts], Iterator[tuple[object, ...]]]:
        self._transaction = transaction.atomic()
        is_outermost = not connection.in_atomic_block
        self._transaction.__enter__()
        with connection.cursor() as cursor:
            if is_outermost:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def run(sql: str, facts: _Facts) -> Iterator[tuple[object, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(sql, facts)
                yield from cursor.fetchall()

        return run

    def __exit__(self, *error: object) -> None:
        self._transaction.__exit__(*error)  # type: ignore[arg-type]


def _provider_findings(code: str, *, since: datetime | None) -> list[Finding]:
    told = provider_of(code).statement(since=since)
    if told is None:
        return []
    ours = Payment.objects.filter(provider=code)
    if since is not None:
        ours = ours.filter(created_at__gte=since)
    found = []
    seen = set()
    for payment in ours.prefetch_related("refunds").iterator(chunk_size=2000):
        seen.add(payment.pk)
        theirs = told.get(payment.pk)
        expected = theirs.outcome.value if theirs else "unknown"
        took = theirs.amount_minor if theirs and theirs.outcome is Outcome.CAPTURED else 0
        is_captured = payment.status == Payment.Status.CAPTURED
        if took and (
            not is_captured
            or (payment.captured_minor, payment.currency) != (took, theirs and theirs.currency)
        ):
            found.append(
                Finding(
                    PROVIDER_CHECK,
                    str(payment.pk),
                    f"captured {took}",
                    f"{payment.status.lower()} {payment.captured_minor}",
                )
            )
        elif is_captured and not took:
            found.append(Finding(PROVIDER_CHECK, str(payment.pk), expected, payment.status.lower()))
        given = sum(
            refund.amount_minor for refund in payment.refunds.all() if refund.status == "SUCCEEDED"
        )
        back = theirs.refunded_minor if theirs else 0
        if is_captured and given != back:
            found.append(
                Finding(PROVIDER_CHECK, str(payment.pk), f"refunded {back}", f"refunded {given}")
            )
    astray = [key for key in told.keys() - seen if told[key].outcome is Outcome.CAPTURED]
    # Not among ours of that time: it may be an older one, or one that we never knew of.
    known = set(Payment.objects.filter(pk__in=astray).values_list("pk", flat=True))
    found += [
        Finding(PROVIDER_CHECK, str(key), "captured", "no such payment")
        for key in astray
        if key not in known
    ]
    return found
