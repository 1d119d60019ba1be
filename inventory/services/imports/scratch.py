"""Rows of a file, grouped on disk: memory stays flat however large the file is.

Rows of one product need not be neighbours, and a SKU may be given far below the row that would
be handed the same one, so a file is read once into a private temporary database first.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter


@dataclass(frozen=True, slots=True)
class ScratchRow:
    """One row as it was read: its first line, and its cells in the order of the known columns."""

    line: int
    cells: tuple[str, ...]


class Scratch:
    """Keeps rows by group key, and who first gave each SKU. Gone when closed."""

    def __init__(self) -> None:
        # An empty name is SQLite's for a temporary database on disk, which it deletes itself.
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA temp_store = FILE",
            "CREATE TABLE groups (key TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID",
            "CREATE TABLE skus (sku TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID",
            "CREATE TABLE lines (first INTEGER, line INTEGER, key TEXT, cells TEXT,"
            " PRIMARY KEY (first, line)) WITHOUT ROWID",
            "CREATE TABLE loose"
            " (line INTEGER PRIMARY KEY, column_name TEXT, code TEXT, detail TEXT)",
            "BEGIN",
        ):
            self._database.execute(statement)

    def add(self, *, key: str, line: int, cells: list[str], sku: str) -> None:
        """Keep a row under `key`. The first row to give a SKU owns it."""
        run = self._database.execute
        run("INSERT OR IGNORE INTO groups VALUES (?, ?)", (key, line))
        (first,) = run("SELECT line FROM groups WHERE key = ?", (key,)).fetchone()
        run("INSERT INTO lines VALUES (?, ?, ?, ?)", (first, line, key, json.dumps(cells)))
        if sku:
            run("INSERT OR IGNORE INTO skus VALUES (?, ?)", (sku, line))

    def groups(self) -> Iterator[tuple[str, list[ScratchRow]]]:
        """Yield each key with its rows, by line; groups in the order of their first row."""
        rows = self._database.execute("SELECT key, line, cells FROM lines ORDER BY first, line")
        for key, members in groupby(rows, key=itemgetter(0)):
            yield key, [ScratchRow(line, tuple(json.loads(cells))) for _, line, cells in members]

    def refuse(self, *, line: int, column: str, code: str, detail: str) -> None:
        """Keep a row that belongs to no product. Without a code it is merely empty."""
        self._database.execute(
            "INSERT INTO loose VALUES (?, ?, ?, ?)", (line, column, code, detail)
        )

    def loose(self) -> Iterator[tuple[int, str, str, str]]:
        """Yield line, column, code and detail of the rows that belong to no product."""
        yield from self._database.execute("SELECT * FROM loose ORDER BY line")

    def owner_of(self, sku: str) -> int | None:
        """Return the line that first gave this SKU, if any did."""
        found = self._database.execute("SELECT line FROM skus WHERE sku = ?", (sku,)).fetchone()
        return None if found is None else int(found[0])

    def foresee(self, skus: Collection[str]) -> None:
        """Do nothing: each look costs next to nothing here."""

    def close(self) -> None:
        self._database.close()
