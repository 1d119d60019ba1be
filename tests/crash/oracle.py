"""What must hold when all is quiet: the clients' journal, our tables and the provider's own books.

In SQL of its own, not in the shop's: what is wrong in a selector must not be wrong here too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.crash.client import Buyer
from tests.crash.ground import UNITS, Ground, until

REST_SECONDS = 120.0

_OPEN = """
SELECT (SELECT count(*) FROM orders_payment WHERE status IN ('NEW', 'REQUESTED', 'REQUIRES_ACTION'))
     + (SELECT count(*) FROM orders_refund WHERE status IN ('NEW', 'REQUESTED'))
     + (SELECT count(*) FROM shop_outboxmessage WHERE published_at IS NULL)
     + (SELECT count(*) FROM shop_idempotencykey WHERE state = 'STARTED')
     + (SELECT count(*) FROM orders_order o JOIN shop_outboxmessage m
          ON m.topic = 'order.confirmed' AND m.key = 'order:' || o.id
        WHERE NOT EXISTS (SELECT FROM shop_inboxmessage i WHERE i.message_id = m.id::text))
"""


@dataclass(frozen=True, slots=True)
class Check:
    """An invariant by its number in docs/operations/crash-runs.md, and the rows that break it."""

    name: str
    sql: str


CHECKS = (
    Check(
        "I1 counters are the sums of the ledger",
        """
        SELECT s.id, s.on_hand, s.reserved, m.on_hand, m.reserved FROM inventory_stock s
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(delta_on_hand), 0) AS on_hand,
                   coalesce(sum(delta_reserved), 0) AS reserved
            FROM inventory_stockmovement WHERE stock_id = s.id
        ) m WHERE (s.on_hand, s.reserved) IS DISTINCT FROM (m.on_hand, m.reserved)
        """,
    ),
    Check(
        "I2 reserved is what reservations hold",
        """
        SELECT s.id, s.reserved, r.held FROM inventory_stock s
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0) AS held FROM inventory_reservation
            WHERE stock_id = s.id AND state IN ('HELD', 'OWED')
        ) r WHERE s.reserved <> r.held
        """,
    ),
    Check(
        "I3 no more is sold or promised than there is",
        "SELECT id FROM inventory_stock WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand",
    ),
    Check(
        "I3 what has left the shelf is what was sold",
        """
        SELECT s.on_hand, sold.units FROM catalog_variant v
        JOIN inventory_stock s ON s.variant_id = v.id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(l.quantity), 0) AS units
            FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
            WHERE l.variant_id = v.id AND o.status IN ('CONFIRMED', 'COMPLETED')
        ) sold
        WHERE v.sku = %(sku)s AND s.on_hand <> %(units)s - sold.units
        """,
    ),
    Check(
        "I5 each order went along its graph, and once",
        """
        SELECT number, status, way FROM (
            SELECT o.number, o.status, string_agg(e.kind, ' ' ORDER BY e.id) AS way
            FROM orders_order o JOIN orders_orderevent e ON e.order_id = o.id GROUP BY o.id
        ) told
        WHERE NOT CASE status
            WHEN 'CONFIRMED' THEN way ~ '^PLACED( ACTION_REQUIRED)? CONFIRMED$'
            WHEN 'CANCELLED' THEN way ~ ('^PLACED( ACTION_REQUIRED)?'
                '( CONFIRMED CANCELLED REFUNDED| PAYMENT_DECLINED| PAYMENT_FAILED| PAYMENT_VOIDED'
                '| EXPIRED( PAYMENT_VOIDED| PAYMENT_LATE REFUNDED)?'
                '| CANCELLED( PAYMENT_VOIDED| PAYMENT_LATE REFUNDED)?)$')
            ELSE false END
        """,
    ),
    Check(
        "I6 no charge without its payment, no payment without its charge",
        """
        SELECT coalesce(p.id, c.key), p.status, c.status, p.captured_minor, c.amount_minor
        FROM orders_payment p FULL JOIN orders_sandboxcharge c ON c.key = p.id
        WHERE (coalesce(p.status, '') = 'CAPTURED') <> (coalesce(c.status, '') = 'CAPTURED')
           OR (p.status = 'CAPTURED'
               AND (p.captured_minor, p.currency) <> (c.amount_minor, c.currency))
        """,
    ),
    Check(
        "I6 sold is paid once and in full; ended is paid back",
        """
        SELECT o.number, o.status, o.total_minor, money.charges, money.kept FROM orders_order o
        CROSS JOIN LATERAL (
            SELECT count(*) AS charges, coalesce(sum(c.amount_minor - c.refunded_minor), 0) AS kept
            FROM orders_payment p JOIN orders_sandboxcharge c ON c.key = p.id
            WHERE p.order_id = o.id AND c.status = 'CAPTURED'
        ) money
        WHERE (o.status = 'CONFIRMED' AND (money.charges, money.kept) <> (1, o.total_minor))
           OR (o.status <> 'CONFIRMED' AND money.kept <> 0)
        """,
    ),
    Check(
        "I7 no more goes back than came, on both books",
        """
        SELECT c.key, c.amount_minor, c.refunded_minor, back.ours FROM orders_sandboxcharge c
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_minor), 0) AS ours FROM orders_refund
            WHERE payment_id = c.key AND status = 'SUCCEEDED'
        ) back WHERE c.refunded_minor > c.amount_minor OR c.refunded_minor <> back.ours
        """,
    ),
    Check(
        "I8 one order for one cart, one payment for one order",
        """
        SELECT o.email, count(DISTINCT o.id), count(p.id) FROM orders_order o
        LEFT JOIN orders_payment p ON p.order_id = o.id
        GROUP BY o.email HAVING count(DISTINCT o.id) <> 1 OR count(p.id) <> 1
        """,
    ),
    Check(
        "I10 what was confirmed is told once",
        """
        SELECT o.number, count(m.id), count(i.id) FROM orders_order o
        LEFT JOIN shop_outboxmessage m
          ON m.topic = 'order.confirmed' AND m.key = 'order:' || o.id AND m.published_at IS NOT NULL
        LEFT JOIN shop_inboxmessage i ON i.message_id = m.id::text
        WHERE o.confirmed_at IS NOT NULL
        GROUP BY o.id HAVING count(m.id) <> 1 OR count(i.id) <> 1
        """,
    ),
    Check(
        "I11 nothing is held for an order that is not pending",
        """
        SELECT o.number FROM orders_order o JOIN inventory_reservation r
          ON r.reference IN ('order:' || o.id, 'order:' || o.id || ':again')
        WHERE r.state = 'HELD' AND o.status <> 'PENDING'
        """,
    ),
    Check("no key is left running", "SELECT id FROM shop_idempotencykey WHERE state = 'STARTED'"),
    Check(
        "no address was written twice",
        "SELECT owner_id, count(*) FROM accounts_address GROUP BY owner_id HAVING count(*) <> 1",
    ),
)


_A_SALE = "SELECT max(id) FROM orders_order WHERE status = 'CONFIRMED'"
# The invariant that each breaks, by the first words of what is told of it; `sale` is an order.
DAMAGE = {
    "I1": "UPDATE inventory_stock SET on_hand = on_hand - 1 WHERE on_hand > 1000",
    "I2": "UPDATE inventory_stock SET reserved = reserved + 1 WHERE on_hand > 1000",
    "I3 what": "UPDATE inventory_stock SET on_hand = on_hand - 1 WHERE on_hand > 1000",
    "I5": """
        INSERT INTO orders_orderevent (order_id, kind, happened_at, detail)
        VALUES (%(sale)s, 'CONFIRMED', now(), '')
    """,
    "I6 no": """
        INSERT INTO orders_sandboxcharge (key, reference, token, amount_minor, currency, status,
                                          refunded_minor, created_at)
        VALUES (gen_random_uuid(), 'astray', 'tok_ok', 1, 'GBP', 'CAPTURED', 0, now())
    """,
    "I6 sold": """
        UPDATE orders_sandboxcharge SET refunded_minor = 1
        WHERE key = (SELECT id FROM orders_payment WHERE order_id = %(sale)s)
    """,
    "I7": """
        UPDATE orders_sandboxcharge SET refunded_minor = 1
        WHERE key = (SELECT id FROM orders_payment WHERE order_id = %(sale)s)
    """,
    "I8": """
        UPDATE orders_order SET email = 'twice@crash.example'
        WHERE id IN (SELECT id FROM orders_order ORDER BY id DESC LIMIT 2)
    """,
    "I10": """
        DELETE FROM shop_inboxmessage WHERE message_id IN
            (SELECT id::text FROM shop_outboxmessage WHERE key = 'order:' || %(sale)s::text)
    """,
    "I11": """
        UPDATE inventory_reservation SET state = 'HELD'
        WHERE state = 'COMMITTED' AND reference = 'order:' || %(sale)s::text
    """,
    "I12": "UPDATE orders_order SET number = 'GONE' WHERE id = %(sale)s",
    "no key": """
        UPDATE shop_idempotencykey SET state = 'STARTED'
        WHERE id = (SELECT max(id) FROM shop_idempotencykey)
    """,
}


def is_at_rest(ground: Ground) -> bool:
    """Tell whether nothing is on its way any more."""
    try:
        with ground.database() as database:
            row = database.execute(_OPEN).fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and row[0] == 0


def breaches(ground: Ground, buyers: Sequence[Buyer]) -> list[str]:
    """Wait for all to be quiet, and return each broken promise in a line: none, in a sound shop."""
    found = [*ground.journal.strange]
    if not until(lambda: is_at_rest(ground), REST_SECONDS, every=0.5):
        found.append(f"something was still on its way after {REST_SECONDS:.0f} s")
    with ground.database() as database:
        found += _broken(ground, database)
    found += _answers_that_differ(ground, buyers)
    found += [f"reconciliation: {text}" for text in ground.findings()]
    return found


def _broken(ground: Ground, database: psycopg.Connection[Any]) -> list[str]:
    found = []
    for check in CHECKS:
        rows = database.execute(check.sql, {"sku": ground.sku, "units": UNITS}).fetchall()
        found += [f"{check.name}: {_told(row)}" for row in rows]
    return found + _acknowledged_and_missing(ground, database)


def blind_spots(ground: Ground) -> list[str]:
    """Damage the books in each way, within a transaction that is rolled back, and look again.

    Returns what was not seen: the negative control of all of the above. Wants quiet, sound books.
    """
    found = []
    for name, damage in DAMAGE.items():
        with ground.database() as database, database.transaction(force_rollback=True):
            sale = database.execute(_A_SALE).fetchone()
            changed = database.execute(damage, {"sale": sale and sale[0]}).rowcount
            seen = [text for text in _broken(ground, database) if text.startswith(name)]
        if changed < 1 or not seen:
            found.append(f"control: {name} was broken in {changed} places, and not seen")
    return found


def lost_and_doubled(found: Sequence[str]) -> tuple[int, int]:
    """Return how many of the breaches are lost orders, and how many are second charges."""
    return (
        sum(text.startswith("I12") for text in found),
        sum(text.startswith(("I6", "I8")) for text in found),
    )


def _told(row: tuple[Any, ...]) -> str:
    return ", ".join(str(value) for value in row)


def _acknowledged_and_missing(ground: Ground, database: psycopg.Connection[Any]) -> list[str]:
    orders = dict(
        database.execute("SELECT number, ARRAY[status, email] FROM orders_order").fetchall()
    )
    found = []
    for told in ground.journal.acknowledged():
        status, email = orders.get(told["number"], ("missing", ""))
        should = "CANCELLED" if told["email"] in ground.journal.cancelled else "CONFIRMED"
        if status != should or email != told["email"]:
            found.append(f"I12 {told['number']}: acknowledged to {told['email']}, and is {status}")
    return found


def _answers_that_differ(ground: Ground, buyers: Sequence[Buyer]) -> list[str]:
    """Ask once more with every key: the same status and the same bytes."""
    first = {told["key"]: told for told in ground.journal.acknowledged()}
    found = []
    for buyer in buyers:
        if buyer.key not in first:
            continue
        again = buyer.check_out().answer
        told = first[buyer.key]
        if again is None or (again.status, hashlib.sha256(again.content).hexdigest()) != (
            told["status"],
            told["digest"],
        ):
            found.append(f"I13 {buyer.email}: told {told['status']}, and now something else")
        elif not again.is_replay:
            found.append(f"I13 {buyer.email}: executed again")
    return found
