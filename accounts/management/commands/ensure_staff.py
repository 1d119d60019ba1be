"""Make sure that somebody can open the admin."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.utils import timezone

from accounts.services import ensure_staff


class Command(BaseCommand):
    help = (
        "Make or update a superuser. Repeatable. Without options it reads SHOP_STAFF_EMAIL and"
        " SHOP_STAFF_PASSWORD, which keeps the password out of the list of processes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default=os.environ.get("SHOP_STAFF_EMAIL", ""))
        parser.add_argument("--password", default=os.environ.get("SHOP_STAFF_PASSWORD", ""))

        parser.add_argument(
            "--if-missing",
            action="store_true",
            help="Leave an account of that address as it is, its password too.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            validate_email(options["email"])
        except ValidationError:
            raise CommandError("--email must be an e-mail address.") from None
        if not options["password"]:
            raise CommandError("--password must not be empty.")
        ensure_staff(
            email=options["email"],
            password=options["password"],
            now=timezone.now(),
            leave_known=options["if_missing"],
        )
        self.stdout.write("The staff user is ready.")
