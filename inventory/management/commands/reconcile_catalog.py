"""Print which copies of the catalogue are not what it says; exit with 1 if any is."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from inventory import services
from shop.http.json import dumps


class Command(BaseCommand):
    help = (
        "Compare a sample of the cached products, and of the listing, with the tables that they "
        "copy, and remember what was found. Exit code 1 if any differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sample", type=int, default=500, help="how many of each at most (500)"
        )
        parser.add_argument(
            "--fix", action="store_true", help="drop stale copies, make drifted rows anew"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, sample: int, fix: bool, json: bool, **options: Any) -> None:
        seen = services.reconcile_catalogue(now=timezone.now(), sample=sample)
        if seen is None:
            raise CommandError("Another look is being taken: try again in a moment.")
        repairs = []
        if fix:
            now = timezone.now()
            repairs += services.drop_stale_copies(stale=seen.stale, now=now)
            repairs += services.refresh_drifted_listings(drifted=seen.drifted, now=now)
        stale, drifted = ([], []) if fix else (seen.stale, seen.drifted)
        is_sound = not stale and not drifted
        if json:
            told = {
                "ok": is_sound,
                "checks": seen.run.checks,
                "findings": [*map(asdict, stale), *map(asdict, drifted)],
                "repairs": [asdict(repair) for repair in repairs],
                "seconds": seen.run.seconds,
            }
            self.stdout.write(dumps(told).decode())
        else:
            for repair in repairs:
                self.stdout.write(f"mended: {repair.reference}: {repair.done}")
            for copy in stale:
                self.stdout.write(f"stale: product {copy.product_id} as {copy.ref}")
            for row in drifted:
                self.stdout.write(f"listing of product {row.product_id}: {row.state}")
            self.stdout.write(
                f"{len(stale)} stale, {len(drifted)} drifted, in {seen.run.seconds} s"
            )
        if not is_sound:
            raise SystemExit(1)
