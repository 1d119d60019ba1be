"""Looking whether cached products and lists are what the catalogue says, and noting where not."""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from catalog.selectors import DriftedListing, StaleCopy, drifted_listings, stale_products
from catalog.services import forget_now, refresh_listing
from inventory.models import ReconciliationRun
from inventory.services.recording import Break, Repair, record_reconciliation, resolve_finding
from shop.db.alone import alone

CATALOGUE = "catalogue"
CHECK = "cached_products_are_the_catalogue"
LISTING_CHECK = "lists_are_the_catalogue"
SAMPLE = 500

_LOCK = 7_302_023  # any number, the same for every process, and no other lock's


@dataclass(frozen=True, slots=True)
class CopiesSeen:
    """A look at the copies: the run that was stored, which are stale, which rows have drifted."""

    run: ReconciliationRun
    stale: list[StaleCopy]
    drifted: list[DriftedListing]


def reconcile_catalogue(*, now: datetime, sample: int = SAMPLE) -> CopiesSeen | None:
    """Compare so many cached products, and rows of lists, with the tables, and note which differ.

    One at a time: None when another process is at it. Safe to repeat, and to be killed at any line.
    """
    with alone(_LOCK) as is_mine:
        if not is_mine:
            return None
        started = perf_counter()
        stale = stale_products(sample=sample, now=now)
        drifted = drifted_listings(sample=sample, now=now)
        run = record_reconciliation(
            scope=CATALOGUE,
            checks=[CHECK, LISTING_CHECK],
            breaks=[
                Break(CHECK, _reference(copy), "as in the database", "another copy")
                for copy in stale
            ]
            + [Break(LISTING_CHECK, _row(row), "as its sources say", row.state) for row in drifted],
            now=now,
            seconds=perf_counter() - started,
        )
    return CopiesSeen(run, stale, drifted)


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


def refresh_drifted_listings(*, drifted: list[DriftedListing], now: datetime) -> list[Repair]:
    """Make these rows of the listing anew from their sources. Safe to repeat."""
    refresh_listing(product_ids=[row.product_id for row in drifted], now=now)
    done = "Made anew from its sources"
    for row in drifted:
        resolve_finding(
            scope=CATALOGUE, kind=LISTING_CHECK, reference=_row(row), resolution=done, now=now
        )
    return [Repair(_row(row), done) for row in drifted]


def _row(row: DriftedListing) -> str:
    return f"product {row.product_id} in {row.currency}"


def _reference(copy: StaleCopy) -> str:
    return f"product {copy.product_id} as {copy.ref} in {copy.currency}"
