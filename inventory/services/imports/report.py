"""What an import tells about each row of its file."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row was refused. Lines count from 1, the header included; `column` as in the file."""

    line: int
    column: str
    code: str
    detail: str

    def __str__(self) -> str:
        if not self.column:
            return f"line {self.line}: {self.detail}"
        return f'line {self.line}, column "{self.column}": {self.detail}'


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row of the file: where it is, what it spoke of, what became of it."""

    line: int
    handle: str
    sku: str
    outcome: Outcome
    errors: tuple[RowError, ...] = ()


@dataclass(slots=True)
class ImportReport:
    """How many rows and products ended how. Every row of the file is in exactly one count."""

    is_dry_run: bool = False
    rows: Counter[Outcome] = field(default_factory=Counter)
    products: Counter[Outcome] = field(default_factory=Counter)

    @property
    def has_failures(self) -> bool:
        return self.rows[Outcome.FAILED] > 0
