"""Prices set, scheduled and withdrawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog.errors import InvalidProduct, PriceWindowOverlaps
from catalog.models import Price, Product, Variant
from catalog.services.images import touch_products
from catalog.services.listing import refresh_listing
from catalog.services.price_history import append_price_history
from shop.money import LARGEST_MINOR, is_currency

BATCH = 5000  # prices in one round of statements


@dataclass(frozen=True, slots=True)
class PriceDraft:
    """A base price of a variant in minor units; with a window, a scheduled price."""

    variant_id: int
    currency: str
    amount_minor: int
    compare_at_minor: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def has_window(self) -> bool:
        return self.starts_at is not None or self.ends_at is not None


@transaction.atomic
def set_prices(*, drafts: Sequence[PriceDraft], now: datetime) -> None:
    """Set these prices: a base price replaces the one before, a scheduled one is added.

    A scheduled price with the very window of an earlier one replaces it. Appends the history of
    what holds now, and is seen by shoppers after the commit. Safe to repeat; as many statements
    for 5,000 as for one. Unknown variants are passed over.

    Raises InvalidProduct, and PriceWindowOverlaps for two windows with a moment in common.
    """
    _check(drafts)
    for start in range(0, len(drafts), BATCH):
        _set_some(drafts[start : start + BATCH], now=now)


def _set_some(drafts: Sequence[PriceDraft], *, now: datetime) -> None:
    variants = dict(
        Variant.objects.filter(pk__in={draft.variant_id for draft in drafts}).values_list(
            "pk", "product_id"
        )
    )
    product_ids = sorted(set(variants.values()))
    list(Product.objects.filter(pk__in=product_ids).locked().values_list("pk"))
    known: dict[tuple[int, str], list[Price]] = {}
    for price in Price.objects.filter(variant__in=variants).order_by("id"):
        known.setdefault((price.variant_id, price.currency), []).append(price)
    new: list[Price] = []
    kept: list[Price] = []
    for draft in drafts:
        if draft.variant_id not in variants:
            continue
        own = known.setdefault((draft.variant_id, draft.currency), [])
        window = (draft.starts_at, draft.ends_at)
        same = [price for price in own if (price.starts_at, price.ends_at) == window]
        if same:
            price = same[0]
            if price.pk is not None:
                kept.append(price)
        else:
            if draft.has_window and any(p.has_window and _overlap(p, draft) for p in own):
                raise PriceWindowOverlaps(
                    "Another scheduled price holds at that time.", variant_id=draft.variant_id
                )
            price = Price(
                variant_id=draft.variant_id,
                currency=draft.currency,
                starts_at=draft.starts_at,
                ends_at=draft.ends_at,
            )
            own.append(price)
            new.append(price)
        price.amount_minor = draft.amount_minor
        price.compare_at_minor = draft.compare_at_minor
    Price.objects.bulk_update(kept, ["amount_minor", "compare_at_minor"], batch_size=500)
    Price.objects.bulk_create(new)
    _prices_changed(list(variants), product_ids, now=now)


@transaction.atomic
def withdraw_prices(*, price_ids: Sequence[int], now: datetime) -> int:
    """Take these prices back; what held is in the history. Returns how many there were."""
    found = Price.objects.filter(pk__in=price_ids).select_related("variant")
    variants = {price.variant_id: price.variant.product_id for price in found}
    product_ids = sorted(set(variants.values()))
    list(Product.objects.filter(pk__in=product_ids).locked().values_list("pk"))
    gone, _ = Price.objects.filter(pk__in=price_ids).delete()
    _prices_changed(list(variants), product_ids, now=now)
    return gone


def _prices_changed(
    variant_ids: Sequence[int], product_ids: Sequence[int], *, now: datetime
) -> None:
    append_price_history(variant_ids=variant_ids, now=now)
    touch_products(product_ids, now=now)
    refresh_listing(product_ids=product_ids, now=now)


def in_each_others_way(drafts: Sequence[PriceDraft]) -> bool:
    """Tell whether two of these prices of one variant would both be the price at some moment.

    A base price and a scheduled one are not: the latter wins.
    """
    return any(
        one.currency == other.currency
        and one.variant_id == other.variant_id
        and (
            _overlap(one, other)
            if one.has_window and other.has_window
            else one.has_window == other.has_window
        )
        for place, one in enumerate(drafts)
        for other in drafts[:place]
    )


def _overlap(price: Price | PriceDraft, draft: PriceDraft) -> bool:
    starts_first = (
        price.ends_at is None or draft.starts_at is None or draft.starts_at < price.ends_at
    )
    ends_last = draft.ends_at is None or price.starts_at is None or price.starts_at < draft.ends_at
    return starts_first and ends_last


def _check(drafts: Sequence[PriceDraft]) -> None:
    problems = []
    for draft in drafts:
        if not is_currency(draft.currency):
            problems.append(f"{draft.currency!r} is no currency")
        if not 0 <= draft.amount_minor <= LARGEST_MINOR:
            problems.append(f"the price of variant {draft.variant_id} is not possible")
        compare_at = draft.compare_at_minor
        if compare_at is not None and not draft.amount_minor < compare_at <= LARGEST_MINOR:
            problems.append(f"the compared price of variant {draft.variant_id} is not above it")
        if draft.starts_at and draft.ends_at and draft.ends_at <= draft.starts_at:
            problems.append(f"the window of variant {draft.variant_id} ends before it starts")
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
