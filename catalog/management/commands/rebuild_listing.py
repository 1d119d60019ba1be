"""Make the copy that lists and search read anew."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from catalog.services import rebuild_listing


class Command(BaseCommand):
    help = "Rebuild the product listing from its sources, while the shop runs."

    def handle(self, *args: Any, **options: Any) -> None:
        seen = rebuild_listing(now=timezone.now())
        self.stdout.write(f"{seen} products looked at")
