"""Writes what a long run of the races saw, as a page: `python -m tests.races.report LINES PAGE`."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = "<!-- written by make races and make soak: what follows is replaced by the next run -->"


def page_of(rows: list[dict[str, Any]]) -> str:
    """Return the table of a run, with what it ran on."""
    days = sorted({row["at"][:10] for row in rows})
    lines = [
        MARK,
        "",
        f"On {' and '.join(days)}, at commit `{_commit()}`, with Python {rows[0]['python']}, "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}.",
        "",
        "| race | run | seen | seed | seconds |",
        "| --- | --- | --- | --- | ---: |",
    ]
    lines += [
        f"| {row['race']} | {row['run']} | {row['seen'] or '–'} | {row['seed']} "
        f"| {row['seconds']} |"
        for row in sorted(rows, key=lambda row: (row["race"], row["run"]))
    ]
    return "\n".join([*lines, ""])


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def write(lines: Path, page: Path) -> None:
    """Put the table of the run into the page, after its mark."""
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    before = page.read_text(encoding="utf-8").partition(MARK)[0] if page.exists() else ""
    page.write_text(before + page_of(rows), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
