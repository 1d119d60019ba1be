"""`make pins`: exit 1 where what is installed is not what the locks say, or is known to be open."""

import sys
from datetime import UTC, datetime
from importlib.metadata import distributions

from shop.embedded.home import PROJECT
from tests.dependencies.gate import (
    REVIEW_DAYS,
    faults_of_installed,
    faults_of_locks,
    open_holes,
    read_holes,
    read_lock,
)


def main() -> int:
    run = read_lock(PROJECT / "requirements.lock")
    develop = read_lock(PROJECT / "requirements-dev.lock")
    holes = read_holes(PROJECT / "requirements-holes.toml")

    faults = [
        *faults_of_locks(run=run, develop=develop),
        *faults_of_installed(develop, distributions()),
        *open_holes(holes, develop),
    ]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if holes.is_old(datetime.now(tz=UTC).date()):
        sys.stderr.write(
            f"warning: requirements-holes.toml was last gone through on {holes.reviewed}, "
            f"more than {REVIEW_DAYS} days ago\n"
        )
    sys.stdout.write(f"{len(develop)} pins, {len(holes.known)} known holes, {len(faults)} faults\n")
    return 1 if faults else 0


sys.exit(main())
