"""`make crash`: kill the shop at every line and in every part, and see that nothing is lost.

Starts a shop of its own, crashes it, and compares what clients were told with its tables and the
payment provider's books. Prints a table; exit code 1 on any breach.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.crash.database import end_sessions, kill_postmaster
from tests.crash.ground import Ground, ground
from tests.crash.keys import share_keys
from tests.crash.points import strike_each_point
from tests.crash.runs import HEADER, Run
from tests.crash.workers import kill_workers

KINDS = ("points", "workers", "postgres", "sessions", "keys")


def _kinds(options: argparse.Namespace) -> dict[str, Callable[[Ground], list[Run]]]:
    return {
        "points": lambda g: strike_each_point(g, rounds=options.runs),
        "workers": lambda g: kill_workers(g, seconds=options.seconds, seed=options.seed),
        "postgres": lambda g: kill_postmaster(g, times=options.kills, seed=options.seed),
        "sessions": lambda g: end_sessions(g, times=options.runs, kills=max(options.kills // 3, 1)),
        "keys": lambda g: share_keys(g, rounds=options.rounds),
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all of them, unless said")
    parser.add_argument("--runs", type=int, default=50, help="kills at each point; sessions ended")
    parser.add_argument("--seconds", type=float, default=300, help="of random kills of workers")
    parser.add_argument("--kills", type=int, default=10, help="of PostgreSQL as a whole")
    parser.add_argument("--rounds", type=int, default=100, help="of one key for twenty")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--hurry", action="store_true", help="with a sweeper that does not wait")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    options = parser.parse_args(arguments)
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="shop-crash-") as folder:
        Path(folder).chmod(0o711)  # started by root, PostgreSQL runs as another user
        with ground(Path(folder), hurries=options.hurry) as shop:
            for kind, run in _kinds(options).items():
                if options.kinds and kind not in options.kinds:
                    continue
                began = time.monotonic()
                runs += run(shop)
                print(f"{kind}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
    _tell(runs, as_json=options.json)
    return int(any(run.breaches for run in runs))


def _tell(runs: Sequence[Run], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([run.as_json() for run in runs]))  # noqa: T201
        return
    print("\n".join([HEADER, *(run.as_row() for run in runs)]))  # noqa: T201
    for run in runs:
        for text in run.breaches:
            print(f"BREACH {run.name}: {text}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
