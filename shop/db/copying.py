"""Many rows at once: inserted by COPY, updated by one statement."""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.fields.json import JSONField
from psycopg import sql
from psycopg.types.json import Jsonb

FEW = 100  # rows for which COPY, and the look for their ids, would not pay


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model by COPY and give them their ids, in their order.

    Joins the caller's transaction. A few are one plain INSERT; any number of more takes two
    statements, and has no parameters that could be too many. Raises IntegrityError like any insert.
    """
    if not rows:
        return
    model = type(rows[0])
    if len(rows) <= FEW:
        model._default_manager.bulk_create(rows)
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    key = model._meta.pk
    assert key is not None
    table, column = model._meta.db_table, key.column
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [f'"{table}"', column, len(rows)],
        )
        for row, (number,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = number
        columns = [column, *(field.column for field in fields)]
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row.pk, *(_written(field, row) for field in fields)])
    for row in rows:
        row._state.adding = False
        row._state.db = connection.alias


def update_rows(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write these fields of rows of one model, in one statement. Joins the transaction.

    The values travel as one parameter, whatever their number: a merge from a table of JSON.
    """
    if not rows:
        return
    model = type(rows[0])
    fields = [model._meta.get_field(name) for name in names]
    concrete = [field for field in fields if isinstance(field, models.Field)]
    quote = connection.ops.quote_name
    values = [
        {"id": row.pk, **{field.column: _json(field, row) for field in concrete}} for row in rows
    ]
    kinds = ", ".join(f"{quote(field.column)} {_kind(field)}" for field in concrete)
    changes = ", ".join(f"{quote(field.column)} = v.{quote(field.column)}" for field in concrete)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(model._meta.db_table)} t SET {changes}"  # noqa: S608 — names of fields
            f" FROM jsonb_to_recordset(%s::jsonb) AS v (id bigint, {kinds}) WHERE t.id = v.id",
            [Jsonb(values)],  # type: ignore[list-item]  # psycopg's own
        )


def _kind(field: models.Field[Any, Any]) -> str:
    return str(field.db_type(connection))


def _written(field: models.Field[Any, Any], row: models.Model) -> object:
    return field.get_db_prep_save(field.pre_save(row, add=True), connection)


def _json(field: models.Field[Any, Any], row: models.Model) -> object:
    value = field.pre_save(row, add=False)
    if value is None or isinstance(field, JSONField | ArrayField):
        return value
    value = field.get_prep_value(value)
    return value if isinstance(value, str | int | float | bool) else str(value)
