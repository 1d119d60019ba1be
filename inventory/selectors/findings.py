"""What the last reconciliations saw: for staff, and for whoever watches the shop."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.query import RawQuerySet
from prometheus_client.core import GaugeMetricFamily

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


# Among the latest runs, days of them, so that it costs the same however many are kept.
_LAST_RUNS = """
SELECT r.scope, extract(epoch FROM r.started_at), r.seconds, c.name,
       (SELECT count(*) FROM inventory_reconciliationfinding f
        WHERE f.scope = r.scope AND f.kind = c.name AND f.state = 'OPEN')
FROM (
    SELECT DISTINCT ON (scope) *
    FROM (SELECT * FROM inventory_reconciliationrun ORDER BY id DESC LIMIT 3000) latest
    ORDER BY scope, id DESC
) r
CROSS JOIN LATERAL unnest(r.checks) AS c(name)
ORDER BY r.scope, c.name
"""


def reconciliation_metrics() -> list[GaugeMetricFamily]:
    """Return what is open by scope and check, and when each scope was last looked at.

    From the database, as the process that looks is seldom the one that is asked.
    """
    findings = GaugeMetricFamily(
        "shop_reconciliation_findings",
        "Places where the books disagree, as of the last reconciliation.",
        labels=["scope", "check"],
    )
    last = GaugeMetricFamily(
        "shop_reconciliation_last_run_timestamp_seconds",
        "When the books of a scope were last looked at.",
        labels=["scope"],
    )
    took = GaugeMetricFamily(
        "shop_reconciliation_last_run_seconds", "How long that took.", labels=["scope"]
    )
    with connection.cursor() as cursor:
        cursor.execute(_LAST_RUNS)
        rows = cursor.fetchall()
    for scope, _, _, check, count in rows:
        findings.add_metric([scope, check], count)
    for scope, started_at, seconds in {row[:3] for row in rows}:
        last.add_metric([scope], float(started_at))
        took.add_metric([scope], seconds)
    return [findings, last, took]
