"""Prove, with buyers and the books, that no unit is sold twice and none is left to refuse."""

import contextlib
import json as json_library
import random
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from orders.management.proof.control import run_unguarded
from orders.management.proof.people import HttpTill, ServicesTill, Till
from orders.management.proof.rounds import Round, Terms, run_round
from orders.management.proof.server import APPLICATION, Killer, own_server
from orders.management.proof.unguarded import drop_checks, take_out

UNGUARDED = "orders.management.proof.served:unguarded()"
_SHOWN_BREACHES = 10
_CAPTION = "wavered: cancelled/expired/declined. Times in ms: 50th, 95th and 99th percentile."


class Command(BaseCommand):
    help = (
        "Have too many buyers after too few units, and compare what they were told with orders, "
        "payments, the provider's books, counters and ledger. Exit code 1 if anything differs. "
        "Makes its own product, marked PROOF-, and archives it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--units", type=_positive, default=100)
        parser.add_argument("--buyers", type=_positive, default=1000, help="who want one unit each")
        parser.add_argument("--concurrency", type=_positive, default=64, help="buyers at once")
        parser.add_argument("--rounds", type=_positive, default=5)
        parser.add_argument(
            "--waverers",
            type=_natural,
            default=None,
            help="come besides: they cancel, walk away, or have a bad card (default: units / 5)",
        )
        parser.add_argument("--hold", type=_positive, default=4, help="seconds a hold lasts")
        parser.add_argument("--via", choices=["http", "services"], default="http")
        parser.add_argument(
            "--url",
            help="a shop that runs on this database, with a SHOP_RATE_LIMIT that lets all buyers "
            "come from one address (default: an own one)",
        )
        parser.add_argument("--flash", action="store_true", help="in a flash sale, one a buyer")
        parser.add_argument("--kill", action="store_true", help="SIGKILL web workers in between")
        parser.add_argument(
            "--without-guard",
            action="store_true",
            help="the negative control, on a database of its own: it must find a breach",
        )
        parser.add_argument("--seed", type=int, default=None, help="of the order of buyers")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        # Set by the negative control for the process that it starts; refused anywhere else.
        parser.add_argument("--unguarded", action="store_true", help="(for the control itself)")

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_what_does_not_fit(options)
        if options["without_guard"]:
            self._run_control(options)
            return
        if options["unguarded"]:
            take_out()
            drop_checks()
        seed = options["seed"]
        if seed is None:
            seed = random.randrange(10**6)  # noqa: S311 — printed, so that it can be repeated
        rounds = self._run_rounds(options, seed=seed)
        self._report(rounds, options, seed=seed)
        if not all(one.is_exact for one in rounds):
            raise SystemExit(1)

    def _run_rounds(self, options: dict[str, Any], *, seed: int) -> list[Round]:
        waverers = options["waverers"]
        terms = Terms(
            units=options["units"],
            buyers=options["buyers"],
            concurrency=options["concurrency"],
            hold_seconds=options["hold"],
            waverers=options["units"] // 5 if waverers is None else waverers,
            allows_busy=options["kill"],
            in_flash_sale=options["flash"],
        )
        done = []
        with _till(options) as (till, master), self._progress(options) as progress:
            for number in range(1, options["rounds"] + 1):
                bar = progress.add_task(
                    f"round {number}", total=float(terms.buyers + terms.waverers)
                )
                killer = Killer(master, seed=seed + number) if options["kill"] and master else None
                done.append(
                    run_round(
                        number,
                        till=till,
                        terms=terms,
                        seed=seed + number,
                        killer=killer,
                        step=lambda units, bar=bar: progress.advance(bar, units),  # type: ignore[misc]
                    )
                )
                progress.update(bar, visible=False)
        return done

    def _progress(self, options: dict[str, Any]) -> Progress:
        console = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=options["json"] or not console.is_terminal,
        )

    def _report(self, rounds: list[Round], options: dict[str, Any], *, seed: int) -> None:
        found = [f"round {one.number}: {breach}" for one in rounds for breach in one.breaches]
        if options["json"]:
            self.stdout.write(
                json_library.dumps(
                    {
                        "ok": not found,
                        "seed": seed,
                        "rounds": [one.as_json() for one in rounds],
                        "breaches": found,
                    }
                )
            )
            return
        width = None if self.stdout.isatty() else 170
        console = Console(file=self.stdout, width=width)  # type: ignore[arg-type]
        console.print(_table(rounds, kills=options["kill"], is_flash=options["flash"]))
        for breach in found[:_SHOWN_BREACHES]:
            self.stdout.write(f"BREACH {breach}")
        if len(found) > _SHOWN_BREACHES:
            self.stdout.write(f"… and {len(found) - _SHOWN_BREACHES} more")
        exact = sum(one.is_exact for one in rounds)
        self.stdout.write(f"{exact} of {len(rounds)} rounds exact (seed {seed})")

    def _run_control(self, options: dict[str, Any]) -> None:
        arguments = [
            f"--{name}={options[name]}"
            for name in ("units", "buyers", "concurrency", "rounds", "waverers", "hold", "via")
            if options[name] is not None
        ]
        if options["seed"] is not None:
            arguments.append(f"--seed={options['seed']}")
        report = run_unguarded(arguments)
        oversold = [one for one in report["rounds"] if one["sold"] > one["units"]]
        worked = bool(oversold)
        if options["json"]:
            self.stdout.write(json_library.dumps({**report, "control_worked": worked}))
        else:
            for one in report["rounds"]:
                self.stdout.write(
                    f"round {one['number']}: sold {one['sold']} of {one['units']} units, "
                    f"{len(one['breaches'])} breaches"
                )
            if worked:
                self.stdout.write(
                    f"The control worked: without the guard, {len(oversold)} of "
                    f"{len(report['rounds'])} rounds oversold, and the proof says so."
                )
            else:
                self.stdout.write(
                    "The control FAILED: without the guard nothing was oversold, "
                    "so the proof proves nothing. Take more buyers, or more rounds."
                )
        raise SystemExit(1 if worked else 2)


