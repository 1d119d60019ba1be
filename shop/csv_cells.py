"""Cells of CSV files that spreadsheets will open: text must stay text.

A cell that begins like a formula could run one (CWE-1236). It gets an apostrophe in front, which
spreadsheets show as nothing; a cell that has such an apostrophe already gets another one, so that
reading back gives exactly what was written.
"""

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_CHANGED = (*_RISKY, "'")


def guarded(cell: str) -> str:
    """Return the cell as it may be written to a CSV that `unguarded` reads."""
    if cell.startswith(_CHANGED):
        return f"'{cell}"
    return cell


def unguarded(cell: str) -> str:
    """Return what `guarded` was given."""
    if cell.startswith("'") and cell[1:].startswith(_CHANGED):
        return cell[1:]
    return cell


def harmless(cell: str) -> str:
    """Return the cell as it may be written to a CSV that only people read."""
    return f"'{cell}" if cell.startswith(_RISKY) else cell
