"""Looking whether cached products are what the catalogue says, and remembering where not."""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from catalog.selectors import StaleCopy, stale_products
from catalog.services import forget_now
from inventory.models import ReconciliationRun
from inventory.services.recording import Break, Repair, record_reconciliation, resolve_finding
from shop.db.alone import alone

CATALOGUE = "catalogue"
CHECK = "cached_products_are_the_catalogue"
SAMPLE = 500

_LOCK = 7_302_023  # any number, the same for every process, and no other lock's


@dataclass(frozen=True, slots=True)
class CopiesSeen:
    """A look at the copies: the run that was stored, and which are stale."""

    run: ReconciliationRun
    stale: list[StaleCopy]


def reconcile_catalogue(*, now: datetime, sample: int = SAMPLE) -> CopiesSeen | None:
    """Compare so many cached products with the database, and remember which are stale.

    One at a time: None when another process is at it. Safe to repeat, and to be killed at any line.
    """
    with alone(_LOCK) as is_mine:
        if not is_mine:
            return None
        started = perf_counter()
        stale = stale_products(sample=sample, now=now)
        run = record_reconciliation(
            scope=CATALOGUE,
            checks=[CHECK],
            breaks=[
                Break(CHECK, _reference(copy), "as in the database", "another copy")
                for copy in stale
            ],
            now=now,
            seconds=perf_counter() - started,
        )
    return CopiesSeen(run, stale)


def drop_stale_copies(*, stale: list[StaleCopy], now: datetime) -> list[Repair]:
    """Drop these copies from the cache: the next reader makes them anew. Safe to repeat."""
    repairs = []
    for copy in stale:
        forget_now(product_ids=[copy.product_id])
        done = "Dropped from the cache"
        resolve_finding(
            scope=CATALOGUE, kind=CHECK, reference=_reference(copy), resolution=done, now=now
        )
        repairs.append(Repair(_reference(copy), done))
    return repairs


def _reference(copy: StaleCopy) -> str:
    return f"product {copy.product_id} as {copy.ref} in {copy.currency}"
