"""How many products each further choice would leave."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from catalog.models import SLICES, ProductListing, in_first_slices
from catalog.selectors.listing import RANKED, Listed, Wanted
from shop.money import Money, digits

FACET_VALUES = 50  # of each kind, the most frequent first
OPTION_ROWS = 400  # over all options
# All products are counted where the planner expects so many to fit; else so many of them, chosen
# evenly, stand for the others: fewer where several sets have to be looked at, so that all together
# take no longer. Twice as many are the most that is looked at, whatever the planner expected.
EXACT = 10_000
SAMPLED = 5000
# What buckets of the price facet begin at, in whole units of the currency.
PRICE_STEPS = (0, 10, 25, 50, 100, 250, 500, 1000)

Params = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Facets:
    """The further choices by their kind, and whether their counts are estimates."""

    values: dict[str, list[dict[str, Any]]]
    are_estimates: bool


class _Part(NamedTuple):
    """One kind of choice, and which of the filters its counts do not obey: its own."""

    kind: str
    column: str
    value: str  # as SQL
    params: Params
    limit: int
    without: str | None


class _Take(NamedTuple):
    """How a set of fitting products is looked at."""

    slices: int | None  # of `SLICES`; None: all
    limit: int

    @property
    def scale(self) -> float:
        return 1.0 if self.slices is None else SLICES / self.slices


def facet_counts(*, listed: Listed, wanted: Wanted) -> Facets:
    """Return how many products each further choice would leave, in two queries at any size.

    Each kind obeys the filters of all other kinds, but not its own, so that a second value can
    be chosen beside the first. Counts are exact where the planner expects at most `EXACT` products
    to fit, and else estimated by an even sample. Of a search, whose size nobody knows beforehand,
    the first matches are counted, at most `RANKED`, in one query.
    """
    parts = _parts(listed, wanted)
    sets = tuple(dict.fromkeys(part.without for part in parts))
    try:
        takes = _takes(listed, parts, sets, is_search=bool(wanted.words))
        sql, params = _statement(listed, parts, dict(zip(sets, takes, strict=True)))
    except EmptyResultSet:  # a filter that nothing can fit
        return Facets({"vendor": [], "category": [], "price": []}, are_estimates=False)
    found = _rows(sql, params)
    take_of = {part.kind: takes[sets.index(part.without)] for part in parts}
    seen = {place: count for kind, place, count in found if kind == "seen"}
    are_estimates = any(
        take.slices is not None or seen[f"fitting_{place}"] >= take.limit
        for place, take in enumerate(takes)
    )
    counted = (
        (kind, value, max(1, round(count * take_of[kind].scale)))
        for kind, value, count in found
        if kind != "seen"
    )
    return Facets(_shown(counted, wanted), are_estimates)


def _rows(sql: str, params: Sequence[Any]) -> list[Any]:
    # With its values in it. As a statement that is prepared once for all values, a plan that fits
    # any of them is taken after some calls, and reads ten times as much as the one for these.
    with connection.cursor() as cursor:
        cursor.execute(connection.ops.compose_sql(sql, params))  # type: ignore[attr-defined]  # PostgreSQL has it
        return list(cursor.fetchall())


def _parts(listed: Listed, wanted: Wanted) -> list[_Part]:
    def part(kind: str, column: str, value: str, limit: int, *params: Any) -> _Part:
        return _Part(kind, column, value, params, limit, kind if kind in conditions else None)

    conditions = listed.conditions
    parts = [
        part("vendor", "vendor", "vendor", FACET_VALUES + 1),
        part("category", "category_path", "unnest(category_path)", FACET_VALUES),
        part(
            "price",
            "min_price_minor",
            "width_bucket(min_price_minor, %s::bigint[])::text",
            len(PRICE_STEPS),
            _steps(wanted.currency),
        ),
        part("option", "options", "unnest(options)", OPTION_ROWS),
        part("attr", "attributes", "unnest(attributes)", OPTION_ROWS),
    ]
    # What is filtered by is counted as if it were not.
    parts += [
        part(f"option.{name}", "options", "unnest(options)", OPTION_ROWS)
        for name in sorted(wanted.options)
    ]
    parts += [
        part(f"attr.{name}", "attributes", "unnest(attributes)", OPTION_ROWS)
        for name in sorted(wanted.attributes)
    ]
    return parts


def _takes(
    listed: Listed, parts: Sequence[_Part], sets: Sequence[str | None], *, is_search: bool
) -> list[_Take]:
    if is_search:
        return [_Take(None, 2 * RANKED // (1 + len(sets))) for _ in sets]
    sql, params = _statement(listed, parts, dict.fromkeys(sets))
    ((plan,),) = _rows(f"EXPLAIN (FORMAT JSON) {sql}", params)
    expected = dict(_expected_rows(orjson.loads(plan) if isinstance(plan, str) else plan))
    takes = []
    sampled = 2 * SAMPLED // (1 + len(sets))
    for place in range(len(sets)):
        rows = expected.get(f"CTE fitting_{place}", 0)
        if rows <= EXACT:
            takes.append(_Take(None, 2 * EXACT))
        else:
            takes.append(_Take(max(1, round(SLICES * sampled / rows)), 2 * sampled))
    return takes


def _expected_rows(plan: Any) -> Iterator[tuple[str, int]]:
    if isinstance(plan, list):
        for node in plan:
            yield from _expected_rows(node)
    elif isinstance(plan, dict):
        if "Subplan Name" in plan:
            yield plan["Subplan Name"], plan["Plan Rows"]
        for below in plan.values():
            yield from _expected_rows(below)


def _statement(
    listed: Listed, parts: Sequence[_Part], takes: Mapping[str | None, _Take | None]
) -> tuple[str, list[Any]]:
    """Return the statement that counts every part, each set of products read once."""
    tables, counts = [], []
    params: list[Any] = []
    name_of = {without: f"fitting_{place}" for place, without in enumerate(takes)}
    for without, take in takes.items():
        columns = {part.column for part in parts if part.without == without}
        rows, given = _fitting(listed, without, columns, take)
        tables.append(f"{name_of[without]} AS MATERIALIZED ({rows})")
        params += given
    for part in parts:
        table = name_of[part.without]
        counts.append(
            f"(SELECT %s AS kind, {part.value} AS value, count(*) AS products FROM {table}"  # noqa: S608 — our own
            f" GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT {part.limit})"
        )
        params += [part.kind, *part.params]
    for table in name_of.values():
        counts.append(f"SELECT 'seen', '{table}', count(*) FROM {table}")  # noqa: S608, PERF401 — our own
    return f"WITH {', '.join(tables)} {' UNION ALL '.join(counts)}", params


def _fitting(
    listed: Listed, without: str | None, columns: Collection[str], take: _Take | None
) -> tuple[str, Params]:
    others = [condition for name, condition in listed.conditions.items() if name != without]
    rows: QuerySet[ProductListing, Any] = ProductListing.objects.filter(*others)
    if take is not None and take.slices is not None:
        rows = rows.filter(in_first_slices(take.slices))
    found = rows.values(*sorted(columns))
    sql, params = (found if take is None else found[: take.limit]).query.sql_with_params()
    return sql, tuple(params)


def _shown(
    counted: Iterator[tuple[str, str, int]], wanted: Wanted
) -> dict[str, list[dict[str, Any]]]:
    chosen = {"option": wanted.options, "attr": wanted.attributes}
    facets: dict[str, list[dict[str, Any]]] = {"vendor": [], "category": [], "price": []}
    for kind, value, count in counted:
        if kind == "price":
            facets[kind].append({**_bucket_shown(int(value), wanted.currency), "count": count})
        elif (sort := kind.partition(".")[0]) in chosen:
            name, _, choice = value.partition("=")
            is_own = kind == f"{sort}.{name.lower()}"
            if is_own or (kind == sort and name.lower() not in chosen[sort]):
                facets.setdefault(f"{sort}.{name}", []).append({"value": choice, "count": count})
        elif value:
            facets[kind].append({"value": value, "count": count})
    for kind, entries in facets.items():
        if kind == "price":
            entries.sort(key=lambda entry: int(entry["value"].split("-")[0]))
        else:
            entries.sort(key=lambda entry: (-entry["count"], entry["value"]))
        del entries[FACET_VALUES:]
    return facets


def _steps(currency: str) -> list[int]:
    return [step * 10 ** digits(currency) for step in PRICE_STEPS]


def _bucket_shown(bucket: int, currency: str) -> dict[str, Any]:
    # `value` names the bucket in whole units; the last one is open above.
    steps = _steps(currency)
    is_last = bucket >= len(steps)
    top = "" if is_last else str(PRICE_STEPS[bucket])
    shown: dict[str, Any] = {
        "value": f"{PRICE_STEPS[bucket - 1]}-{top}",
        "min": Money(steps[bucket - 1], currency).as_json(),
    }
    if not is_last:
        # The last amount in it: what `max_price` has to be to get just these.
        shown["max"] = Money(steps[bucket] - 1, currency).as_json()
    return shown
