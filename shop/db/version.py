"""Which PostgreSQL it is."""

from django.db import connection


def server_version() -> int:
    """Return the server's version as in `server_version_num`, such as 180001."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        return int(cursor.fetchone()[0])
