"""Writing a row together with those that point at it, in one statement.

The statements are made once, and rows travel as one JSON text each table: Django would make the SQL
anew for each call, and prepare and name a parameter for each field of each row, which takes longer
than to write them. A row's values are those that its fields give.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Field, JSONField, Model
from psycopg.sql import SQL, Composable, Identifier


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


@lru_cache(maxsize=64)
def _alone(model: type[Model]) -> str:
    fields = _fields(model, with_key=False)
    return _insert(model, [Identifier(field.column) for field in fields], fields, None).as_string()


@lru_cache(maxsize=64)
def _statement(parent: type[Model], shape: tuple[tuple[type[Model], bool], ...]) -> str:
    fields = _fields(parent, with_key=False)
    columns = [Identifier(field.column) for field in fields]
    parts: list[Composable] = [SQL("parent AS ({})").format(_insert(parent, columns, fields, None))]
    keys: list[Composable] = [SQL("(SELECT key FROM parent)")]
    for place, (model, has_key) in enumerate(shape):
        rest = _other_fields(model, parent, with_key=has_key)
        columns = [Identifier(_link(model, parent).column)]
        columns += [Identifier(field.column) for field in rest]
        insert = _insert(model, columns, rest, SQL("(SELECT key FROM parent)"))
        name = Identifier(f"child_{place}")
        parts.append(SQL("{} AS ({})").format(name, insert))
        # Keys are given out in the order of the rows.
        keys.append(SQL("ARRAY(SELECT key FROM {} ORDER BY key)").format(name))
    return SQL("WITH {} SELECT {}").format(_listed(parts), _listed(keys)).as_string()


def _insert(
    model: type[Model],
    columns: Sequence[Composable],
    fields: Sequence[Field[Any, Any]],
    link: Composable | None,
) -> Composable:
    values = [SQL("r.{}").format(Identifier(field.column)) for field in fields]
    table = Identifier(model._meta.db_table)
    return SQL(
        "INSERT INTO {table} ({columns})"
        " SELECT {values} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) r"
        " RETURNING {key} AS key"
    ).format(
        table=table,
        columns=_listed(columns),
        values=_listed([link, *values] if link else values),
        key=Identifier(model._meta.pk.column),
    )


def _listed(parts: Sequence[Composable]) -> Composable:
    return SQL(", ").join(parts)


def _has_key(row: Model) -> bool:
    return row.pk is not None


@lru_cache(maxsize=128)
def _fields(model: type[Model], *, with_key: bool) -> list[Field[Any, Any]]:
    return [f for f in model._meta.local_concrete_fields if with_key or not f.primary_key]


@lru_cache(maxsize=128)
def _other_fields(
    model: type[Model], parent: type[Model], *, with_key: bool
) -> list[Field[Any, Any]]:
    link = _link(model, parent)
    return [field for field in _fields(model, with_key=with_key) if field is not link]


@lru_cache(maxsize=64)
def _link(model: type[Model], parent: type[Model]) -> Field[Any, Any]:
    (link,) = [f for f in model._meta.local_concrete_fields if f.related_model is parent]
    return link


def _rows(rows: Sequence[Model], fields: Sequence[Field[Any, Any]]) -> str:
    written = [{field.column: _value(field, row) for field in fields} for row in rows]
    return orjson.dumps(written, default=_unusual).decode()


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
