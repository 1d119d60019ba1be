"""Print where payments disagree with orders or providers; exit with 1 if they do."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from orders import services
from orders.management.reconciling import BooksCommand
from orders.selectors import PAYMENT_CHECKS, PROVIDER_CHECKS, Finding, payment_findings
from orders.services import BooksSeen


class Command(BooksCommand):
    help = (
        "Compare payments with their orders, and with what the providers tell, and remember what "
        "was found. Exit code 1 if they disagree anywhere."
    )
    checks = (*(check.name for check in PAYMENT_CHECKS), *PROVIDER_CHECKS)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--hours",
            type=int,
            default=None,
            help="ask the providers about so many hours back; everything if it is not given",
        )

    def reconcile(self, **options: Any) -> BooksSeen | None:
        return services.reconcile_payments(now=timezone.now(), window=_window(options["hours"]))

    def look(self, **options: Any) -> list[Finding]:
        now, window = timezone.now(), _window(options["hours"])
        return payment_findings(now=now, since=None if window is None else now - window)


def _window(hours: int | None) -> timedelta | None:
    return None if hours is None else timedelta(hours=hours)
