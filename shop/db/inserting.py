"""Writing a row together with those that point at it, in one statement."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from psycopg.sql import SQL, Composable, Identifier, Placeholder


def insert_with(parent: Model, children: Sequence[Model]) -> None:
    """Insert `parent` and `children`, whose foreign key to it is filled in, in one statement.

    Does what `save(force_insert=True)` and `bulk_create` would do, in one round trip: fields are
    prepared by Django, and all rows get their keys. For a parent whose key the database makes, and
    rows without database defaults; children of one model stand side by side.
    """
    batches = [list(batch) for _, batch in groupby(children, key=type)]
    shape = tuple((type(batch[0]), len(batch), _has_key(batch[0])) for batch in batches)
    sql = _statement(type(parent), shape)
    params = _values(parent, _fields(type(parent), with_key=False))
    for batch, (model, _, has_key) in zip(batches, shape, strict=True):
        fields = _other_fields(model, type(parent), with_key=has_key)
        for child in batch:
            params += _values(child, fields)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        parent_key, *child_keys = cursor.fetchone()
    _is_there(parent, parent_key)
    for batch, keys in zip(batches, child_keys, strict=True):
        link = _link(type(batch[0]), type(parent))
        for child, key in zip(batch, keys, strict=True):
            setattr(child, link.name, parent)
            _is_there(child, child.pk or key)


@lru_cache(maxsize=512)
def _statement(parent: type[Model], shape: tuple[tuple[type[Model], int, bool], ...]) -> str:
    fields = _fields(parent, with_key=False)
    parts: list[Composable] = [
        SQL("parent AS ({})").format(_insert(parent, fields, [_marks(fields)]))
    ]
    keys: list[Composable] = [SQL("(SELECT key FROM parent)")]
    for place, (model, count, has_key) in enumerate(shape):
        rest = _other_fields(model, parent, with_key=has_key)
        row = SQL("(SELECT key FROM parent), {}").format(_marks(rest))
        insert = _insert(model, [_link(model, parent), *rest], [row] * count)
        name = Identifier(f"child_{place}")
        parts.append(SQL("{} AS ({})").format(name, insert))
        # Keys are given out in the order of the rows.
        keys.append(SQL("ARRAY(SELECT key FROM {} ORDER BY key)").format(name))
    return SQL("WITH {} SELECT {}").format(_listed(parts), _listed(keys)).as_string()


def _insert(
    model: type[Model], fields: Sequence[Field[Any, Any]], rows: Sequence[Composable]
) -> Composable:
    return SQL("INSERT INTO {} ({}) VALUES {} RETURNING {} AS key").format(
        Identifier(model._meta.db_table),
        _listed([Identifier(field.column) for field in fields]),
        _listed([SQL("({})").format(row) for row in rows]),
        Identifier(model._meta.pk.column),
    )


def _marks(fields: Sequence[Field[Any, Any]]) -> Composable:
    return _listed([Placeholder()] * len(fields))


def _listed(parts: Sequence[Composable]) -> Composable:
    return SQL(", ").join(parts)


def _has_key(row: Model) -> bool:
    return row.pk is not None


def _fields(model: type[Model], *, with_key: bool) -> list[Field[Any, Any]]:
    return [f for f in model._meta.local_concrete_fields if with_key or not f.primary_key]


def _other_fields(
    model: type[Model], parent: type[Model], *, with_key: bool
) -> list[Field[Any, Any]]:
    link = _link(model, parent)
    return [field for field in _fields(model, with_key=with_key) if field is not link]


@lru_cache(maxsize=64)
def _link(model: type[Model], parent: type[Model]) -> Field[Any, Any]:
    (link,) = [f for f in model._meta.local_concrete_fields if f.related_model is parent]
    return link


def _values(row: Model, fields: Sequence[Field[Any, Any]]) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]


def _is_there(row: Model, key: Any) -> None:
    row.pk = key
    row._state.adding = False
    row._state.db = connection.alias
