"""Print where the stock's books disagree; exit with 1 if they do anywhere."""

import json
from dataclasses import asdict
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog.models import Variant
from inventory.selectors import CHECKS, drifted_stock


class Command(BaseCommand):
    help = (
        "Compare the stock's counters with reservations and ledger, all as of one moment. "
        "Exit code 1 if they disagree anywhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sku", help="look at this SKU alone")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, sku: str | None, json: bool, **options: Any) -> None:
        if sku is not None and not Variant.objects.filter(sku=sku).exists():
            raise CommandError(f"There is no SKU {sku}.")
        started = perf_counter()
        found = drifted_stock(sku=sku, now=timezone.now())
        seconds = round(perf_counter() - started, 3)
        if json:
            self.stdout.write(
                _as_json(
                    {
                        "ok": not found,
                        "checks": [check.name for check in CHECKS],
                        "findings": [asdict(drift) for drift in found],
                        "seconds": seconds,
                    }
                )
            )
        else:
            for drift in found:
                self.stdout.write(
                    f"{drift.check}: {drift.sku} in {drift.warehouse}: "
                    f"expected {drift.expected}, found {drift.found} ({drift.detail})"
                )
            told = f"{len(found)} findings" if found else "nothing to be found"
            self.stdout.write(f"{len(CHECKS)} checks, {told}, in {seconds} s")
        if found:
            raise SystemExit(1)


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content)
