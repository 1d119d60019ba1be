"""`manage.py seed_catalog --products 1000000 --seed 1`: a large catalogue for work on scale."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from inventory.services.seeding import seed_catalogue

_TITLES = {"products": "Products", "listing": "Listing"}
_LARGEST_SEED = 1_000_000
_MOST_PRODUCTS = 20_000_000


class Command(BaseCommand):
    help = (
        "Have so many made-up products in the shop, on sale and in stock: the same ones for the"
        " same seed. May be interrupted and run again. Never for a shop that sells."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--products", type=_number(_MOST_PRODUCTS), required=True)
        parser.add_argument("--seed", type=_number(_LARGEST_SEED), default=1)
        parser.add_argument(
            "--even-in-production", action="store_true", help="for a staging shop that is set so"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION and not options["even_in_production"]:
            raise CommandError("Made-up products in production? Say --even-in-production.")
        began = time.monotonic()
        wanted = options["products"]
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        with bar:
            tasks = {
                phase: bar.add_task(title, total=wanted, start=False)
                for phase, title in _TITLES.items()
            }

            def show(phase: str, done: int) -> None:
                bar.start_task(tasks[phase])
                bar.update(tasks[phase], completed=done)

            result = seed_catalogue(
                products=wanted, seed=options["seed"], now=timezone.now(), progress=show
            )
        if not (result.products or result.listed):
            self.stdout.write("They are there already.")
            return
        seconds = time.monotonic() - began
        self.stdout.write(
            f"{result.products} products with {result.variants} variants made,"
            f" {result.listed} products listed, in {seconds:.1f} s."
        )


def _number(most: int) -> Any:
    def read(text: str) -> int:
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return read
