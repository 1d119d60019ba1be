"""The history of prices, appended wherever a price changes."""

from collections.abc import Collection, Sequence
from datetime import datetime

from catalog.models import PriceHistory
from catalog.selectors.prices import edges_between, offer_at, prices_of
from shop.db.copying import insert_rows

BATCH = 10_000  # variants in one statement


def append_price_history(
    *, variant_ids: Collection[int], now: datetime, with_edges: bool = False
) -> int:
    """Write down what these variants cost from now on, where it is not what was written last.

    `with_edges` also writes the steps in between, at the moments at which windows began or ended
    since the last row: right only where nobody has changed a price meanwhile. Joins the caller's
    transaction; three statements for each 10,000 variants. Returns how many rows were appended.
    """
    ids = list(variant_ids)
    return sum(
        _append(ids[start : start + BATCH], now=now, with_edges=with_edges)
        for start in range(0, len(ids), BATCH)
    )


def _append(variant_ids: Sequence[int], *, now: datetime, with_edges: bool) -> int:
    last = {
        (row.variant_id, row.currency): row
        for row in PriceHistory.objects.filter(variant_id__in=variant_ids)
        .order_by("variant_id", "currency", "-effective_at", "-id")
        .distinct("variant_id", "currency")
    }
    prices = prices_of(variant_ids)
    steps = []
    for variant_id, currency in prices.keys() | last.keys():
        own = prices.get((variant_id, currency), [])
        before = last.get((variant_id, currency))
        amount = before.amount_minor if before else None
        edges = edges_between(own, before.effective_at, now) if before and with_edges else []
        for moment in [*edges, now]:
            offer = offer_at(own, moment)
            asked = offer.amount_minor if offer else None
            if asked != amount:
                steps.append(
                    PriceHistory(
                        variant_id=variant_id,
                        currency=currency,
                        amount_minor=asked,
                        effective_at=moment,
                    )
                )
                amount = asked
    steps.sort(key=lambda step: (step.variant_id, step.currency, step.effective_at))
    insert_rows(steps)
    return len(steps)
