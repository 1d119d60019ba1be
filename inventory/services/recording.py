"""Remembering where books disagree: runs and findings, of stock and of whatever floor asks."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from inventory.models import ReconciliationFinding, ReconciliationRun

KEEP_CLEAN_RUNS = timedelta(days=30)

_STORE = """
INSERT INTO inventory_reconciliationfinding AS f
    (scope, kind, reference, expected, found, detail, state, first_seen_at, last_seen_at,
     resolution, first_run_id, last_run_id)
SELECT %(scope)s, b.kind, b.reference, left(b.expected, 100), left(b.found, 100),
       left(b.detail, 500), 'OPEN', %(now)s::timestamptz,
       %(now)s::timestamptz, '', %(run)s, %(run)s
FROM unnest(%(kinds)s::text[], %(references)s::text[], %(expected)s::text[], %(found)s::text[],
            %(details)s::text[]) AS b(kind, reference, expected, found, detail)
ORDER BY b.kind, b.reference
ON CONFLICT (scope, kind, reference) WHERE state = 'OPEN'
DO UPDATE SET expected = excluded.expected, found = excluded.found, detail = excluded.detail,
              last_seen_at = excluded.last_seen_at, last_run_id = excluded.last_run_id
RETURNING f.first_run_id = %(run)s
"""


@dataclass(frozen=True, slots=True)
class Break:
    """One place where some books disagree: `kind` is the check, `reference` the place."""

    kind: str
    reference: str
    expected: str
    found: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that was mended: where, and what was done."""

    reference: str
    done: str


def record_reconciliation(
    *,
    scope: str,
    checks: Collection[str],
    breaks: Iterable[Break],
    now: datetime,
    seconds: float,
    unseen: Collection[str] = (),
) -> ReconciliationRun:
    """Store a full look at the books of `scope`, and what it saw.

    What was seen before stays one row; what is no longer there is resolved. What `unseen` checks
    found before stays as it was: this time they could not look, as when a payment provider does
    not answer. The same number of statements whatever was found. One call at a time for a scope.
    """
    # A place is named once, even if a check comes upon it twice.
    seen = {(found.kind, found.reference): found for found in breaks}
    looked = [check for check in checks if check not in unseen]
    return _stored(scope, looked, list(seen.values()), now=now, seconds=seconds, unseen=unseen)


def resolve_finding(
    *, scope: str, kind: str, reference: str, resolution: str, now: datetime
) -> bool:
    """Note how a finding ended; False if it is not open. Joins the caller's transaction."""
    return bool(
        ReconciliationFinding.objects.filter(
            scope=scope,
            kind=kind,
            reference=reference,
            state=ReconciliationFinding.State.OPEN,
        ).update(state=ReconciliationFinding.State.RESOLVED, resolved_at=now, resolution=resolution)
    )


@transaction.atomic
def _stored(
    scope: str,
    checks: Collection[str],
    breaks: list[Break],
    *,
    now: datetime,
    seconds: float,
    unseen: Collection[str],
) -> ReconciliationRun:
    run = ReconciliationRun.objects.create(
        scope=scope,
        started_at=now,
        seconds=round(seconds, 3),
        checks=list(checks),
        found=len(breaks),
        new=0,
        resolved=0,
    )
    new = 0
    if breaks:
        with connection.cursor() as cursor:
            cursor.execute(
                _STORE,
                {
                    "scope": scope,
                    "now": now,
                    "run": run.pk,
                    "kinds": [found.kind for found in breaks],
                    "references": [found.reference for found in breaks],
                    "expected": [found.expected for found in breaks],
                    "found": [found.found for found in breaks],
                    "details": [found.detail for found in breaks],
                },
            )
            new = sum(is_new for (is_new,) in cursor.fetchall())
    is_gone = ReconciliationFinding.objects.filter(
        scope=scope, state=ReconciliationFinding.State.OPEN
    ).exclude(last_run=run)
    if unseen:
        is_gone = is_gone.exclude(kind__in=unseen)
    resolved = is_gone.update(
        state=ReconciliationFinding.State.RESOLVED,
        resolved_at=now,
        resolution="No longer there",
    )
    if new or resolved:
        run.new, run.resolved = new, resolved
        run.save(update_fields=["new", "resolved"])
    ReconciliationRun.objects.filter(
        scope=scope, found=0, started_at__lt=now - KEEP_CLEAN_RUNS
    ).delete()
    return run
