"""Changing and reading one row by statements that are made once.

`save` and `filter` make their SQL anew for each call: of a checkout's time in Python that was a
third. Only for rows that every order changes; elsewhere Django's own ways are plainer.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from django.db import DatabaseError, connection
from django.db.models import Field, Model
from psycopg.sql import SQL, Identifier, Placeholder

ModelT = TypeVar("ModelT", bound=Model)
FoundAs = tuple[str, int]  # a column, and what has to stand in it


class Change(NamedTuple):
    """A statement that changes rows, with its parameters: for a part of a larger one."""

    sql: str
    params: list[Any]


class RowNotFound(DatabaseError):
    """The row that was to be changed is not there, or not as it was said to be."""


def update_row(row: Model, names: Sequence[str]) -> None:
    """Do what `save(update_fields=names)` does for a model without signals. One statement.

    Raises RowNotFound.
    """
    with connection.cursor() as cursor:
        cursor.execute(*update_of(row, names))
        if cursor.rowcount != 1:
            raise RowNotFound("update_row did not find its row.")


def update_of(row: Model, names: Sequence[str], *, found_as: FoundAs | None = None) -> Change:
    """Return what `update_row` does, undone; for a row that is only found as `found_as` says."""
    column, *found = found_as or ("",)
    fields, sql = _update(type(row), tuple(names), column)
    values = [(field, field.pre_save(row, add=False)) for field in fields]
    prepared = [field.get_db_prep_save(value, connection) for field, value in values]
    return Change(sql, [*prepared, row.pk, *found])


@lru_cache(maxsize=256)
def _update(
    model: type[Model], names: tuple[str, ...], found_as: str
) -> tuple[list[Field[Any, Any]], str]:
    fields = [field for field in model._meta.local_concrete_fields if field.name in names]
    if {field.name for field in fields} != set(names):
        raise ValueError(f"no fields of {model.__name__}: {names}")
    changes = SQL(", ").join(
        SQL("{} = {}").format(Identifier(field.column), Placeholder()) for field in fields
    )
    sql = SQL("UPDATE {} SET {} WHERE {} = {}").format(
        Identifier(model._meta.db_table), changes, Identifier(model._meta.pk.column), Placeholder()
    )
    if found_as:
        sql += SQL(" AND {} = {}").format(Identifier(found_as), Placeholder())
    return fields, sql.as_string()


def columns_of(model: type[Model], alias: str) -> SQL:
    """Return the columns of a table, in the order in which `row_of` takes their values."""
    columns = [
        SQL("{}.{}").format(Identifier(alias), Identifier(field.column))
        for field in model._meta.concrete_fields
    ]
    return SQL(SQL(", ").join(columns).as_string())


def row_of(model: type[ModelT], values: Sequence[Any]) -> ModelT:
    """Return the row with these values, as a queryset would."""
    names, readers = _readers(model)
    kept = list(values)
    for place, field in readers:
        kept[place] = field.from_db_value(kept[place], None, connection)  # type: ignore[attr-defined]
    return model.from_db(connection.alias, names, kept)


@lru_cache(maxsize=64)
def _readers(model: type[Model]) -> tuple[list[str], list[tuple[int, Field[Any, Any]]]]:
    fields = model._meta.concrete_fields
    # Whatever a driver's value is not, a field makes of it.
    readers = [(at, field) for at, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return [field.attname for field in fields], readers
