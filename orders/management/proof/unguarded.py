"""Takes the guard out of the stock, for the negative control.

Importing it changes nothing. Taking the guard out is refused anywhere but in the control: SHOP_ENV
must be local or test, and SHOP_HOME one that is thrown away.
"""

from django.db import connection

from inventory.services import counters, statements
from orders.management.proof.control import require_throwaway

_LOCK_CLAUSE = "FOR NO KEY UPDATE OF s"
# Between looking and holding: as long as another machine would think about it.
_LOOK_SLOWLY = "SELECT s.*, pg_sleep(0.02) FROM inventory_stock s"


def take_out() -> None:
    """Let this process reserve by looking, thinking and writing, as it is done where it oversells.

    No row is locked before the look. Asks no database anything: gunicorn calls it before it forks,
    and workers must not share a connection.
    """
    require_throwaway()
    statements.LOOK_AND_LOCK = statements.LOOK_AND_LOCK.replace(_LOCK_CLAUSE, "").replace(
        "FROM inventory_stock s JOIN",
        f"FROM ({_LOOK_SLOWLY} WHERE s.variant_id = ANY(%(variants)s::bigint[])) s JOIN",
    )
    counters._LOCK = counters._LOCK.replace(_LOCK_CLAUSE, "")


def drop_checks() -> None:
    """Have the throwaway database that we are connected to check nothing about stock."""
    require_throwaway()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conname FROM pg_constraint
            WHERE conrelid = 'inventory_stock'::regclass AND contype = 'c'
            """
        )
        for (name,) in cursor.fetchall():
            quoted = connection.ops.quote_name(name)
            cursor.execute(f"ALTER TABLE inventory_stock DROP CONSTRAINT IF EXISTS {quoted}")
