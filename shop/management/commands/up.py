"""The whole shop in the foreground: servers, API, worker, scheduler and relay."""

import http.client
import io
import json
import os
import secrets
import shutil
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from shop.db.version import server_version
from shop.embedded.command_line import servers_of_up
from shop.embedded.errors import CannotRun
from shop.embedded.home import PROJECT, Home, write_private
from shop.embedded.keeper import Keeper
from shop.embedded.supervisor import Program, Supervisor
from shop.management.granting import give_roles
from shop.management.migrating import bring_up_to_date

# All share one machine, and a shopper waits for the web. Niceness: at 10 a tenth, at 15 a thirtieth
# of the time that the web has while both want all of it. It makes good when the rush is over.
_RELAY, _AFTER_REQUESTS, _LAST = 10, 15, 19
# What somebody waits for does not stand behind an import or a picture.
QUEUES = {
    "worker": ("critical,mail,default,webhooks", 2, _AFTER_REQUESTS),
    "bulk": ("bulk,pictures", 1, _LAST),  # in turn
}
SANDBOX_TOKENS = (
    ("tok_ok", "paid at once"),
    ("tok_declined", "refused: 402, stock given back"),
    ("tok_requires_action", "the customer has one more step to do"),
    ("tok_timeout", "charged, but the answer is lost: 202, settled later"),
    ("tok_error", "the provider answers 500"),
    ("tok_slow", "paid after some seconds"),
)


