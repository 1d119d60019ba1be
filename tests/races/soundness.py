"""What must hold when a race is over: the invariants of the shop, and what its clients were told.

The product's own reconciliation is asked first; what it does not cover is asked here.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from django.db import connection

from inventory.errors import OutOfStock
from inventory.selectors import available_units, drifted_stock
from inventory.selectors.reconciliation import CHECKS as STOCK_CHECKS
from orders.models import Order, Payment, SandboxCharge
from orders.providers.base import Outcome
from orders.providers.sandbox.provider import SandboxProvider
from orders.selectors import order_findings, payment_findings
from orders.selectors.reconciliation import ORDER_CHECKS, PAYMENT_CHECKS
from orders.selectors.reconciliation.checks import facts_at
from orders.services import CheckoutAnswer, CheckoutWish, checkout, expire_holds, sweep_payments
from shop.idempotency import Scope

# Checks of whether sweepers came in time: not to be asked while none has been.
TIMELY = frozenset(
    {
        "authorizations_are_captured_in_time",
        "holds_end_in_time",
        "idempotency_keys_come_to_an_end",
        "payments_come_to_an_end",
        "refunds_come_to_an_end",
        "no_hold_overdue",
        "outbox_is_relayed",
    }
)
# Nothing is relayed in a race, at rest or not.
UNRELAYED = "outbox_is_relayed"


@dataclass(slots=True)
class Clients:
    """What the clients of a race were told, noted on their side of the counter."""

    answers: dict[Scope, set[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(set))
    orders: set[str] = field(default_factory=set)
    _noting: Lock = field(default_factory=Lock)

    def check_out(self, wish: CheckoutWish, scope: Scope, *, now: datetime) -> CheckoutAnswer:
        """Check out as a client does, and note the answer. Raises what `checkout` raises."""
        told = checkout(wish=wish, scope=scope, request_id="", now=now)
        with self._noting:
            self.answers[scope].add((told.answer.status, told.answer.body))
            if told.answer.status in {201, 202}:
                self.orders.add(told.answer.headers["Location"].rsplit("/", 1)[1])
        return told

    def breaches(self) -> list[str]:
        """Return each broken promise to a client: that an order is there, that answers repeat."""
        there = set(Order.objects.filter(number__in=self.orders).values_list("number", flat=True))
        return [
            *(
                f"I12: order {number} was acknowledged and is gone"
                for number in self.orders - there
            ),
            *(
                f"I13: key {scope.key} had {len(told)} answers"
                for scope, told in self.answers.items()
                if len(told) > 1
            ),
        ]


def bring_to_rest(now: datetime) -> datetime:
    """Do what the sweepers would within the hour after `now`; return when all is quiet."""
    moment = now
    for minutes in (1, 3, 6, 17, 20, 30, 45, 60):
        moment = now + timedelta(minutes=minutes)
        sweep_payments(now=moment)
        expire_holds(now=moment)
    return moment


def assert_sound(
    now: datetime, *, clients: Clients | None = None, refused: Iterable[int] = ()
) -> None:
    """Fail with every breach of the invariants, when all is quiet. See `breaches`."""
    found = breaches(now, clients=clients, refused=refused)
    assert found == [], "\n".join(found)


def breaches(
    now: datetime,
    *,
    is_at_rest: bool = True,
    clients: Clients | None = None,
    refused: Iterable[int] = (),
) -> list[str]:
    """Return each broken invariant (I1 to I8, I10 to I13) in a sentence: none, in a sound shop.

    `refused` are variants of which a buyer was told at the end that there are none. Before all is
    quiet (`is_at_rest` false) what sweepers still have to do is no breach. There are no vouchers
    yet, so nothing is said of I9.
    """
    if is_at_rest:
        found = [
            f"{drift.check}: {drift.sku}: {drift.subject} {drift.found}, and not {drift.expected}"
            for drift in drifted_stock(now=now)
        ]
        found += [
            f"{finding.check}: {finding.reference}: {finding.found}, and not {finding.expected}"
            for finding in (*order_findings(now=now), *payment_findings(now=now))
            if finding.check != UNRELAYED
        ]
    else:
        found = _checked_at_once(now)
    found += _asked(_ALWAYS)
    if is_at_rest:
        found += _asked(_AT_LAST, now=now)
        found += _money_breaches()
        found += [
            f"I4 undersold: {units} left of variant {variant_id}, and a buyer was refused"
            for variant_id, units in available_units(set(refused)).items()
            if units > 0
        ]
    if clients is not None:
        found += clients.breaches()
    return found


def is_out_of_stock(outcome: object) -> bool:
    return isinstance(outcome, OutOfStock)


# Each gives a sentence for every row that breaks it.
_ALWAYS = (
    # I3, whatever the counters say: what was sold or promised, against what came in or may be owed.
    """
    SELECT 'I3 oversold: variant ' || s.variant_id || ': ' || sum(m.gone + coalesce(r.open, 0))
           || ' sold or promised, of ' || sum(m.came + s.backorder_limit)
    FROM inventory_stock s
    JOIN (
        SELECT stock_id,
               -coalesce(sum(delta_on_hand) FILTER (WHERE kind = 'SALE'), 0) AS gone,
               coalesce(sum(delta_on_hand) FILTER (WHERE kind <> 'SALE'), 0) AS came
        FROM inventory_stockmovement GROUP BY stock_id
    ) m ON m.stock_id = s.id
    LEFT JOIN (
        SELECT stock_id, sum(quantity) AS open FROM inventory_reservation
        WHERE state IN ('HELD', 'OWED') GROUP BY stock_id
    ) r ON r.stock_id = s.id
    GROUP BY s.variant_id
    HAVING sum(m.gone + coalesce(r.open, 0)) > sum(m.came + s.backorder_limit)
    """,
    # I5: what happened to an order is one way through its states.
    """
    SELECT 'I5: order ' || number || ' is ' || status || ' after ' || kinds
    FROM (
        SELECT o.number, o.status, string_agg(e.kind, ' ' ORDER BY e.id) AS kinds
        FROM orders_order o JOIN orders_orderevent e ON e.order_id = o.id
        GROUP BY o.id
    ) told
    WHERE kinds !~ CASE status
        WHEN 'PENDING' THEN '^PLACED( ACTION_REQUIRED)?$'
        WHEN 'CANCELLED' THEN
            '^PLACED( ACTION_REQUIRED)?( CONFIRMED( REFUND(ED|_FAILED)| RETURN_RECEIVED)* CANCELLED'
            -- Given up while the provider was away, it may still hear that the payer must act.
            '| (CANCELLED|EXPIRED)( ACTION_REQUIRED)?| PAYMENT_(DECLINED|FAILED|VOIDED|LATE))'
            '( PAYMENT_(DECLINED|FAILED|VOIDED|LATE))?( REFUND(ED|_FAILED)| RETURN_RECEIVED)*$'
        ELSE '^PLACED( ACTION_REQUIRED)? CONFIRMED( REFUND(ED|_FAILED)| RETURN_RECEIVED)*$'
    END
    """,
    # I5: a change that another one has written over is missing in the version.
    """
    SELECT 'I5 lost update: order ' || o.number || ' has version ' || o.version || ' after '
           || count(*) || ' changes'
    FROM orders_order o JOIN orders_orderevent e ON e.order_id = o.id
    WHERE e.kind <> 'PLACED'
    GROUP BY o.id HAVING o.version <> 1 + count(*)
    """,
    # I8
    """
    SELECT 'I8: ' || count(*) || ' orders of cart ' || cart_id || ' version ' || cart_version
    FROM orders_order WHERE cart_version IS NOT NULL AND status <> 'CANCELLED'
    GROUP BY cart_id, cart_version HAVING count(*) > 1
    """,
    """
    SELECT 'I8: order ' || o.number || ' was charged ' || count(*) || ' times'
    FROM orders_order o
    JOIN orders_payment p ON p.order_id = o.id
    JOIN orders_sandboxcharge c ON c.key = p.id AND c.status = 'CAPTURED'
    GROUP BY o.id HAVING count(*) > 1
    """,
    # I10, as far as the outbox goes: told once of what happened once.
    """
    SELECT 'I10: ' || m.topic || ' was published ' || count(*) || ' times for ' || m.key
    FROM shop_outboxmessage m WHERE m.topic IN ('order.confirmed', 'order.cancelled')
    GROUP BY m.topic, m.key HAVING count(*) > 1
    """,
    """
    SELECT 'I10: order ' || o.number || ' is confirmed and nobody is told'
    FROM orders_order o
    WHERE o.confirmed_at IS NOT NULL AND o.channel <> 'HISTORY'
      AND NOT EXISTS (
          SELECT FROM shop_outboxmessage m
          WHERE m.topic = 'order.confirmed' AND m.key = 'order:' || o.id
      )
    """,
)
_AT_LAST = (
    # I11
    """
    SELECT 'I11: ' || r.reference || ' holds ' || r.quantity || ' since ' || r.expires_at
    FROM inventory_reservation r
    WHERE r.state = 'HELD' AND r.expires_at < %(now)s::timestamptz - interval '2 minutes'
    """,
    "SELECT 'I6: order ' || number || ' is pending' FROM orders_order WHERE status = 'PENDING'",
    # I13: of a finished checkout, the answer is kept; of an unfinished one, no claim.
    """
    SELECT 'I13: key ' || key || ' is still claimed' FROM shop_idempotencykey
    WHERE state <> 'DONE'
    """,
)


# The product's own checks, in one statement: a race of many steps asks after each of them.
_CHECKS = [
    (check.name, check.sql)
    for check in (*ORDER_CHECKS, *PAYMENT_CHECKS)
    if check.name not in TIMELY
] + [(check.name, check.sql) for check in STOCK_CHECKS if check.name not in TIMELY]
_ALL_CHECKS = " UNION ALL ".join(
    f"SELECT '{name}: ' || found::text FROM ({sql}) AS found"  # noqa: S608 — our own
    for name, sql in _CHECKS
)


def _checked_at_once(now: datetime) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            _ALL_CHECKS,
            {**facts_at(now), "sku": None},
        )
        return [sentence for (sentence,) in cursor.fetchall()]


def _asked(questions: Iterable[str], **facts: datetime) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(questions), facts or None)
        return [sentence for (sentence,) in cursor.fetchall()]


def _money_breaches() -> list[str]:
    """I6 and I7, by the provider's books: sold means its total is kept, else nothing is."""
    told = SandboxProvider().statement(since=None)
    kept: dict[int, int] = defaultdict(int)
    found: list[str] = []
    known = dict(Payment.objects.values_list("pk", "order_id"))
    for key, result in (told or {}).items():
        if result.outcome is not Outcome.CAPTURED:
            continue
        if key not in known:
            found.append(f"I6: charge {key} has no payment")
            continue
        kept[known[key]] += result.amount_minor
        if not 0 <= result.refunded_minor <= result.amount_minor:
            found.append(f"I7: charge {key}: {result.refunded_minor} of {result.amount_minor} back")
    back = dict(
        SandboxCharge.objects.filter(refunded_minor__gt=0).values_list("key", "refunded_minor")
    )
    returned: dict[int, int] = defaultdict(int)
    for key, amount in back.items():
        if key in known:
            returned[known[key]] += amount
    orders = Order.objects.filter(payments__provider=SandboxProvider.code).distinct()
    for order in orders.only("number", "status", "total_minor"):
        if order.status == Order.Status.CANCELLED:
            if kept[order.pk] != returned[order.pk]:
                found.append(
                    f"I6: order {order.number} is cancelled, and the provider keeps "
                    f"{kept[order.pk] - returned[order.pk]}"
                )
        elif kept[order.pk] != order.total_minor:
            found.append(
                f"I6: order {order.number}: charged {kept[order.pk]}, total {order.total_minor}"
            )
    return found
