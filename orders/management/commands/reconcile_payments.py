"""Print where payments disagree with orders or providers; exit with 1 if they do."""

import json as json_library
from dataclasses import asdict
from datetime import timedelta
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from orders.selectors import PAYMENT_CHECKS, payment_findings
from orders.selectors.reconciliation import PROVIDER_CHECK


class Command(BaseCommand):
    help = (
        "Compare payments with their orders, and with what the providers tell. "
        "Exit code 1 if they disagree anywhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--hours",
            type=int,
            default=None,
            help="ask the providers about so many hours back; everything if it is not given",
        )

    def handle(self, *args: Any, json: bool, hours: int | None, **options: Any) -> None:
        now = timezone.now()
        started = perf_counter()
        since = now - timedelta(hours=hours) if hours is not None else None
        found = payment_findings(now=now, since=since)
        seconds = round(perf_counter() - started, 3)
        names = [*(check.name for check in PAYMENT_CHECKS), PROVIDER_CHECK]
        if json:
            self.stdout.write(
                json_library.dumps(
                    {
                        "ok": not found,
                        "checks": names,
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
            self.stdout.write(f"{len(names)} checks, {told}, in {seconds} s")
        if found:
            raise SystemExit(1)
