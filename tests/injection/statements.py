"""PostgreSQL's own log: which statements it was given, and with which parameters."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

_LOG = Path(os.environ["SHOP_TEST_FOLDER"]) / "servers" / "logs" / "postgres.log"
# `log_line_prefix` of the embedded server, and what PostgreSQL calls the line.
_LINE = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ UTC \[(\d+)\] .*?(LOG|DETAIL|STATEMENT|ERROR|CONTEXT|"
                   r"HINT|WARNING|NOTICE|FATAL|PANIC|INFO|DEBUG|QUERY|LOCATION):  ")  # fmt: skip


def is_readable() -> bool:
    """Tell whether the tests' PostgreSQL is the embedded one, whose log is a file of ours."""
    return _LOG.exists()


@dataclass(slots=True)
class Logged:
    """What the log of one session has: the texts of statements, and what was bound to them."""

    texts: list[str] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)


@contextmanager
def logged_statements() -> Iterator[Logged]:
    """Have every statement of this connection logged in full, and read it when the block ends."""
    told = Logged()
    start = _LOG.stat().st_size
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        cursor.execute("SET log_parameter_max_length = -1")
        cursor.execute("SET log_parameter_max_length_on_error = 0")
        cursor.execute("SET log_statement = 'all'")
    try:
        yield told
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET log_statement = 'none'")
        _read(told, start=start, pid=str(pid))


def _read(told: Logged, *, start: int, pid: str) -> None:
    with _LOG.open("rb") as log:
        log.seek(start)
        text = log.read().decode(errors="replace")
    target: list[str] | None = None
    for line in text.split("\n"):
        found = _LINE.match(line)
        if found:
            kind = found[2] if found[1] == pid else ""
            # A refused statement comes back as STATEMENT: its text, and nothing else.
            target = {"LOG": told.texts, "STATEMENT": told.texts, "DETAIL": told.bound}.get(kind)
            if target is not None:
                target.append(line[found.end() :])
        elif target is not None:
            target[-1] += "\n" + line
