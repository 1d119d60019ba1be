"""Print which cached products are not what the catalogue says; exit with 1 if any is."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from inventory import services
from shop.http.json import dumps


class Command(BaseCommand):
    help = (
        "Compare a sample of the cached products with the database, and remember what was found. "
        "Exit code 1 if any is stale."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sample", type=int, default=500, help="how many at most (500)")
        parser.add_argument("--fix", action="store_true", help="drop the stale ones")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, sample: int, fix: bool, json: bool, **options: Any) -> None:
        seen = services.reconcile_catalogue(now=timezone.now(), sample=sample)
        if seen is None:
            raise CommandError("Another look is being taken: try again in a moment.")
        repairs = services.drop_stale_copies(stale=seen.stale, now=timezone.now()) if fix else []
        left = [] if fix else seen.stale
        if json:
            told = {
                "ok": not left,
                "checks": seen.run.checks,
                "findings": [asdict(copy) for copy in left],
                "repairs": [asdict(repair) for repair in repairs],
                "seconds": seen.run.seconds,
            }
            self.stdout.write(dumps(told).decode())
        else:
            for repair in repairs:
                self.stdout.write(f"mended: {repair.reference}: {repair.done}")
            for copy in left:
                self.stdout.write(f"stale: product {copy.product_id} as {copy.ref}")
            self.stdout.write(f"{len(left)} stale, in {seen.run.seconds} s")
        if left:
            raise SystemExit(1)
