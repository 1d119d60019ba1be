"""Looks at everything that the shop depends on, and says what is wrong with it."""

import io
import json
import os
import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from celery import current_app
from django.conf import settings
from django.core import checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shop.models import OutboxMessage
from shop.redis import cache_client, carts, limiter

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 150_000
# Half the time that a web process waits for a lock.
LATEST_DEADLOCK_MS = 500
LEAST_FREE_BYTES = 1024**3
MOST_OUTBOX_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and how it is."""

    subject: str
    state: str  # "ok", "warning" or "problem"
    detail: str


class Command(BaseCommand):
    help = "Check each dependency and setting; exit code 1 if there is a problem."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(examine())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1))
        else:
            self._print(findings)
        if any(finding.state == "problem" for finding in findings):
            sys.exit(1)

    def _print(self, findings: list[Finding]) -> None:
        table = Table("subject", "state", "detail", title="How the shop is", title_justify="left")
        colours = {"ok": "green", "warning": "yellow", "problem": "red"}
        for finding in findings:
            state = f"[{colours[finding.state]}]{finding.state}[/]"
            table.add_row(finding.subject, state, escape(finding.detail))
        drawing = io.StringIO()
        is_terminal = sys.stdout.isatty()
        console = Console(
            file=drawing, force_terminal=is_terminal, width=None if is_terminal else 140
        )
        console.print(table)
        self.stdout.write(drawing.getvalue())


def examine() -> Iterator[Finding]:
    """Look at everything, each thing even where those before it fail."""
    yield _python()
    yield Finding("settings", "ok", f"SHOP_ENV={settings.SHOP_ENV}, SHOP_HOME={settings.SHOP_HOME}")
    yield _system_checks()
    yield _home()
    yield from _database()
    yield from _redis()
    yield _broker()
    yield _static_files()


def _python() -> Finding:
    version = ".".join(str(number) for number in sys.version_info[:3])
    is_enough = sys.version_info >= OLDEST_PYTHON
    return Finding("python", "ok" if is_enough else "problem", version)


def _system_checks() -> Finding:
    found = checks.run_checks(include_deployment_checks=settings.IS_PRODUCTION)
    told = [message for message in found if not message.is_silenced()]
    if not told:
        return Finding("system checks", "ok", "none has anything to say")
    is_serious = any(message.is_serious() for message in told)
    detail = "; ".join(f"{message.id}: {message.msg}" for message in told[:5])
    return Finding("system checks", "problem" if is_serious else "warning", detail)


def _home() -> Finding:
    home = Path(settings.SHOP_HOME)
    if not home.exists():
        return Finding(
            "home", "ok" if settings.IS_PRODUCTION else "warning", f"{home} is not there"
        )
    if not os.access(home, os.W_OK):
        return Finding("home", "problem", f"{home} cannot be written")
    free = shutil.disk_usage(home).free
    state = "ok" if free >= LEAST_FREE_BYTES else "warning"
    return Finding("home", state, f"{home}, {free / 1024**3:.1f} GiB free")


def _database() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int, current_setting('fsync'),"
                " current_setting('synchronous_commit'), current_setting('max_connections')::int,"
                " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
                " (SELECT setting::int FROM pg_settings WHERE name = 'deadlock_timeout')"
            )
            version, fsync, commit, most, used, deadlock_ms = cursor.fetchone()
    except DatabaseError as error:
        yield Finding("database", "problem", _first_line(error))
        return
    place = connection.settings_dict
    where = f"{place['HOST']}:{place['PORT']}/{place['NAME']}"
    is_enough = version >= OLDEST_POSTGRES
    yield Finding(
        "database", "ok" if is_enough else "problem", f"PostgreSQL {version // 10000} at {where}"
    )
    is_durable = fsync == "on" and commit != "off"
    yield Finding(
        "durability",
        "ok" if is_durable else "problem",
        f"fsync={fsync}, synchronous_commit={commit}: "
        + ("what was committed stays" if is_durable else "a crash can lose paid orders"),
    )
    yield Finding(
        "connections", "ok" if used < most * 0.8 else "warning", f"{used} of {most} in use"
    )
    is_soon = deadlock_ms <= LATEST_DEADLOCK_MS
    yield Finding(
        "deadlocks",
        "ok" if is_soon else "warning",
        f"deadlock_timeout={deadlock_ms} ms: "
        + (
            "they are noticed in time to be tried again"
            if is_soon
            else f"locks time out first, and clients are told 503; set {LATEST_DEADLOCK_MS} or less"
        ),
    )
    yield _migrations()
    yield _outbox()


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return Finding("migrations", "ok", "all are applied")
    names = ", ".join(f"{step.app_label}.{step.name}" for step, _ in plan[:3])
    return Finding("migrations", "problem", f"{len(plan)} to apply ({names} …): manage.py migrate")


def _outbox() -> Finding:
    try:
        waiting = OutboxMessage.objects.filter(published_at=None).count()
    except DatabaseError as error:
        return Finding("outbox", "problem", _first_line(error))
    state = "ok" if waiting < MOST_OUTBOX_MESSAGES else "warning"
    return Finding("outbox", state, f"{waiting} messages wait for the relay")


def _redis() -> Iterator[Finding]:
    roles: list[tuple[str, Callable[[], Any], bool]] = [
        ("redis carts", carts, True),
        ("redis limiter", limiter, True),
        ("redis cache", cache_client, False),
    ]
    for name, client_of, must_keep in roles:
        try:
            server = client_of().info()
        except redis.RedisError as error:
            yield Finding(name, "problem", _first_line(error))
            continue
        policy = str(server.get("maxmemory_policy", "unknown"))
        keeps = policy == "noeviction"
        detail = f"{server.get('redis_version')}, maxmemory-policy {policy}"
        if must_keep and not keeps:
            yield Finding(name, "problem", f"{detail}: it may evict what has no other copy")
        elif name == "redis carts" and not int(server.get("aof_enabled", 0)):
            yield Finding(
                name, "warning", f"{detail}, no append-only file: a restart empties carts"
            )
        else:
            yield Finding(name, "ok", detail)


def _broker() -> Finding:
    parts = urlsplit(settings.CELERY_BROKER_URL)
    where = f"{parts.scheme}://{parts.hostname}:{parts.port or ''}"
    try:
        with current_app.connection_for_write(settings.CELERY_BROKER_URL) as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except (OperationalError, OSError, redis.RedisError) as error:
        return Finding("broker", "problem", f"{where}: {_first_line(error)}")
    return Finding("broker", "ok", where)


def _static_files() -> Finding:
    if not settings.IS_PRODUCTION:
        return Finding("static files", "ok", "served from the packages")
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if manifest.exists():
        return Finding("static files", "ok", str(settings.STATIC_ROOT))
    return Finding("static files", "problem", "not collected: manage.py collectstatic")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]
