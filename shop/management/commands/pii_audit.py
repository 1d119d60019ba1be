"""Fails where a text of some table has no class in the registry of personal fields."""

import sys
from collections import Counter
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser

from shop.privacy.registry import DataClass, audit, tables


class Command(BaseCommand):
    help = "Compare the registry of personal fields with the tables. Exit code 1 on findings."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list", action="store_true", help="Print every personal field.")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = audit(iter(apps.get_models(include_auto_created=True)), get_user_model())
        for sentence in wrong:
            self.stderr.write(f"pii_audit: {sentence}")
        if wrong:
            sys.exit(1)
        counts: Counter[str] = Counter()
        for table in tables().values():
            for name, personal in sorted(table.fields.items()):
                counts[personal.data_class.value] += 1
                if options["list"] and personal.data_class is not DataClass.NONE:
                    self.stdout.write(
                        f"{table.label}.{name}: {personal.data_class},"
                        f" {personal.erasure}; {personal.retention}"
                    )
        told = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
        self.stdout.write(f"pii_audit: {len(tables())} tables; {told}.")
