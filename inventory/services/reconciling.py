"""Looking whether the books of the stock agree, and mending what is certain."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter

from django.db import connection, transaction

from inventory.models import ReconciliationRun, Stock
from inventory.selectors import CHECKS, Drift, drifted_stock
from inventory.services.counters import locked_levels, tell_of_change
from inventory.services.recording import (
    Break,
    Repair,
    record_reconciliation,
    resolve_finding,
)
from inventory.services.stock import release_stock
from shop.db.alone import alone
from shop.db.retry import retried

SCOPE = "inventory"

_LOCK = 7_302_003  # any number, the same for every process, and no other lock's

# Faults of a counter, which ledger and reservations can testify against.
_COUNTER_KINDS = frozenset(
    {
        "on_hand_is_ledger_sum",
        "reserved_is_ledger_sum",
        "reserved_is_open_reservations",
        "counters_in_range",
        "ledger_ends_at_the_counters",
    }
)
_OVERDUE = "no_hold_overdue"

# What the ledger and the reservations of one stock say, read under its lock. They testify only if
# no row of theirs contradicts another.
_TESTIMONY = """
WITH chain AS (
    SELECT cause, kind, delta_on_hand, delta_reserved,
           coalesce(lag(on_hand_after) OVER told, 0) + delta_on_hand = on_hand_after
           AND coalesce(lag(reserved_after) OVER told, 0) + delta_reserved = reserved_after
               AS follows
    FROM inventory_stockmovement WHERE stock_id = %(stock)s
    WINDOW told AS (ORDER BY id)
), promised AS (
    SELECT coalesce(r.units, 0) = coalesce(m.units, 0) AS agrees, coalesce(r.units, 0) AS units
    FROM (
        SELECT reference, CASE WHEN state IN ('HELD', 'OWED') THEN quantity ELSE 0 END AS units
        FROM inventory_reservation WHERE stock_id = %(stock)s
    ) r
    FULL JOIN (
        SELECT cause, sum(delta_reserved) AS units FROM chain
        WHERE kind IN ('RESERVATION', 'RELEASE', 'SALE') GROUP BY cause
    ) m ON m.cause = r.reference
)
SELECT coalesce(sum(delta_on_hand), 0), coalesce(sum(delta_reserved), 0),
       coalesce(bool_and(follows), true)
       AND (SELECT coalesce(bool_and(agrees), true) FROM promised)
       AND coalesce(sum(delta_reserved), 0) = (SELECT coalesce(sum(units), 0) FROM promised)
FROM chain
"""

_REBUILD = """
WITH rebuilt AS (
    UPDATE inventory_stock SET on_hand = %(on_hand)s, reserved = %(reserved)s WHERE id = %(stock)s
    RETURNING id, on_hand, reserved
)
INSERT INTO inventory_stockmovement
    (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
     reason, cause, actor_id, happened_at)
SELECT id, 'CORRECTION', 0, 0, on_hand, reserved, %(reason)s, %(cause)s, NULL, %(now)s::timestamptz
FROM rebuilt
"""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A look at all books of the stock: the run that was stored, and what it saw."""

    run: ReconciliationRun
    drifts: list[Drift]


def reconcile_stock(*, now: datetime) -> Reconciliation | None:
    """Look whether all books of the stock agree, as of one moment, and remember what was seen.

    One at a time: None when another process is at it. Never call it in a transaction: the look
    needs a snapshot of its own. Safe to repeat, and to be killed at any line.
    """
    with alone(_LOCK) as is_mine:
        if not is_mine:
            return None
        started = perf_counter()
        drifts = drifted_stock(now=now)
        run = record_reconciliation(
            scope=SCOPE,
            checks=[check.name for check in CHECKS],
            breaks=[_break(drift) for drift in drifts],
            now=now,
            seconds=perf_counter() - started,
        )
    return Reconciliation(run, drifts)


