"""How many products each further choice would leave."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q

from catalog.models import LOOKED_AT_SLICES, SLICES, InFirstSlices, ProductListing
from catalog.selectors.conditions import Condition, as_sql
from catalog.selectors.listing import RANKED, Listed, Wanted
from shop.money import Money, digits

FACET_VALUES = 50  # of each kind, the most frequent first
OPTION_ROWS = 400  # over all options
# All products are counted where the planner expects so many to fit; else so many of them, chosen
# evenly, stand for the others: fewer where several sets have to be looked at, so that all together
# take no longer. Twice as many are the most that is looked at, whatever the planner expected.
EXACT = 10_000
# And where to find them costs no more than this, in the planner's units, of which a page that is
# read is one: what is sold out in a category is a few thousand products among a hundred thousand.
EXACT_COST = 12_000
SAMPLED = 4000
# What buckets of the price facet begin at, in whole units of the currency.
PRICE_STEPS = (0, 10, 25, 50, 100, 250, 500, 1000)

# The filters that the indexes of `LOOKED_AT_SLICES` know.
_COUNTED_BY = frozenset({"category", "tag", "option", "attr", "in_stock", "price"})

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
    params: Params
    limit: int
    without: str | None


class _Expected(NamedTuple):
    """What the planner expects of reading a set of products."""

    rows: int
    cost: float

    def is_small(self, sets: int) -> bool:
        """Whether all of it may be read, beside so many sets in all."""
        return self.rows <= EXACT and self.cost <= 2 * EXACT_COST / (1 + sets)


class _Look(NamedTuple):
    """Products that are read once, for every set of which `without` says what it does not obey.

    A product is read if it fits all of `needs`, and all of `flags` but one at most.
    """

    without: tuple[str | None, ...]
    needs: tuple[str, ...]
    flags: tuple[str, ...]
    limit: int
    slices: int | None = None  # of `SLICES`; None: all

    @property
    def scale(self) -> float:
        return 1.0 if self.slices is None else SLICES / self.slices


def facet_counts(*, listed: Listed, wanted: Wanted) -> Facets:
    """Return how many products each further choice would leave, in two queries at any size.

    Each kind obeys the filters of all other kinds, but not its own, so that a second value can
    be chosen beside the first. Counts are exact where the planner expects at most `EXACT` products
    to fit, to be found for `EXACT_COST`, and else estimated by an even sample. Of a search, whose
    size nobody knows beforehand, the first matches are counted, at most `RANKED`, in one query.
    """
    parts = _parts(listed, wanted)
    sets = tuple(dict.fromkeys(part.without for part in parts))
    try:
        conditions = as_sql(listed.conditions)
    except EmptyResultSet:  # a filter that nothing can fit
        return Facets({"vendor": [], "category": [], "price": []}, are_estimates=False)
    if wanted.words:
        most = 2 * RANKED // (1 + len(sets))
        looks = [_alone(conditions, without)._replace(limit=most) for without in sets]
    else:
        looks = _looks(conditions, sets)
    found = _rows(*_counting(looks, parts, conditions))
    scale_of = {without: look.scale for look in looks for without in look.without}
    scales = {part.kind: scale_of[part.without] for part in parts}
    seen = {value: count for kind, value, count in found if kind == "seen"}
    are_estimates = any(
        look.slices is not None or seen[str(place)] >= look.limit
        for place, look in enumerate(looks)
    )
    counted = (
        (kind, value, max(1, round(count * scales[kind])))
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
    def part(kind: str, column: str, limit: int, *params: Any) -> _Part:
        return _Part(kind, column, params, limit, kind if kind in listed.conditions else None)

    parts = [
        part("vendor", "vendor", FACET_VALUES + 1),
        part("category", "category_path", FACET_VALUES),
        part("price", "min_price_minor", len(PRICE_STEPS), _steps(wanted.currency)),
        part("option", "options", OPTION_ROWS),
        part("attr", "attributes", OPTION_ROWS),
    ]
    # What is filtered by is counted as if it were not.
    parts += [part(f"option.{name}", "options", OPTION_ROWS) for name in sorted(wanted.options)]
    parts += [part(f"attr.{name}", "attributes", OPTION_ROWS) for name in sorted(wanted.attributes)]
    return parts


# Which products are read --------------------------------------------------------------------------


def _looks(conditions: Mapping[str, Condition], sets: Sequence[str | None]) -> list[_Look]:
    """Return how the sets are read, by what the planner expects of each. One query.

    Each by itself, or, where one of the filters leaves few enough, all that obey it at once.
    """
    alone = {without: _alone(conditions, without) for without in sets}
    together = {
        pivot: _around(conditions, pivot, sets) for pivot in sets if pivot and len(sets) > 2
    }
    expected = _expected([*alone.values(), *together.values()], conditions)
    by_itself = dict(zip(sets, expected, strict=False))
    shared = dict(zip(together, expected[len(sets) :], strict=True))
    spared = {
        pivot: sum(by_itself[without].cost for without in together[pivot].without) - read.cost
        for pivot, read in shared.items()
        if read.is_small(len(sets))
    }
    pivot = max(spared, key=lambda name: spared[name], default=None)
    if pivot is not None and spared[pivot] > 0:
        looks, reads = [together[pivot], alone[pivot]], [shared[pivot], by_itself[pivot]]
    else:
        looks, reads = list(alone.values()), [by_itself[without] for without in sets]
    sampled = 2 * SAMPLED // (1 + len(sets))
    return [
        look if read.is_small(len(sets)) else _sample(look, read.rows, sampled)
        for look, read in zip(looks, reads, strict=True)
    ]


def _alone(conditions: Collection[str], without: str | None) -> _Look:
    needs = tuple(name for name in conditions if name != without)
    return _Look((without,), needs, (), 2 * EXACT)


def _around(conditions: Collection[str], pivot: str, sets: Sequence[str | None]) -> _Look:
    """Return the look at what fits `pivot`, for all sets that obey it."""
    flags = tuple(name for name in sets if name is not None and name != pivot)
    needs = tuple(name for name in conditions if name not in flags)
    return _Look(tuple(name for name in sets if name != pivot), needs, flags, 2 * EXACT)


def _sample(look: _Look, expected: int, sampled: int) -> _Look:
    slices = min(LOOKED_AT_SLICES, max(1, round(SLICES * sampled / max(1, expected))))
    return look._replace(slices=slices, limit=2 * sampled)


def _expected(looks: Sequence[_Look], conditions: Mapping[str, Condition]) -> list[_Expected]:
    tables, params = _tables([(look, ()) for look in looks], conditions, are_limited=False)
    read = " UNION ALL ".join(f"SELECT FROM look_{place}" for place in range(len(looks)))
    ((plan,),) = _rows(f"EXPLAIN (FORMAT JSON) WITH {tables} {read}", params)
    found = dict(_plans_of_tables(orjson.loads(plan) if isinstance(plan, str) else plan))
    return [found.get(f"CTE look_{place}", _Expected(0, 0.0)) for place in range(len(looks))]


def _plans_of_tables(plan: Any) -> Iterator[tuple[str, _Expected]]:
    if isinstance(plan, list):
        for node in plan:
            yield from _plans_of_tables(node)
    elif isinstance(plan, dict):
        if "Subplan Name" in plan:
            yield plan["Subplan Name"], _Expected(plan["Plan Rows"], plan["Total Cost"])
        for below in plan.values():
            yield from _plans_of_tables(below)


# The statement ------------------------------------------------------------------------------------


def _counting(
    looks: Sequence[_Look], parts: Sequence[_Part], conditions: Mapping[str, Condition]
) -> tuple[str, list[Any]]:
    """Return the statement that counts every part, each product read once a look."""
    columns = [
        sorted({part.column for part in parts if part.without in look.without}) for look in looks
    ]
    tables, params = _tables(list(zip(looks, columns, strict=True)), conditions)
    counts = []
    for part in parts:
        place = next(n for n, look in enumerate(looks) if part.without in look.without)
        flags = looks[place].flags
        fits = [f"fits_{n}" for n, name in enumerate(flags) if name != part.without]
        rows = f"look_{place}" + (f" WHERE {' AND '.join(fits)}" if fits else "")
        counts.append(f"({_count(part.column, rows)} LIMIT {part.limit})")
        params += [part.kind, *part.params]
    counts += [
        f"SELECT 'seen', '{place}', count(*) FROM look_{place}"  # noqa: S608 — our own
        for place in range(len(looks))
    ]
    return f"WITH {tables} {' UNION ALL '.join(counts)}", params


def _count(column: str, rows: str) -> str:
    # Products stand on few shelves: each path is counted whole, and taken apart afterwards.
    if column == "category_path":
        return (
            "SELECT %s AS kind, unnest(category_path) AS value, sum(products)::bigint AS products"  # noqa: S608 — our own
            f" FROM (SELECT category_path, count(*) AS products FROM {rows} GROUP BY 1) shelf"
            " GROUP BY 2 ORDER BY 3 DESC, 2"
        )
    value = {
        "min_price_minor": "width_bucket(min_price_minor, %s::bigint[])::text",
        "options": "unnest(options)",
        "attributes": "unnest(attributes)",
    }.get(column, column)
    return (
        f"SELECT %s AS kind, {value} AS value, count(*) AS products"  # noqa: S608 — our own
        f" FROM {rows} GROUP BY 2 ORDER BY 3 DESC, 2"
    )


def _tables(
    read: Sequence[tuple[_Look, Sequence[str]]],
    conditions: Mapping[str, Condition],
    *,
    are_limited: bool = True,
) -> tuple[str, list[Any]]:
    """Return the looks as common tables of these columns, and of whether each flag is set."""
    tables = []
    params: list[Any] = []
    for place, (look, columns) in enumerate(read):
        flags = [conditions[name] for name in look.flags]
        shown = [*columns, *(f"{flag.sql} AS fits_{n}" for n, flag in enumerate(flags))]
        needs = [conditions[name] for name in look.needs]
        where = [need.sql for need in needs]
        if look.slices is not None:
            where += _in_slices(look)
        params += [value for flag in flags for value in flag.params]
        params += [value for need in needs for value in need.params]
        if len(flags) > 1:
            met = " + ".join(f"{flag.sql}::int" for flag in flags)
            where.append(f"{met} >= {len(flags) - 1}")
            params += [value for flag in flags for value in flag.params]
        limit = f" LIMIT {look.limit}" if are_limited else ""
        tables.append(
            f"look_{place} AS MATERIALIZED (SELECT {', '.join(shown)}"  # noqa: S608 — our own
            f" FROM {ProductListing._meta.db_table} WHERE {' AND '.join(where)}{limit})"
        )
    return ", ".join(tables), params


def _in_slices(look: _Look) -> list[str]:
    slices = look.slices or LOOKED_AT_SLICES
    found = as_sql({"": Q(InFirstSlices(slices)), "all": Q(InFirstSlices(LOOKED_AT_SLICES))})
    if slices < LOOKED_AT_SLICES / 2 or not _COUNTED_BY.intersection(
        name.partition(".")[0] for name in look.needs
    ):
        return [found[""].sql]
    # Not for the index of slices: its entries would be many more than the rows that it spares, of
    # those that the indexes of `LOOKED_AT_SLICES` give.
    return [found["all"].sql, f"{found[''].sql} IS TRUE"]


# The answer ---------------------------------------------------------------------------------------


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
