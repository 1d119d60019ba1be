"""Which price holds at a moment, and what it was before."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from catalog.models import Price, PriceHistory

LOOKED_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one unit costs, in minor units, and what that is compared with."""

    amount_minor: int
    compare_at_minor: int | None


class Windowed(Protocol):
    """A price and when it holds, as `catalog.models.Price` has them."""

    @property
    def amount_minor(self) -> int: ...
    @property
    def compare_at_minor(self) -> int | None: ...
    @property
    def starts_at(self) -> datetime | None: ...
    @property
    def ends_at(self) -> datetime | None: ...


def offer_at(prices: Iterable[Windowed], moment: datetime) -> Offer | None:
    """Return what one variant costs in one currency at `moment`; None if it is not offered.

    `prices` are all that the variant has in the currency. A scheduled price wins over the base
    price while its window holds, and is compared with it if that is higher.
    """
    base: Windowed | None = None
    scheduled: Windowed | None = None
    for price in prices:
        if price.starts_at is None and price.ends_at is None:
            base = price
        elif (price.starts_at is None or price.starts_at <= moment) and (
            price.ends_at is None or moment < price.ends_at
        ):
            scheduled = price
    if scheduled is None:
        return None if base is None else Offer(base.amount_minor, base.compare_at_minor)
    compare_at = scheduled.compare_at_minor
    if compare_at is None and base is not None and base.amount_minor > scheduled.amount_minor:
        compare_at = base.amount_minor
    return Offer(scheduled.amount_minor, compare_at)


def next_edge(prices: Iterable[Windowed], moment: datetime) -> datetime | None:
    """Return when the next window begins or ends after `moment`."""
    return min(
        (
            edge
            for price in prices
            for edge in (price.starts_at, price.ends_at)
            if edge is not None and edge > moment
        ),
        default=None,
    )


def edges_between(prices: Iterable[Windowed], start: datetime, end: datetime) -> list[datetime]:
    """Return the moments after `start` and up to `end` at which windows begin or end, in order."""
    return sorted(
        {
            edge
            for price in prices
            for edge in (price.starts_at, price.ends_at)
            if edge is not None and start < edge <= end
        }
    )


def prices_of(variant_ids: Collection[int]) -> dict[tuple[int, str], list[Price]]:
    """Return every price of these variants by (variant id, currency), in one query."""
    found: dict[tuple[int, str], list[Price]] = {}
    for price in Price.objects.filter(variant_id__in=variant_ids).order_by("id"):
        found.setdefault((price.variant_id, price.currency), []).append(price)
    return found


def lowest_prices(variant_ids: Collection[int], *, currency: str, now: datetime) -> dict[int, int]:
    """Return the lowest price in minor units that each variant was offered at in 30 days.

    What holds now counts only if it is in the history, as it is once a service has changed it.
    A variant without a price in that time is absent. One query.
    """
    since = now - LOOKED_BACK
    timeline: dict[int, list[tuple[datetime, int | None]]] = {}
    rows = PriceHistory.objects.filter(
        variant_id__in=variant_ids, currency=currency, effective_at__lte=now
    ).order_by("variant_id", "effective_at", "id")
    for variant_id, effective_at, amount in rows.values_list(
        "variant_id", "effective_at", "amount_minor"
    ):
        timeline.setdefault(variant_id, []).append((effective_at, amount))
    lowest = {pk: _lowest_since(since, steps) for pk, steps in timeline.items()}
    return {pk: amount for pk, amount in lowest.items() if amount is not None}


def _lowest_since(since: datetime, steps: Sequence[tuple[datetime, int | None]]) -> int | None:
    amounts: list[int | None] = []
    for moment, amount in steps:
        if moment <= since:
            amounts = [amount]  # it held until a later step, so it is the earliest that counts
        else:
            amounts.append(amount)
    return min((amount for amount in amounts if amount is not None), default=None)
