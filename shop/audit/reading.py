"""Reading what was changed: newest first, of all tables or one row, with before and after."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, OuterRef, Q, QuerySet, Subquery

from shop.audit.tracking import INSERTED, NEW, OLD, tables_of_changes

AT_ONCE = 5000  # rows that a round of pruning deletes of each table


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, before and after; None before an insert and after a deletion."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One row, changed once."""

    table: str  # as Django names it: catalog.Product
    row: int
    kind: str  # insert, update or delete
    at: datetime
    user_id: int | None
    request_id: str
    through: str  # api, admin, or a command; empty where nobody said
    differences: tuple[Difference, ...]
    place: str  # the cursor that goes on behind it


@dataclass(frozen=True, slots=True)
class Asked:
    """Which changes; empty is any."""

    table: str = ""
    row: int | None = None
    user_id: int | None = None
    before: str = ""  # the `place` of the last one that was seen


def changes(asked: Asked, *, limit: int) -> list[Change]:
    """Return changes, newest first, at most `limit`.

    One query for each table and one more for those that updates are shown of, at any size.
    A `before` that is no place, and a table that is not tracked, find nothing.
    """
    tables = tables_of_changes()
    try:
        after = _read_place(asked.before) if asked.before else None
    except ValueError:
        return []
    found: list[tuple[datetime, int, Any]] = []
    for rank, (label, table) in enumerate(tables.items()):
        if asked.table in ("", label):
            rows = _rows(table, asked, rank, after)[:limit]
            found += [(row.pgh_created_at, -rank, row) for row in rows]
    found.sort(key=lambda one: (one[0], one[1], one[2].pgh_id), reverse=True)
    shown = found[:limit]
    before = _rows_before([row for _, _, row in shown])
    labels = list(tables)
    return [_change(labels[-rank], -rank, row, before.get(_key(row))) for _, rank, row in shown]


def prune_changes(*, now: datetime, keep_days: int) -> int:
    """Delete changes older than `keep_days`, some thousands at a time. Safe to repeat."""
    deleted = 0
    for table in tables_of_changes().values():
        rows = table._default_manager.filter(pgh_created_at__lt=now - timedelta(days=keep_days))
        old = list(rows.order_by("pgh_created_at").values_list("pk", flat=True)[:AT_ONCE])
        if old:
            deleted += table._default_manager.filter(pk__in=old).delete()[0]
    return deleted


def _rows(
    table: type[Model], asked: Asked, rank: int, after: tuple[datetime, int, int] | None
) -> QuerySet[Any]:
    rows: QuerySet[Any] = table._default_manager.exclude(pgh_label=OLD)
    if asked.row is not None:
        rows = rows.filter(pgh_obj_id=asked.row)
    if asked.user_id is not None:
        rows = rows.filter(pgh_context__user=asked.user_id)
    if after is not None:
        at, last_rank, last_id = after
        if rank == last_rank:
            rows = rows.filter(Q(pgh_created_at__lt=at) | Q(pgh_created_at=at, pgh_id__lt=last_id))
        elif rank > last_rank:  # of one moment, tables come in their order
            rows = rows.filter(pgh_created_at__lte=at)
        else:
            rows = rows.filter(pgh_created_at__lt=at)
    return rows.order_by("-pgh_created_at", "-pgh_id")


def _rows_before(shown: Iterable[Any]) -> dict[tuple[type[Any], int], Any]:
    """Return the row that an update wrote beside each of these: how it was before."""
    of_table: dict[type[Any], list[int]] = {}
    for row in shown:
        if row.pgh_label == NEW:
            of_table.setdefault(type(row), []).append(row.pgh_id)
    found: dict[tuple[type[Any], int], Any] = {}
    for table, ids in of_table.items():
        # Written just before it, under the row's lock: nothing of this row is between them.
        earlier = table._default_manager.filter(
            pgh_label=OLD, pgh_obj_id=OuterRef("pgh_obj_id"), pgh_id__lt=OuterRef("pgh_id")
        ).order_by("-pgh_id")
        pairs = dict(
            table._default_manager.filter(pk__in=ids).values_list(
                "pgh_id", Subquery(earlier.values("pgh_id")[:1])
            )
        )
        old = table._default_manager.in_bulk(pairs.values())
        found |= {(table, new): old[before] for new, before in pairs.items() if before in old}
    return found


def _key(row: Any) -> tuple[type[Any], int]:
    return type(row), row.pgh_id


def _change(label: str, rank: int, row: Any, before: Any) -> Change:
    told = row.pgh_context or {}
    is_update = row.pgh_label == NEW
    old = before if is_update else (None if row.pgh_label == INSERTED else row)
    new = row if is_update or row.pgh_label == INSERTED else None
    return Change(
        table=label,
        row=row.pgh_obj_id,
        kind="update" if is_update else row.pgh_label,
        at=row.pgh_created_at,
        user_id=told.get("user"),
        request_id=told.get("request", ""),
        through=told.get("through", ""),
        differences=tuple(_differences(type(row), old, new)),
        place=f"{row.pgh_created_at.isoformat()}_{rank}_{row.pgh_id}",
    )


def _differences(table: Any, old: Any, new: Any) -> Iterable[Difference]:
    for field in table._meta.concrete_fields:
        if field.name.startswith("pgh_"):
            continue
        was, is_now = (getattr(row, field.attname, None) for row in (old, new))
        if was != is_now:
            yield Difference(field.name, was, is_now)


def _read_place(text: str) -> tuple[datetime, int, int]:
    at, rank, number = text.rsplit("_", 2)
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return moment, int(rank), int(number)
