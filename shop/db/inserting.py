"""Writing a row, new or changed, together with those that go with it, in one statement.

The statements are made once, and rows travel as one JSON text each table: Django would make the SQL
anew for each call, and prepare and name a parameter for each field of each row, which takes longer
than to write them. A row's values are those that its fields give.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import (
    BooleanField,
    CharField,
    Field,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    TextField,
    UUIDField,
)
from psycopg.sql import SQL, Composable, Identifier

from shop.db.updating import Change, FoundAs, RowNotFound, update_of

# What these make of a value of this very type is the value.
_KEPT_AS_IT_IS: dict[Any, type] = {
    CharField.get_prep_value: str,
    TextField.get_prep_value: str,
    IntegerField.get_prep_value: int,
    BooleanField.get_prep_value: bool,
    UUIDField.get_prep_value: UUID,
}


class _Column(NamedTuple):
    """Where a field's values go. One of type `kept` goes there without being asked about."""

    field: Field[Any, Any]
    name: str
    attribute: str
    kept: type | None


def insert_with(parent: Model, children: Sequence[Model]) -> None:
    """Insert `parent` and `children`, whose foreign key to it is filled in, in one statement.

    Does what `save(force_insert=True)` and `bulk_create` would do, in one round trip: values are
    prepared by Django's fields, and all rows get their keys. For a parent whose key the database
    makes, and rows without database defaults; children of one model stand side by side.
    """
    batches = [list(batch) for _, batch in groupby(children, key=type)]
    shape = tuple((type(batch[0]), _has_key(batch[0])) for batch in batches)
    params = [_rows([parent], _fields(type(parent), with_key=False))]
    for batch, (model, has_key) in zip(batches, shape, strict=True):
        params.append(_rows(batch, _other_fields(model, type(parent), with_key=has_key)))
    with connection.cursor() as cursor:
        cursor.execute(_statement(type(parent), shape), params)
        parent_key, *child_keys = cursor.fetchone()
    _is_there(parent, parent_key)
    for batch, keys in zip(batches, child_keys, strict=True):
        link = _link(type(batch[0]), type(parent))
        for child, key in zip(batch, keys, strict=True):
            setattr(child, link.name, parent)
            _is_there(child, child.pk or key)


def insert_all(rows: Sequence[Model]) -> None:
    """Insert rows of one model whose keys the database makes, and which get them. One statement."""
    if not rows:
        return
    model = type(rows[0])
    with connection.cursor() as cursor:
        cursor.execute(_alone(model), [_rows(rows, _fields(model, with_key=False))])
        for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
            _is_there(row, key)


