"""Print where orders disagree with their lines, money or stock; exit with 1 if they do."""

import json as json_library
from dataclasses import asdict
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from orders.selectors import ORDER_CHECKS, order_findings


class Command(BaseCommand):
    help = (
        "Compare orders with their lines, their money and their stock, all as of one moment. "
        "Exit code 1 if they disagree anywhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        started = perf_counter()
        found = order_findings(now=timezone.now())
        seconds = round(perf_counter() - started, 3)
        if json:
            self.stdout.write(
                json_library.dumps(
                    {
                        "ok": not found,
                        "checks": [check.name for check in ORDER_CHECKS],
                        "findings": [asdict(finding) for finding in found],
                        "seconds": seconds,
                    }
                )
            )
        else:
            for finding in found:
                self.stdout.write(
                    f"{finding.check}: {finding.reference}: "
                    f"expected {finding.expected}, found {finding.found}"
                )
            told = f"{len(found)} findings" if found else "nothing to be found"
            self.stdout.write(f"{len(ORDER_CHECKS)} checks, {told}, in {seconds} s")
        if found:
            raise SystemExit(1)
