"""Give the roles of the database what they are for: timeouts and rights; or print the SQL."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shop.management.granting import PURPOSES, give_roles


class Command(BaseCommand):
    help = (
        "Print the SQL that gives each role that the shop connects as the timeouts and the rights "
        "of its purpose, and no others. --apply executes it in one transaction; safe to repeat. "
        "As an administrator before the first migration, then as the migrator with --rights-only "
        "after each. docs/operations/database-roles.md tells more."
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
        parser.add_argument(
            "--create",
            action="store_true",
            help="make roles that are not there; SHOP_WEB_DATABASE_PASSWORD and the like "
            "(WORKER, READONLY, MIGRATOR) are set as their passwords, of old ones too",
        )
        parser.add_argument(
            "--rights-only",
            action="store_true",
            help="only the rights to tables, which their owner may give",
        )

    def handle(
        self, *args: Any, apply: bool, create: bool, rights_only: bool, **options: Any
    ) -> None:
        statements = give_roles(
            {purpose: options[purpose] for purpose in PURPOSES if options[purpose]},
            apply=apply,
            create=create,
            rights_only=rights_only,
            passwords={
                purpose: os.environ.get(f"SHOP_{purpose.upper()}_DATABASE_PASSWORD", "")
                for purpose in PURPOSES
            },
        )
        for statement in statements:
            self.stdout.write(f"{statement};")
