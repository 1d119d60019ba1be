"""What a check of the books is, and how several are run as of one moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

# A pending order may outlive its hold by this much before somebody should ask why.
HOLD_PATIENCE = timedelta(minutes=2)
# A payment, a refund or an idempotency key may be open, with nobody asking, for this long.
OPEN_PATIENCE = timedelta(minutes=10)
# A message may wait so long to be relayed.
OUTBOX_PATIENCE = timedelta(seconds=60)
# Providers keep money aside for about a week; from this age on somebody must capture it,
AUTHORIZATION_AGE = timedelta(days=4)
# or when the provider says that so little of its time is left.
AUTHORIZATION_LEFT = timedelta(hours=24)


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

    `sql` gives reference, expected and found for each breach. `mending` says what a machine may do
    about one, as it is right whatever else happened; where it is empty, a person must decide.
    """

    name: str
    promise: str
    sql: str
    mending: str = ""


def facts_at(now: datetime) -> dict[str, Any]:
    """Return the parameters that the statements of all checks take."""
    return {
        "now": now,
        "hold_patience": HOLD_PATIENCE,
        "open_patience": OPEN_PATIENCE,
        "outbox_patience": OUTBOX_PATIENCE,
        "authorization_age": AUTHORIZATION_AGE,
        "authorization_left": AUTHORIZATION_LEFT,
    }


def findings_of(checks: Iterable[Check], *, now: datetime) -> list[Finding]:
    """Return what these checks find, one statement each, in the caller's transaction."""
    facts = facts_at(now)
    found: list[Finding] = []
    with connection.cursor() as cursor:
        for check in checks:
            cursor.execute(check.sql, facts)
            found.extend(Finding(check.name, *map(str, row)) for row in cursor.fetchall())
    return found
