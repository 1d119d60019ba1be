"""What `manage.py` does before and after Django: see that the command has the servers it needs."""

import contextlib
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterator, MutableMapping, Sequence
from functools import partial
from types import FrameType

from shop.embedded.errors import CannotRun
from shop.embedded.home import PROJECT, Home
from shop.embedded.servers import Servers, borrow_or_own, missing, own

# These ask no server anything: starting some for them would only cost time.
NEEDS_NO_SERVER = frozenset(
    {
        "",
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "findstatic",
        "help",
        "makemessages",
        "makemigrations",
        "pii_audit",
        "spectacular",
        "startapp",
        "version",
        "--help",
        "--version",
        "-h",
    }
)
# These are about migrations, or about the bare server.
MIGRATES_BY_ITSELF = frozenset(
    {"dbshell", "doctor", "flush", "migrate", "optimizemigration", "showmigrations", "sqlmigrate"}
)
_HELP = {"--help", "-h", "--version"}

_servers_of_up: list[Servers] = []


def servers_of_up() -> Servers:
    """Return the servers that `servers_for` started for `manage.py up`."""
    return _servers_of_up[0]


@contextlib.contextmanager
def servers_for(arguments: Sequence[str], environ: MutableMapping[str, str]) -> Iterator[bool]:
    """Name in `environ` the servers and `SHOP_ENV` that this command line runs with.

    True where servers were started for this one command, so that nobody has migrated yet.

    Variables that are set already are left alone; where all addresses are, nothing is started.
    Raises CannotRun with one line for the user.
    """
    command = arguments[1] if len(arguments) > 1 else ""
    home = Home.of(environ)
    environ["SHOP_HOME"] = str(home.path)
    asks_for_help = bool(_HELP & set(arguments[1:]))

    if command == "up" and not asks_for_help:
        environ.setdefault("SHOP_ENV", "local")
        port = api_port(environ)
        refuse_taken_port(port)
        _end_by_exception_on_sigterm()
        with own(home, environ, port=port) as servers:
            _servers_of_up.append(servers)
            yield False
        return

    if not missing(environ):
        # With servers of its own a laptop's shop has its secrets here; a deployed one never has.
        environ.setdefault("SHOP_ENV", "local" if home.is_of_a_local_shop else "production")
        yield False
        return

    if environ.get("SHOP_ENV") == "production":
        # Nothing is made up in production: settings name what is missing.
        yield False
        return

    environ.setdefault("SHOP_ENV", "local")
    if command in NEEDS_NO_SERVER or asks_for_help:
        # makemigrations would compare with a database, if it had one.
        warnings.filterwarnings("ignore", "Got an error checking a consistent migration history")
        yield False
        return
    _end_by_exception_on_sigterm()
    with borrow_or_own(home, environ) as is_ours:
        yield is_ours and command not in MIGRATES_BY_ITSELF


def run(arguments: Sequence[str]) -> None:
    """Run one command line, with the servers that it needs.

    Exits with 1 and one line where they cannot be had.
    """
    try:
        with servers_for(arguments, os.environ) as is_new:
            # Imported when the servers have their names: some of Django reads settings on import.
            import django  # noqa: PLC0415
            from django.core.management import execute_from_command_line  # noqa: PLC0415

            if is_new:
                django.setup()
                from shop.management.migrating import bring_up_to_date  # noqa: PLC0415

                bring_up_to_date(partial(print, file=sys.stderr))
            execute_from_command_line(list(arguments))
    except CannotRun as refusal:
        sys.exit(f"shop: {refusal}")
    except KeyboardInterrupt:
        sys.exit(130)


def api_port(environ: MutableMapping[str, str]) -> int:
    """Return the port of the API. Raises CannotRun where `PORT` is not one."""
    text = environ.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CannotRun(f"PORT is {text!r}, and should be a number from 1 to 65535.")
    environ["PORT"] = text
    return int(text)


def refuse_taken_port(port: int) -> None:
    """Raise CannotRun where somebody else listens on the port already."""
    with socket.socket() as probe:
        # As gunicorn binds: connections of an earlier run that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotRun(
                f"Port {port} of 127.0.0.1 is in use ({error.strerror}): "
                f"stop what listens there, or set PORT to another, as in `PORT=8001 make run`."
            ) from error


def add_dotenv(environ: MutableMapping[str, str]) -> None:
    """Take over what `.env` beside `manage.py` sets and the environment does not."""
    path = PROJECT / ".env"
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, found, value = line.partition("=")
        if found and not name.lstrip().startswith("#"):
            environ.setdefault(name.strip().removeprefix("export "), value.strip().strip("'\""))


def _end_by_exception_on_sigterm() -> None:
    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