def update_with(
    row: Model,
    names: Sequence[str],
    others: Sequence[Model],
    *,
    beside: Sequence[Change] = (),
    found_as: FoundAs | None = None,
) -> None:
    """Do what `update_row(row, names)` does, and insert `others`, in one statement or not at all.

    The keys of the others are made by the database; those of one model stand side by side. Changes
    `beside` end in their WHERE, and are of rows of other tables that nobody else can change while
    this row is locked: none of them is missed. With `found_as` the row has to stand as that says,
    which is seen under its lock. Raises RowNotFound: then nothing is locked and nothing was done.
    """
    batches = [list(batch) for _, batch in groupby(others, key=type)]
    update, params = update_of(row, names, found_as=found_as)
    sql = _changing(
        update,
        type(row),
        tuple(type(batch[0]) for batch in batches),
        tuple(change.sql for change in beside),
    )
    params = [
        *params,
        *(value for change in beside for value in change.params),
        *(_rows(batch, _fields(type(batch[0]), with_key=False)) for batch in batches),
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found, *made = cursor.fetchone()
    if not found:
        raise RowNotFound("update_with did not find its row.")
    for batch, keys in zip(batches, made, strict=True):
        for other, key in zip(batch, keys, strict=True):
            _is_there(other, key)


@lru_cache(maxsize=64)
def _alone(model: type[Model]) -> str:
    return _insert(model, _fields(model, with_key=False)).as_string()


@lru_cache(maxsize=64)
def _changing(
    update: str, model: type[Model], others: tuple[type[Model], ...], beside: tuple[str, ...]
) -> str:
    key = Identifier(model._meta.pk.column)
    parts: list[Composable] = [
        # The texts of `update_of` and its like, in which no value stands.
        SQL("changed AS ({} RETURNING {})").format(SQL(update), key),
        # Not at all where the row was not found, and so only ever under its lock.
        *(
            SQL("{} AS ({} AND EXISTS (SELECT FROM changed))").format(
                Identifier(f"beside_{place}"), SQL(change)
            )
            for place, change in enumerate(beside)
        ),
    ]
    made: list[Composable] = [SQL("EXISTS (SELECT FROM changed)")]
    for place, other in enumerate(others):
        insert = _insert(other, _fields(other, with_key=False), joined=SQL("changed"))
        name = Identifier(f"other_{place}")
        parts.append(SQL("{} AS ({})").format(name, insert))
        made.append(SQL("ARRAY(SELECT key FROM {} ORDER BY key)").format(name))
    return SQL("WITH {} SELECT {}").format(_listed(parts), _listed(made)).as_string()


@lru_cache(maxsize=64)
def _statement(parent: type[Model], shape: tuple[tuple[type[Model], bool], ...]) -> str:
    insert = _insert(parent, _fields(parent, with_key=False))
    parts: list[Composable] = [SQL("parent AS ({})").format(insert)]
    keys: list[Composable] = [SQL("(SELECT key FROM parent)")]
    for place, (model, has_key) in enumerate(shape):
        rest = _other_fields(model, parent, with_key=has_key)
        insert = _insert(model, rest, link=_link(model, parent))
        name = Identifier(f"child_{place}")
        parts.append(SQL("{} AS ({})").format(name, insert))
        # Keys are given out in the order of the rows.
        keys.append(SQL("ARRAY(SELECT key FROM {} ORDER BY key)").format(name))
    return SQL("WITH {} SELECT {}").format(_listed(parts), _listed(keys)).as_string()


def _insert(
    model: type[Model],
    columns: Sequence[_Column],
    *,
    link: Field[Any, Any] | None = None,
    joined: Composable | None = None,
) -> Composable:
    names: list[Composable] = [Identifier(column.name) for column in columns]
    values: list[Composable] = [SQL("r.{}").format(name) for name in names]
    if link is not None:
        names.insert(0, Identifier(link.column))
        values.insert(0, SQL("(SELECT key FROM parent)"))
    table = Identifier(model._meta.db_table)
    rows: Composable = SQL("jsonb_populate_recordset(NULL::{}, %s::jsonb) r").format(table)
    return SQL(
        "INSERT INTO {table} ({names}) SELECT {values} FROM {source} RETURNING {key} AS key"
    ).format(
        table=table,
        names=_listed(names),
        values=_listed(values),
        source=_listed([joined, rows] if joined else [rows]),
        key=Identifier(model._meta.pk.column),
    )


def _listed(parts: Sequence[Composable]) -> Composable:
    return SQL(", ").join(parts)


def _has_key(row: Model) -> bool:
    return row.pk is not None


@lru_cache(maxsize=128)
def _fields(model: type[Model], *, with_key: bool) -> list[_Column]:
    fields = model._meta.local_concrete_fields
    return [_column(field) for field in fields if with_key or not field.primary_key]


@lru_cache(maxsize=128)
def _other_fields(model: type[Model], parent: type[Model], *, with_key: bool) -> list[_Column]:
    link = _link(model, parent)
    return [column for column in _fields(model, with_key=with_key) if column.field is not link]


def _column(field: Field[Any, Any]) -> _Column:
    kept = None
    if type(field).pre_save is Field.pre_save:
        value = field.target_field if isinstance(field, ForeignKey) else field
        kept = _KEPT_AS_IT_IS.get(type(value).get_prep_value)
    return _Column(field, field.column, field.attname, kept)


@lru_cache(maxsize=64)
def _link(model: type[Model], parent: type[Model]) -> Field[Any, Any]:
    (link,) = [f for f in model._meta.local_concrete_fields if f.related_model is parent]
    return link


def _rows(rows: Sequence[Model], columns: Sequence[_Column]) -> str:
    written = [_written(row, columns) for row in rows]
    return orjson.dumps(written, default=_unusual).decode()


def _written(row: Model, columns: Sequence[_Column]) -> dict[str, Any]:
    present = row.__dict__
    values = {}
    for field, name, attribute, kept in columns:
        value = present[attribute]
        # Most are as they should be, and to ask a field costs more than all else here.
        is_kept = kept is not None and (value is None or type(value) is kept)
        values[name] = value if is_kept else _value(field, row)
    return values


def _value(field: Field[Any, Any], row: Model) -> Any:
    value = field.pre_save(row, add=True)
    if value is None or isinstance(field, JSONField):
        return value
    return field.get_prep_value(value)


def _unusual(value: object) -> object:
    # What else there is would have to be written in its own way: fail, and do not guess.
    if isinstance(value, date | datetime | UUID):
        return str(value)
    raise TypeError(f"not in a row that is written as JSON: {type(value).__name__}")


def _is_there(row: Model, key: Any) -> None:
    row.pk = key
    row._state.adding = False
    row._state.db = connection.alias
