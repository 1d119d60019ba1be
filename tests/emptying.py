"""How the database is emptied after a test that committed.

Django truncates every table there is and makes content types and permissions again, which takes
longer than most of the tests that commit. Few of a hundred tables have rows: those are emptied,
and content types and permissions, which no test changes, stay.
"""

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import TransactionTestCase
from psycopg import sql

_KEPT = tuple(model._meta.db_table for model in (ContentType, Permission))
_flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


class _Known:
    """What the first look at this database found."""

    tables: list[str] = []
    kept: list[int] = []  # how many rows of each that is kept


def remember() -> None:
    """Look at the database as its migrations left it; `empty` goes back to that."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    _Known.tables = sorted(set(tables) - set(_KEPT))
    _Known.kept = _counts()


def empty(case: Any) -> None:
    """Empty every table but those of content types and permissions.

    As Django does where that is not enough: where one of them changed, or we may not.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        (may_do_anything,) = cursor.fetchone()
    if not _Known.tables or not may_do_anything or _counts() != _Known.kept:
        _flush(case)
        return
    looks = [
        sql.SQL("SELECT {0} WHERE EXISTS (SELECT FROM {1})").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for table in _Known.tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join(looks))
        filled = [table for (table,) in cursor.fetchall()]
    if not filled:
        return
    deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in filled]
    with connection.cursor() as cursor:
        # Neither keys nor the triggers of a ledger: all of it goes. One transaction, as one query.
        cursor.execute(
            sql.SQL("; ").join([sql.SQL("SET LOCAL session_replication_role = replica"), *deletes])
        )


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
