"""How long the database may be waited for, by what a process does. Knows nothing of Django.

Settings give these to every session of a `SHOP_PROCESS` as it connects; `manage.py database_roles`
gives them to the roles of the database, for where a pooler stands between.
"""

from dataclasses import dataclass

# The first PostgreSQL that ends a transaction that lasts too long as a whole.
TRANSACTION_TIMEOUT_SINCE = 170_000


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Milliseconds; 0 waits for ever."""

    statement: int
    lock: int
    idle_in_transaction: int
    transaction: int

    def settings(self, *, server_version: int | None) -> dict[str, str]:
        """Return them by the name of PostgreSQL's setting.

        `server_version` is as in `server_version_num`; None when it is not known yet.
        """
        named = {
            "statement_timeout": f"{self.statement}ms",
            "lock_timeout": f"{self.lock}ms",
            "idle_in_transaction_session_timeout": f"{self.idle_in_transaction}ms",
        }
        if server_version is not None and server_version >= TRANSACTION_TIMEOUT_SINCE:
            named["transaction_timeout"] = f"{self.transaction}ms"
        return named


TIMEOUTS: dict[str, Timeouts] = {
    # A shopper waits: rather 503 and a Retry-After than a queue of them.
    "web": Timeouts(statement=2000, lock=1000, idle_in_transaction=5000, transaction=5000),
    # Below a task's own limits of 25 and 30 s, so that the database says first what took so long.
    "worker": Timeouts(statement=20_000, lock=2000, idle_in_transaction=30_000, transaction=25_000),
    "readonly": Timeouts(
        statement=25_000, lock=1000, idle_in_transaction=30_000, transaction=30_000
    ),
    # Gives way to the shop while it waits for a table; once it has it, it may take its time.
    "migrator": Timeouts(statement=0, lock=2000, idle_in_transaction=60_000, transaction=0),
    # Somebody at a terminal, or an import: as long as it takes.
    "command": Timeouts(statement=0, lock=4000, idle_in_transaction=0, transaction=0),
}

# Not timeouts, but what every session of the shop needs. Search by trigrams: the default of 0.6
# misses most single typos, and an index scan takes the threshold from the session. The planner
# compiles nothing that pays for short queries. With 4 MB, the default, what lists filter by in a
# catalogue of a million is remembered by the page only, and six times as many pages are read.
SESSION: dict[str, str] = {
    "pg_trgm.word_similarity_threshold": "0.3",
    "jit": "off",
    "work_mem": "32MB",
}
