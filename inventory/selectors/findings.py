"""What the last reconciliations saw."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.db.models.query import RawQuerySet

from inventory.models import ReconciliationFinding, ReconciliationRun

# A run is told with no more findings than this; its count says how many there were.
SHOWN_FINDINGS = 100

# The runs that saw a finding are all of its scope from its first to its last, as one that did not
# see it would have resolved it.
_SEEN_BY = """
SELECT r.id AS run_id, f.*
FROM inventory_reconciliationrun r
CROSS JOIN LATERAL (
    SELECT * FROM inventory_reconciliationfinding
    WHERE scope = r.scope AND first_run_id <= r.id AND last_run_id >= r.id
    ORDER BY id LIMIT %s
) f
WHERE r.id = ANY(%s::bigint[]) AND r.found > 0
ORDER BY r.id, f.id
"""


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run and what it saw, the first hundred."""

    run: ReconciliationRun
    findings: list[ReconciliationFinding]


def reconciliation_runs(*, scope: str | None = None) -> QuerySet[ReconciliationRun]:
    """Return the runs, of all scopes or one."""
    found = ReconciliationRun.objects.all()
    return found if scope is None else found.filter(scope=scope)


def with_findings(runs: Sequence[ReconciliationRun]) -> list[SeenRun]:
    """Return these runs, each with what it saw, oldest first; in one query."""
    seen: dict[int, list[ReconciliationFinding]] = defaultdict(list)
    found: RawQuerySet[Any] = ReconciliationFinding.objects.raw(
        _SEEN_BY, [SHOWN_FINDINGS, [run.pk for run in runs]]
    )
    for finding in found:
        seen[finding.run_id].append(finding)
    return [SeenRun(run, seen[run.pk]) for run in runs]
