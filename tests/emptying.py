"""How what a test committed is taken back: the database is as its migrations left it.

Django truncates every table there is and makes content types and permissions again, which takes
longer than most of the tests that commit. Few of a hundred tables have rows: those are emptied, and
what migrations put in is put in again. Content types and permissions, which no test changes, stay.
"""

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TransactionTestCase
from psycopg import sql

_KEPT = tuple(model._meta.db_table for model in (ContentType, Permission))
_flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


class _Known:
    """What the first look at this database found."""

    tables: list[str] = []
    kept: list[int] = []  # how many rows of each that is kept
    rows: dict[str, bytes] = {}  # of each table that migrations fill, as COPY writes them


def remember() -> None:
    """Look at the database as its migrations left it; `empty` goes back to that."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    _Known.tables = sorted(set(tables) - set(_KEPT))
    _Known.kept = _counts()
    _Known.rows = {}
    with connection.cursor() as cursor:
        for table in _filled():
            with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as rows:
                _Known.rows[table] = b"".join(bytes(part) for part in rows)


def empty(case: Any) -> None:
    """Bring every table back to what `remember` saw.

    Where content types or permissions changed, or we may not: empty all, as Django does.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        (may_do_anything,) = cursor.fetchone()
    if not _Known.tables or not may_do_anything or _counts() != _Known.kept:
        _flush(case)
        return
    deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in _filled()]
    with transaction.atomic(), connection.cursor() as cursor:
        # Neither keys nor the triggers of a ledger are asked: all of it goes.
        cursor.execute(
            sql.SQL("; ").join([sql.SQL("SET LOCAL session_replication_role = replica"), *deletes])
        )
        for table, rows in _Known.rows.items():
            with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as back:
                back.write(rows)


def _filled() -> list[str]:
    """Return the tables that have rows, but for those that are kept."""
    looks = [
        sql.SQL("SELECT {0} WHERE EXISTS (SELECT FROM {1})").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for table in _Known.tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join(looks))
        return [table for (table,) in cursor.fetchall()]


def _counts() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT {}").format(
                sql.SQL(", ").join(
                    sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(table))
                    for table in _KEPT
                )
            )
        )
        return list(cursor.fetchone())
