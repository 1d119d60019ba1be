"""`manage.py load_demo [--reset]`: the demo catalogue with its pictures and its stock."""

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from inventory.services.demo import load_demo, reset_demo


class Command(BaseCommand):
    help = "Load the demo catalogue, once; with --reset make it and its stock as they were."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reset",
            action="store_true",
            help="restore the demo's products, prices, pictures and stock; orders stay",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        with bar:
            task = bar.add_task("Drawing", total=None)

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            run = reset_demo if options["reset"] else load_demo
            result = run(now=timezone.now(), progress=show)
        if result.is_present:
            self.stdout.write("The demo catalogue is there already.")
            return
        self.stdout.write(
            f"Demo catalogue: {result.created} products created, {result.updated} updated,"
            f" {result.unchanged} unchanged; {result.variants} variants,"
            f" {result.pictures} pictures; {time.monotonic() - began:.1f} s."
        )
