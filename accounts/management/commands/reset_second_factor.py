"""Let somebody who lost app and recovery codes set up a second factor anew."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.services import reset_second_factor
from shop.audit import acting


class Command(BaseCommand):
    help = (
        "Forget the second factor of one person, end their sessions and tell them by mail. They "
        "set up a new one when they next log in: make sure who asks, by another way than mail."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="whose")
        parser.add_argument("--by", required=True, help="who decided it, for the log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(options["email"])
        except User.DoesNotExist:
            raise CommandError("Nobody has this address.") from None
        with acting(user_id=None, request_id="", through=f"command, by {options['by']}"):
            was_there = reset_second_factor(user=user, by=options["by"], now=timezone.now())
        if was_there:
            self.stdout.write("Reset.")
        else:
            self.stdout.write("There was none.")
