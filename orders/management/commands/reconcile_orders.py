"""Print where orders disagree with their lines, money or stock; exit with 1 if they do."""

from typing import Any

from django.utils import timezone

from orders import services
from orders.management.reconciling import BooksCommand
from orders.selectors import ORDER_CHECKS, Finding, order_findings
from orders.services import BooksSeen


class Command(BooksCommand):
    help = (
        "Compare orders with their lines, their money and their stock, all as of one moment, and "
        "remember what was found. Exit code 1 if they disagree anywhere."
    )
    checks = tuple(check.name for check in ORDER_CHECKS)

    def reconcile(self, **options: Any) -> BooksSeen | None:
        return services.reconcile_orders(now=timezone.now())

    def look(self, **options: Any) -> list[Finding]:
        return order_findings(now=timezone.now())
