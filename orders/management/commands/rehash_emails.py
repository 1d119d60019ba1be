"""Writes the keyed hashes of e-mail addresses anew, after the key was changed."""

from typing import Any

from django.core.management.base import BaseCommand

from orders.services import rehash_emails


class Command(BaseCommand):
    help = "Write every keyed hash of an e-mail address anew, by the newest key. Repeatable."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, changed in rehash_emails().items():
            self.stdout.write(f"rehash_emails: {changed} {name} changed.")
