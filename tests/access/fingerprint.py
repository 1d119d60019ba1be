"""What the shop holds, in one value: a call that changed anything changes it."""

import os

import redis
from django.db import connection

# Redis of the limiter is not part of it: a refused call counts.
_carts = redis.Redis.from_url(os.environ["REDIS_CARTS_URL"], socket_timeout=10)


def fingerprint() -> dict[str, tuple[int, str]]:
    """Return rows and a checksum of every table, and of the Redis that keeps carts."""
    tables = sorted(set(connection.introspection.table_names()) - {"django_migrations"})
    quoted = connection.ops.quote_name
    sums = " UNION ALL ".join(
        f"SELECT '{table}', count(*), coalesce(sum(hashtextextended(row::text, 0)), 0)::text"  # noqa: S608 - our own names
        f" FROM {quoted(table)} AS row"
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(sums)
        held = {table: (rows, checksum) for table, rows, checksum in cursor.fetchall()}
    keys = sorted(_carts.scan_iter(count=1000))
    held["carts"] = (len(keys), str([(key, _carts.dump(key)) for key in keys]))
    return held
