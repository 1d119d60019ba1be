"""Bringing a database of our own up to date, for commands that find it new."""

from collections.abc import Callable

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def bring_up_to_date(say: Callable[[str], object]) -> None:
    """Apply the migrations that the default database lacks; look, and do no more, if none."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        say("Migrating the database …")
        call_command("migrate", verbosity=0, interactive=False)
