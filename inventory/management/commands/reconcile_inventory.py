"""Print where the stock's books disagree; exit with 1 if they do anywhere."""

import json
from dataclasses import asdict
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from catalog.models import Variant
from inventory import services
from inventory.selectors import CHECKS, Drift, StockStory, drifted_stock, stories_of_stock
from inventory.services import Repair
from shop.http.json import dumps


class Command(BaseCommand):
    help = (
        "Compare the stock's counters with reservations and ledger, all as of one moment, and "
        "remember what was found. Exit code 1 if they disagree anywhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sku", help="look at this SKU alone; nothing is remembered")
        parser.add_argument(
            "--explain", metavar="SKU", help="tell at which ledger row this SKU's books part"
        )
        parser.add_argument(
            "--fix",
            action="store_true",
            help="mend what is certain, with a ledger row that says so; the rest is listed still",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *args: Any,
        sku: str | None,
        explain: str | None,
        fix: bool,
        json: bool,
        **options: Any,
    ) -> None:
        for named in (sku, explain):
            if named is not None and not Variant.objects.filter(sku=named).exists():
                raise CommandError(f"There is no SKU {named}.")
        if fix and sku is not None:
            raise CommandError("--fix mends what a look at all stock has found: leave out --sku.")
        repairs = self._repair() if fix else []
        if explain is not None:
            self._explain(stories_of_stock(sku=explain), repairs, as_json=json)
        else:
            self._list(sku, repairs, as_json=json)

    def _repair(self) -> list[Repair]:
        seen = services.reconcile_stock(now=timezone.now())
        if seen is None:
            raise CommandError("Another reconciliation is running: try again in a moment.")
        return services.repair_stock(drifts=seen.drifts, now=timezone.now())

    def _list(self, sku: str | None, repairs: list[Repair], *, as_json: bool) -> None:
        started = perf_counter()
        found = _looked(sku)
        seconds = round(perf_counter() - started, 3)
        if as_json:
            self.stdout.write(
                _as_json(
                    {
                        "ok": not found,
                        "checks": [check.name for check in CHECKS],
                        "findings": [asdict(drift) for drift in found],
                        "repairs": [asdict(repair) for repair in repairs],
                        "seconds": seconds,
                    }
                )
            )
        else:
            self._tell(repairs)
            for drift in found:
                self.stdout.write(
                    f"{drift.check}: {drift.sku} in {drift.warehouse}: "
                    f"expected {drift.expected}, found {drift.found} ({drift.detail})"
                )
            told = f"{len(found)} findings" if found else "nothing to be found"
            self.stdout.write(f"{len(CHECKS)} checks, {told}, in {seconds} s")
        if found:
            raise SystemExit(1)

    def _explain(self, stories: list[StockStory], repairs: list[Repair], *, as_json: bool) -> None:
        is_sound = all(story.is_sound for story in stories)
        if as_json:
            self.stdout.write(
                dumps(
                    {
                        "ok": is_sound,
                        "stock": [_story(story) for story in stories],
                        "repairs": [asdict(repair) for repair in repairs],
                    }
                ).decode()
            )
        else:
            self._tell(repairs)
            console = Console(width=140, highlight=False)
            with console.capture() as told:
                for story in stories:
                    console.print(_table(story))
                    console.print(_verdict(story), soft_wrap=True)
            self.stdout.write(told.get())
            if not stories:
                self.stdout.write("There is no stock of it, and there never was.")
        if not is_sound:
            raise SystemExit(1)

    def _tell(self, repairs: list[Repair]) -> None:
        for repair in repairs:
            self.stdout.write(f"mended: {repair.reference}: {repair.done}")


def _looked(sku: str | None) -> list[Drift]:
    now = timezone.now()
    if sku is not None:
        return drifted_stock(sku=sku, now=now)
    seen = services.reconcile_stock(now=now)
    # While another process looks, and remembers, this one only looks.
    return drifted_stock(now=now) if seen is None else seen.drifts


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content)


def _story(story: StockStory) -> dict[str, Any]:
    return {
        "sku": story.sku,
        "warehouse": story.warehouse,
        "on_hand": story.on_hand,
        "reserved": story.reserved,
        "ledger_on_hand": story.ledger_on_hand,
        "ledger_reserved": story.ledger_reserved,
        "open_reservations": story.open_reservations,
        "ledger_parts_at": story.ledger_parts_at,
        "counters_part_after": story.counters_part_after,
        "is_sound": story.is_sound,
        "entries": [{**asdict(entry), "parts": entry.parts} for entry in story.entries],
    }


def _table(story: StockStory) -> Table:
    table = Table(title=f"{story.sku} in {story.warehouse}", title_justify="left")
    for name in ("movement", "at", "kind", "cause"):
        table.add_column(name)
    for name in ("on hand", "after", "expected", "reserved", "after", "expected"):
        table.add_column(name, justify="right")
    for entry in story.entries:
        table.add_row(
            f"{entry.movement_id}{' ←' if entry.parts else ''}",
            f"{entry.happened_at:%Y-%m-%d %H:%M:%S}",
            entry.kind,
            entry.cause,
            f"{entry.delta_on_hand:+d}",
            str(entry.on_hand_after),
            str(entry.expected_on_hand),
            f"{entry.delta_reserved:+d}",
            str(entry.reserved_after),
            str(entry.expected_reserved),
            style="bold red" if entry.parts else None,
        )
    table.add_section()
    table.add_row("counters", "", "", "", "", str(story.on_hand), "", "", str(story.reserved), "")
    return table


def _verdict(story: StockStory) -> str:
    told = []
    if story.ledger_parts_at is not None:
        told.append(f"The ledger does not follow from itself at movement {story.ledger_parts_at}.")
    if story.counters_part_after:
        told.append(
            f"Counters and ledger part after movement {story.counters_part_after}: counters "
            f"{story.on_hand} on hand, {story.reserved} reserved; sum of the ledger "
            f"{story.ledger_on_hand} and {story.ledger_reserved}."
        )
    elif story.counters_part_after == 0:
        told.append("The counters are not 0, and there is no ledger.")
    if story.open_reservations != story.reserved:
        told.append(f"Open reservations hold {story.open_reservations}, not {story.reserved}.")
    return " ".join(told) or "The books agree."
