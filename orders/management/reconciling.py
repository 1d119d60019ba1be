"""What `reconcile_orders` and `reconcile_payments` share: look, mend if asked, tell, exit code."""

import json as json_library
from abc import abstractmethod
from collections.abc import Collection
from dataclasses import asdict
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from inventory.services import Repair
from orders import services
from orders.selectors import Finding
from orders.services import BooksSeen


class BooksCommand(BaseCommand):
    """A command that looks at some books of orders. Exit code 1 if they disagree anywhere."""

    checks: Collection[str] = ()

    @abstractmethod
    def reconcile(self, **options: Any) -> BooksSeen | None:
        """Look, and remember what was seen; None while another process does."""

    @abstractmethod
    def look(self, **options: Any) -> list[Finding]:
        """Look, and remember nothing."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--fix",
            action="store_true",
            help="mend what is certain, with a word on each finding; the rest is listed still",
        )

    def handle(self, *args: Any, json: bool, fix: bool, **options: Any) -> None:
        repairs = self._repair(**options) if fix else []
        started = perf_counter()
        seen = self.reconcile(**options)
        # While another process looks, and remembers, this one only looks.
        found = self.look(**options) if seen is None else seen.findings
        seconds = round(perf_counter() - started, 3)
        if json:
            self.stdout.write(
                json_library.dumps(
                    {
                        "ok": not found,
                        "checks": list(self.checks),
                        "findings": [asdict(finding) for finding in found],
                        "repairs": [asdict(repair) for repair in repairs],
                        "seconds": seconds,
                    }
                )
            )
        else:
            for repair in repairs:
                self.stdout.write(f"mended: {repair.reference}: {repair.done}")
            for finding in found:
                self.stdout.write(
                    f"{finding.check}: {finding.reference}: "
                    f"expected {finding.expected}, found {finding.found}"
                )
            told = f"{len(found)} findings" if found else "nothing to be found"
            self.stdout.write(f"{len(self.checks)} checks, {told}, in {seconds} s")
        if found:
            raise SystemExit(1)

    def _repair(self, **options: Any) -> list[Repair]:
        seen = self.reconcile(**options)
        if seen is None:
            raise CommandError("Another reconciliation is running: try again in a moment.")
        return services.repair_books(findings=seen.findings, now=timezone.now())
