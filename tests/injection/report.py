"""Writes what a run of the corpus saw, as a page: `python -m tests.injection.report LINES PAGE`."""

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MARK = "<!-- written by make injection: what follows is replaced by the next run -->"


def page_of(rows: list[dict[str, Any]]) -> str:
    """Return the table of a run."""
    strings, bound = (sum(row[name] for row in rows) for name in ("strings", "bound"))
    answers: Counter[str] = Counter()
    for row in rows:
        answers.update(row["answers"])
    faults = sum(len(row["faults"]) for row in rows)
    lines = [
        MARK,
        "",
        f"On {datetime.now(tz=UTC):%Y-%m-%d}: {strings:,} requests to {len(rows)} operations with "
        f"{sum(row['parameters'] for row in rows)} parameters; {bound:,} of the strings were seen "
        f"by PostgreSQL, each as a bound parameter. Answers: "
        + ", ".join(f"{number:,} × {status}" for status, number in sorted(answers.items()))
        + f". Faults: {faults}.",
        "",
        "| operation | parameters | strings | bound | answers | faults |",
        "| --- | ---: | ---: | ---: | --- | ---: |",
    ]
    lines += [
        f"| `{row['route']}` | {row['parameters']} | {row['strings']} | {row['bound']} | "
        + ", ".join(f"{number} × {status}" for status, number in sorted(row["answers"].items()))
        + f" | {len(row['faults'])} |"
        for row in sorted(rows, key=lambda row: row["route"])
    ]
    return "\n".join([*lines, ""])


def write(lines: Path, page: Path) -> None:
    """Put the table of the run into the page, after its mark."""
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    before = page.read_text(encoding="utf-8").partition(MARK)[0] if page.exists() else ""
    page.write_text(before + page_of(rows), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
