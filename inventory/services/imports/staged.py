"""Rows of a job's file, staged in the database: any worker can go on where another one stopped."""

import json
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter

from django.db import connection

from inventory.services.imports.scratch import ScratchRow
from inventory.services.imports.table import UNDECODED

_COPY = """
COPY shop_jobrow (job_id, line, first_line, key, sku, cells) FROM STDIN
"""

# Rows of one product are neighbours in nearly every file. For the others this moves each to where
# the first of them stands.
_GATHER = """
UPDATE shop_jobrow r SET first_line = f.first_line
FROM (
    SELECT key, min(line) AS first_line FROM shop_jobrow
    WHERE job_id = %(job)s AND key <> ''
    GROUP BY key HAVING count(DISTINCT first_line) > 1
) f
WHERE r.job_id = %(job)s AND r.key = f.key AND r.first_line <> f.first_line
"""

# The index of SKUs leaves empty ones out, and is used only where the statement says so, too.
_WINDOW = """
SELECT r.first_line, r.line, r.key, r.sku, r.cells,
       CASE WHEN r.sku <> '' THEN (
           SELECT min(o.line) FROM shop_jobrow o
           WHERE o.job_id = r.job_id AND o.sku = r.sku AND o.sku <> ''
       ) END
FROM shop_jobrow r
WHERE r.job_id = %s AND r.first_line > %s AND r.first_line <= %s
ORDER BY r.first_line, r.line
"""

# Where the product begins that the row stands in which is `size` rows further on.
_REACH = """
SELECT max(first_line) FROM (
    SELECT first_line FROM shop_jobrow WHERE job_id = %s AND first_line > %s
    ORDER BY first_line, line LIMIT %s
) n
"""


class StagedRows:
    """The staged rows of one job. `groups` and `loose` give the window that `load` has read."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._pending: list[tuple[int, int, int, str, str, list[str]]] = []
        self._run = ("", 0)  # the key of the row before, and where its neighbours began
        self._window: list[tuple[int, int, str, str, list[str]]] = []
        self._owners: dict[str, int | None] = {}

    def add(self, *, key: str, line: int, cells: list[str], sku: str) -> None:
        if self._run[0] != key:
            self._run = (key, line)
        kept = [_storable(cell) for cell in cells]
        self._pending.append((self._job_id, line, self._run[1], key, sku, kept))

    def refuse(self, *, line: int, column: str, code: str, detail: str) -> None:
        self._run = ("", 0)
        self._pending.append((self._job_id, line, line, "", "", [column, code, detail]))

    def write(self) -> int:
        """Send what was added to the database, by COPY; return how many rows that were."""
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in self._pending:
                copy.write_row(row)
        written = len(self._pending)
        self._pending.clear()
        return written

    def gather(self) -> None:
        """Bring rows of one product together that were not neighbours. Safe to repeat."""
        with connection.cursor() as cursor:
            # First: nobody has looked yet at a table that was just filled, and it would be read
            # whole, here once for each row.
            cursor.execute("ANALYZE shop_jobrow")
            cursor.execute(_GATHER, {"job": self._job_id})

    def are_gone(self) -> bool:
        """Tell whether nothing of the job is staged."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT NOT EXISTS (SELECT FROM shop_jobrow WHERE job_id = %s)", [self._job_id]
            )
            return bool(cursor.fetchone()[0])

    def load(self, *, after: int, size: int) -> int | None:
        """Read whole products of some `size` rows that begin behind line `after`.

        Returns the line at which the last of them begins; None when there are none left.
        """
        with connection.cursor() as cursor:
            cursor.execute(_REACH, [self._job_id, after, size])
            (reach,) = cursor.fetchone()
            if reach is None:
                return None
            cursor.execute(_WINDOW, [self._job_id, after, reach])
            rows = cursor.fetchall()
        self._window = [row[:5] for row in rows]
        self._owners = {sku: owner for *_, sku, _, owner in rows if sku}
        return int(reach)

    def foresee(self, skus: Collection[str]) -> None:
        """Look up at once who gives these SKUs."""
        wanted = [sku for sku in skus if sku not in self._owners]
        if not wanted:
            return
        self._owners.update(dict.fromkeys(wanted))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sku, min(line) FROM shop_jobrow"
                " WHERE job_id = %s AND sku = ANY(%s) AND sku <> '' GROUP BY sku",
                [self._job_id, wanted],
            )
            self._owners.update(cursor.fetchall())

    def groups(self) -> Iterator[tuple[str, list[ScratchRow]]]:
        rows = (row for row in self._window if row[2])
        for key, members in groupby(rows, key=itemgetter(2)):
            yield key, [ScratchRow(line, _cells(cells)) for _, line, _, _, cells in members]

    def loose(self) -> Iterator[tuple[int, str, str, str]]:
        for _, line, key, _, cells in self._window:
            if not key:
                column, code, detail = cells
                yield line, column, code, detail

    def owner_of(self, sku: str) -> int | None:
        if sku not in self._owners:
            self.foresee([sku])
        return self._owners[sku]


def _storable(cell: str) -> str:
    # PostgreSQL's text has neither NUL nor half a character: JSON can spell both.
    if cell.startswith('"') or "\0" in cell or (not cell.isascii() and UNDECODED.search(cell)):
        return json.dumps(cell)
    return cell


def _cells(cells: list[str]) -> tuple[str, ...]:
    return tuple(json.loads(cell) if cell.startswith('"') else cell for cell in cells)
