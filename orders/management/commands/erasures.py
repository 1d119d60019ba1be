"""The list of people who had themselves erased; and erasing them again in a restored backup."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.selectors import erased_people
from orders.services import reapply_erasures, sweep_erasures


class Command(BaseCommand):
    help = "Print the public ids of erased people, one a line; or erase those of a file again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", type=Path, metavar="FILE", help="Ids, one a line.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["apply"] is None:
            for person in erased_people():
                self.stdout.write(str(person))
            return
        try:
            people = [UUID(line) for line in options["apply"].read_text(encoding="utf-8").split()]
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['apply']}: {error}") from None
        now = timezone.now()
        again = reapply_erasures(people=people, now=now)
        sweep_erasures(now=now)
        self.stdout.write(f"erasures: {again} of {len(people)} were back and are erased again.")