def repair_stock(*, drifts: Iterable[Drift], now: datetime) -> list[Repair]:
    """Mend what is certain among these, and return what was done; the rest stays as it is.

    Certain is a counter that differs from a ledger which contradicts neither itself nor the
    reservations: it is rebuilt under the lock of its row, with a ledger row that says so. And a
    hold long past its end, in stocks whose books agree otherwise: it is released. Each repair is
    a transaction, and ends its findings in it. Safe to repeat.
    """
    at: dict[tuple[str, str], list[Drift]] = defaultdict(list)
    for drift in drifts:
        at[drift.sku, drift.warehouse].append(drift)
    repairs: list[Repair] = []
    unsound: set[tuple[str, str]] = set()
    for place, found in at.items():
        wrong = [drift for drift in found if drift.check != _OVERDUE]
        if not wrong:
            continue
        repair = None
        if all(drift.check in _COUNTER_KINDS for drift in wrong):
            repair = _rebuild(wrong, now=now)
        if repair is not None:
            repairs.append(repair)
        else:
            unsound.add(place)
    overdue: dict[str, list[Drift]] = defaultdict(list)
    for found in at.values():
        for drift in found:
            if drift.check == _OVERDUE:
                overdue[drift.subject].append(drift)
    for reference, held in overdue.items():
        if not any((drift.sku, drift.warehouse) in unsound for drift in held):
            repairs.append(_release(reference, held, now=now))
    return repairs


@retried
@transaction.atomic(durable=True)
def _rebuild(wrong: list[Drift], *, now: datetime) -> Repair | None:
    """Bring one stock's counters back to its ledger, if that is certain to be right."""
    stock = Stock.objects.select_related("warehouse").get(
        variant__sku=wrong[0].sku, warehouse__code=wrong[0].warehouse
    )
    levels = locked_levels([stock.variant_id])
    level = next(one for one in levels if one.stock_id == stock.pk)
    with connection.cursor() as cursor:
        cursor.execute(_TESTIMONY, {"stock": stock.pk})
        on_hand, reserved, is_certain = cursor.fetchone()
    is_right = (level.on_hand, level.reserved) == (on_hand, reserved)
    is_allowed = on_hand >= 0 and 0 <= reserved <= on_hand + level.backorder_limit
    if is_right or not is_certain or not is_allowed:
        return None
    done = (
        f"Counters rebuilt from the ledger: on hand {level.on_hand} → {on_hand}, "
        f"reserved {level.reserved} → {reserved}"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _REBUILD,
            {
                "stock": stock.pk,
                "on_hand": on_hand,
                "reserved": reserved,
                "reason": done,
                "cause": f"correction:{uuid.uuid4()}",
                "now": now,
            },
        )
    rebuilt = replace(level, on_hand=on_hand, reserved=reserved)
    tell_of_change(levels, [rebuilt if one is level else one for one in levels])
    _resolve(wrong, resolution=done, now=now)
    return Repair(_place(wrong[0]), done)


@retried
@transaction.atomic(durable=True)
def _release(reference: str, held: list[Drift], *, now: datetime) -> Repair:
    done = "Released: it was to end long ago"
    release_stock(reference=reference, now=now, reason=done)
    _resolve(held, resolution=done, now=now)
    return Repair(reference, done)


def _resolve(drifts: Iterable[Drift], *, resolution: str, now: datetime) -> None:
    for drift in drifts:
        found = _break(drift)
        resolve_finding(
            scope=SCOPE,
            kind=found.kind,
            reference=found.reference,
            resolution=resolution,
            now=now,
        )


def _place(drift: Drift) -> str:
    return f"{drift.sku} in {drift.warehouse}"


def _break(drift: Drift) -> Break:
    return Break(
        kind=drift.check,
        reference=f"{_place(drift)}, {drift.subject}",
        expected=str(drift.expected),
        found=str(drift.found),
        detail=drift.detail,
    )