def _refuse_what_does_not_fit(options: dict[str, Any]) -> None:
    if options["without_guard"] and settings.SHOP_ENV not in {"local", "test"}:
        raise CommandError("--without-guard is for SHOP_ENV=local or test, and never elsewhere.")
    if not settings.SHOP_SANDBOX_PAYMENTS:
        raise CommandError("The proof pays by the sandbox: set SHOP_SANDBOX_PAYMENTS=1.")
    if options["url"] and options["via"] == "services":
        raise CommandError("--url is a way over HTTP: leave out --via services.")
    if options["url"] and options["without_guard"]:
        raise CommandError("--without-guard runs on servers of its own: leave out --url.")
    if options["kill"] and (options["url"] or options["via"] == "services"):
        raise CommandError("--kill needs the server that this command starts: no --url, via http.")
    if options["flash"] and options["without_guard"]:
        raise CommandError("--without-guard shows one thing at a time: leave out --flash.")
    if options["kill"] and options["without_guard"]:
        raise CommandError("--without-guard shows one thing at a time: leave out --kill.")


@contextlib.contextmanager
def _till(options: dict[str, Any]) -> Iterator[tuple[Till, int | None]]:
    """Give the way to the shop, and the process whose workers may be killed."""
    if options["via"] == "services":
        yield ServicesTill(), None
    elif options["url"]:
        yield HttpTill(options["url"]), None
    else:
        application = UNGUARDED if options["unguarded"] else APPLICATION
        with own_server(hold_seconds=options["hold"], application=application) as (url, master):
            yield HttpTill(url), master


def _table(rounds: list[Round], *, kills: bool, is_flash: bool) -> Table:
    table = Table(title="No oversell", caption=_CAPTION)
    names = ["round", "sold", "refused", "other", "left", "ledger", "wavered"]
    names += ["sale", "refusal", "orders/s"]
    names += ["kills", "lost", "503", "slowest recovery s"] if kills else []
    names += ["waited"] if is_flash else []
    for name in [*names, "exact"]:
        table.add_column(name, justify="right")
    for one in rounds:
        cells = [
            str(one.number),
            f"{one.sold}/{one.units}",
            str(one.refused),
            str(one.other),
            str(one.left),
            str(one.ledger),
            f"{one.cancelled}/{one.expired}/{one.declined}",
            _times(one.sale_p50, one.sale_p95, one.sale_p99),
            _times(one.refusal_p50, one.refusal_p95, one.refusal_p99),
            f"{one.orders_per_second:.1f}",
        ]
        if kills:
            cells += [str(one.kills), str(one.lost), str(one.busy), f"{one.recovery_max:.1f}"]
        cells += [str(one.waited)] if is_flash else []
        table.add_row(*cells, "yes" if one.is_exact else "NO")
    return table


def _times(*seconds: float) -> str:
    return " ".join(f"{second * 1000:.0f}" for second in seconds)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number
