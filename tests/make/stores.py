"""Everything that is stored, as one text, for tests that look for what must not be in it."""

import os
from collections.abc import Collection

import redis
from django.db import connection

_ROLES = ("REDIS_CARTS_URL", "REDIS_CACHE_URL", "REDIS_LIMITER_URL", "CELERY_BROKER_URL")


def tables_with(text: str) -> dict[str, int]:
    """Return the tables whose rows hold this text in any column, with the number of rows."""
    found = {}
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            name = connection.ops.quote_name(table)
            # Binary columns are written out in hex: what is encrypted is unreadable either way.
            cursor.execute(
                f"SELECT count(*) FROM {name} AS row WHERE strpos(row::text, %s) > 0",  # noqa: S608
                [text],
            )
            if count := cursor.fetchone()[0]:
                found[table] = count
    return found


def tables_holding(texts: Collection[str]) -> set[str]:
    """Return the tables whose rows hold any of these texts: each is read once, however many."""
    found = set()
    for table in connection.introspection.table_names():
        rows = _rows_of(table)
        if any(text in rows for text in texts):
            found.add(table)
    return found


def _rows_of(table: str) -> str:
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(table)
        cursor.execute(f"SELECT row::text FROM {name} AS row")  # noqa: S608 - a table's name
        return "\n".join(row for (row,) in cursor.fetchall())


def database_dump(*, without: Collection[str] = ()) -> str:
    """Return every row of every table as text."""
    parts = []
    for table in connection.introspection.table_names():
        if table in without:
            continue
        parts += [f"{table} {row}" for row in _rows_of(table).split("\n")]
    return "\n".join(parts)


def redis_dump() -> str:
    """Return every key of every role's database, with its serialised value."""
    parts = []
    for role in _ROLES:
        client = redis.Redis.from_url(os.environ[role], socket_timeout=10)
        for key in client.scan_iter("*", count=1000):
            parts.append(key)
            match client.type(key):
                case b"hash":
                    parts += [part for pair in client.hgetall(key).items() for part in pair]
                case b"list":
                    parts += client.lrange(key, 0, -1)
                case b"set":
                    parts += client.smembers(key)
                case b"zset":
                    parts += client.zrange(key, 0, -1)
                case b"string":
                    parts.append(client.get(key) or b"")
                case _:
                    parts.append(client.dump(key) or b"")
        client.close()
    return "\n".join(part.decode("utf-8", "replace") for part in parts)