class Command(BaseCommand):
    help = "Run the whole shop in the foreground until Ctrl-C or SIGTERM."
    # `check` is run by every program that we start; and migrations are applied here.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = (
            "PORT and SHOP_HOME say where; .env.example lists every variable. Servers whose "
            "address is not given are run from wheels, with their files in SHOP_HOME."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        home = Home.of(os.environ)
        guard = _guard_port(settings.PORT)
        try:
            bring_up_to_date(self.stdout.write)
            addresses = _addresses_by_purpose()
            staff = _staff_login(home)
            call_command(
                "ensure_staff",
                email=staff.email,
                password=staff.password,
                # A password that we made up does not undo one that its owner chose since.
                if_missing=staff.is_made_up,
                stdout=io.StringIO(),
            )
            self._load_demo_once(home)
            connection.close()
            supervisor = Supervisor(
                folder=PROJECT, look_after_servers=Keeper(servers_of_up().started).look_after
            )
            first, *others = _programs(home, addresses)
            supervisor.run(
                first,
                others,
                answers=lambda: _is_alive(settings.PORT),
                announce=lambda: self._announce(staff),
            )
        except DatabaseError as error:
            reason = str(error).strip().splitlines()
            raise CannotRun(f"The database refuses: {reason[0] if reason else error!r}") from error
        finally:
            guard.close()

    def _load_demo_once(self, home: Home) -> None:
        """Load the demo catalogue, unless this database has had it or SHOP_DEMO=0."""
        if os.environ.get("SHOP_DEMO") == "0":
            return
        path = home.path / "demo.json"
        loaded: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        database = _name_of_database()
        if database in loaded:
            return
        self.stdout.write("Loading the demo catalogue …")
        call_command("load_demo")
        write_private(path, json.dumps([*loaded, database]))

    def _announce(self, staff: "_Login") -> None:
        base = f"http://127.0.0.1:{settings.PORT}"
        lines = [
            "",
            f"The shop is open at {base}",
            "",
            f"  API        {base}/api/v1/products",
            f"  docs       {base}/api/docs   {base}/api/redoc",
            f"  admin      {base}{settings.SHOP_ADMIN_PATH}",
            f"  staff      {staff.email}   {staff.shown_password}",
            *(["             (with a second factor, to be set up)"] * settings.SHOP_STAFF_TOTP),
            f"  data       {settings.SHOP_HOME}   (mails: {settings.SHOP_HOME}/mail)",
            "",
        ]
        if settings.SHOP_SANDBOX_PAYMENTS:
            lines.append('  payment    {"provider": "sandbox", "token": …} takes these tokens:')
            lines += [f"             {token:<20} {meaning}" for token, meaning in SANDBOX_TOKENS]
            lines.append("")
        lines += ["Ctrl-C stops it.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


@dataclass(frozen=True, slots=True)
class _Login:
    email: str
    password: str
    is_made_up: bool

    @property
    def shown_password(self) -> str:
        return self.password if self.is_made_up else "(the password in SHOP_STAFF_PASSWORD)"


def _staff_login(home: Home) -> _Login:
    """Return the first staff user's log-in: given, remembered, or made up and remembered."""
    email = os.environ.get("SHOP_STAFF_EMAIL") or "staff@shop.localhost"
    if given := os.environ.get("SHOP_STAFF_PASSWORD"):
        return _Login(email, given, is_made_up=False)
    path = home.path / "staff.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if email not in known:
        known[email] = secrets.token_urlsafe(12)
        write_private(path, json.dumps(known))
    return _Login(email, known[email], is_made_up=True)


def _name_of_database() -> str:
    if servers_of_up().runs_database:
        return "embedded"  # on another port each time
    place = connection.settings_dict
    return f"{place['HOST']}:{place['PORT']}/{place['NAME']}"


def _addresses_by_purpose() -> dict[str, str]:
    """Return where the database is for web and for workers, as a role that can do no more.

    Nothing for a database that was given: its address says as whom we come, and who may make roles
    there is not for us to say.
    """
    if not servers_of_up().runs_database:
        return {}
    # Made up on each start and told to the processes alone: nobody has to keep them.
    passwords = {purpose: secrets.token_urlsafe(24) for purpose in ("web", "worker")}
    roles = {purpose: f"shop_{purpose}" for purpose in passwords}
    give_roles(roles, create=True, passwords=passwords)
    place = connection.settings_dict
    return {
        purpose: f"postgresql://{roles[purpose]}:{password}@{place['HOST']}:{place['PORT']}/{place['NAME']}"
        for purpose, password in passwords.items()
    }


def _programs(home: Home, addresses: Mapping[str, str]) -> list[Program]:
    """Return what runs, the API first."""
    metrics = home.run / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    common = {
        **os.environ,
        "SHOP_ENV": settings.SHOP_ENV,
        "DATABASE_SERVER_VERSION": os.environ.get("DATABASE_SERVER_VERSION")
        or str(server_version()),
        "PYTHONUNBUFFERED": "1",
        # For developers, and told by the tests; whoever runs the shop cannot mend them.
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
    }
    web = {
        **common,
        "SHOP_PROCESS": "web",
        "SHOP_BIND": os.environ.get("SHOP_BIND") or f"127.0.0.1:{settings.PORT}",
        "SHOP_GRACEFUL_SECONDS": os.environ.get("SHOP_GRACEFUL_SECONDS") or "4",
        "SHOP_GUNICORN_LOG_LEVEL": os.environ.get("SHOP_GUNICORN_LOG_LEVEL") or "warning",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    worker = {**common, "SHOP_PROCESS": "worker"}
    for purpose, environment in (("web", web), ("worker", worker)):
        if address := addresses.get(purpose):
            environment["DATABASE_URL"] = address
    python = sys.executable
    celery = [python, "-m", "celery", "--app=shop", "--skip-checks", "--quiet"]
    configuration = str(PROJECT / "deploy" / "gunicorn.conf.py")
    return [
        Program("web", [python, "-m", "gunicorn", "-c", configuration, "shop.wsgi"], web),
        *(
            Program(
                name,
                [
                    *celery,
                    "worker",
                    f"--hostname={name}@%h",
                    "--loglevel=warning",
                    f"--queues={queues}",
                    f"--concurrency={processes}",
                    "--without-gossip",
                    "--without-mingle",
                ],
                worker,
                niceness=niceness,
            )
            for name, (queues, processes, niceness) in QUEUES.items()
        ),
        Program(
            "beat",
            [
                *celery,
                "beat",
                "--loglevel=warning",
                f"--schedule={home.run / 'celerybeat-schedule'}",
                "--pidfile=",
            ],
            worker,
        ),
        Program("relay", [python, str(PROJECT / "manage.py"), "relay_outbox"], worker, _RELAY),
    ]


def _guard_port(port: int) -> socket.socket:
    """Keep the port from other shops: gunicorn shares it with this socket, which never listens."""
    guard = socket.socket()
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        guard.bind(("127.0.0.1", port))
    except OSError as error:
        guard.close()
        raise CannotRun(f"Port {port} of 127.0.0.1 is in use ({error.strerror}).") from error
    return guard


def _is_alive(port: int) -> bool:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        asking.request("GET", "/livez")
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()
