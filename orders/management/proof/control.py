"""The negative control: the same proof where nothing guards the stock, on servers of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from shop.embedded.errors import CannotRun
from shop.embedded.home import PROJECT, Home
from shop.embedded.servers import Servers

THROWAWAY = "throwaway"  # a file in SHOP_HOME that says: all of this is thrown away
_SECONDS = 1800


def require_sandbox() -> None:
    """Raise CommandError where the guard must never be taken out."""
    if settings.SHOP_ENV not in {"local", "test"}:
        raise CommandError("--without-guard is for SHOP_ENV=local or test, and never elsewhere.")


def require_throwaway() -> None:
    """Raise CommandError unless `run_unguarded` made servers and home, to be thrown away."""
    require_sandbox()
    if not (Path(settings.SHOP_HOME) / THROWAWAY).exists():
        raise CommandError("The guard is taken out only on servers that are thrown away.")


def run_unguarded(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the proof without the guard, and return what it reported.

    On a PostgreSQL and Valkeys of its own in a folder that is removed: no shop's data are touched,
    and there is nothing to restore. Raises CommandError.
    """
    require_sandbox()
    with tempfile.TemporaryDirectory(prefix="shop-unguarded-") as folder:
        home = Home(Path(folder) / "home")
        servers = Servers(home, is_throwaway=True)
        try:
            home.prepare()
            # Others must reach PostgreSQL's folder: started by root, it runs as another user.
            Path(folder).chmod(0o711)
            (home.path / THROWAWAY).touch()
            environment = {
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("DATABASE_", "REDIS_", "CELERY_", "SECRET_KEY"))
            }
            environment |= servers.start({})
            environment |= {
                "SHOP_HOME": str(home.path),
                "SHOP_ENV": "local",
                "PYTHONWARNINGS": "ignore",
            }
            _manage(["migrate", "--verbosity=0"], environment)
            told = _manage(["prove_no_oversell", "--unguarded", "--json", *arguments], environment)
        except CannotRun as error:
            raise CommandError(str(error)) from error
        finally:
            servers.stop()
    report: dict[str, Any] = json.loads(told)
    return report


def _manage(arguments: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    # 1 with a report is what is hoped for: the breach was found.
    if done.returncode not in {0, 1} or (done.returncode == 1 and not done.stdout.strip()):
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CommandError(
            f"`{arguments[0]}` without the guard: {words[-1] if words else 'failed'}"
        )
    return done.stdout
