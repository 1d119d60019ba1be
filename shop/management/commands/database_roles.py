"""Give the roles of the database the timeouts of what they are for, or print the SQL that does."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from psycopg import sql

from shop.audit.tracking import tables_of_changes
from shop.db.timeouts import SESSION, TIMEOUTS
from shop.db.version import server_version

# Beside the tables of changes. The web only inserts there.
_APPENDED_TO = ("inventory_stockmovement", "shop_piiaccess")
PURPOSES = ("web", "worker", "readonly", "migrator")


class Command(BaseCommand):
    help = (
        "Print `ALTER ROLE … SET …` for each role that the shop connects as, so that its sessions "
        "have the timeouts of their purpose also behind a pooler, which passes no options on; "
        "and what takes UPDATE and DELETE on audit and ledger from the web's. "
        "--apply executes it, as a role that may alter them; roles are not made here. New sessions "
        "have it; set DATABASE_TIMEOUTS_BY_ROLE=1 for the processes then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        for purpose in PURPOSES:
            parser.add_argument(
                f"--{purpose}",
                metavar="ROLE",
                default=f"shop_{purpose}",
                help=f"the role for it (shop_{purpose}); empty: there is none",
            )
        parser.add_argument("--apply", action="store_true", help="execute it")

    def handle(self, *args: Any, apply: bool, **options: Any) -> None:
        roles = {purpose: options[purpose] for purpose in PURPOSES if options[purpose]}
        if len(set(roles.values())) < len(roles):
            raise CommandError("A role cannot be for two things: its timeouts would be the last's.")
        if apply:
            self._require(roles.values())
        statements = [
            statement
            for purpose, role in roles.items()
            for statement in _statements(purpose, role, version=server_version())
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            # Settings of an extension can be given to roles once the session has loaded it.
            cursor.execute("SELECT word_similarity('a', 'b')")
            for statement in statements:
                text = statement.as_string(cursor.connection)
                self.stdout.write(f"{text};")
                if apply:
                    cursor.execute(text)

    def _require(self, roles: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(roles)])
            known = {name for (name,) in cursor.fetchall()}
        if missing := sorted(set(roles) - known):
            raise CommandError(
                f"There is no role {', '.join(missing)}: create it, or name another."
            )


def _statements(purpose: str, role: str, *, version: int) -> list[sql.Composed]:
    told = {**TIMEOUTS[purpose].settings(server_version=version), **SESSION}
    if purpose == "readonly":
        told["default_transaction_read_only"] = "on"
    return [
        *(_taken_from_web(role) if purpose == "web" else ()),
        *_set(role, told),
    ]


def _taken_from_web(role: str) -> list[sql.Composed]:
    """Return what keeps what is only appended to from being rewritten: triggers and grants."""
    tables = [*(table._meta.db_table for table in tables_of_changes().values()), *_APPENDED_TO]
    return [
        sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, sorted(tables))), sql.Identifier(role)
        )
    ]


def _set(role: str, told: Mapping[str, str]) -> list[sql.Composed]:
    return [
        sql.SQL("ALTER ROLE {} SET {} = {}").format(
            sql.Identifier(role), sql.Identifier(*name.split(".")), sql.Literal(value)
        )
        for name, value in told.items()
    ]
