"""Prices set, scheduled and withdrawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction

from catalog.errors import InvalidProduct, PriceWindowOverlaps, VariantNotFound
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


@dataclass(frozen=True, slots=True)
class PriceOutcome:
    """What became of one price: `code` and `detail` say why it failed."""

    outcome: Literal["created", "updated", "unchanged", "failed"]
    code: str = ""
    detail: str = ""


_UNKNOWN = PriceOutcome("failed", VariantNotFound.code, "There is no such variant.")
_OVERLAPS = PriceOutcome(
    "failed", PriceWindowOverlaps.code, "Another scheduled price holds at that time."
)


@transaction.atomic
def set_prices(*, drafts: Sequence[PriceDraft], now: datetime) -> None:
    """Set these prices: a base price replaces the one before, a scheduled one is added.

    A scheduled price with the very window of an earlier one replaces it. Appends the history of
    what holds now, and is seen by shoppers after the commit. Safe to repeat; as many statements
    for 5,000 as for one. Unknown variants are passed over.

    Raises InvalidProduct, and PriceWindowOverlaps for two windows with a moment in common.
    """
    problems = [problem for draft in drafts for problem in _problems(draft)]
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
    for draft, outcome in zip(drafts, _set_in_batches(drafts, now=now), strict=True):
        if outcome == _OVERLAPS:
            raise PriceWindowOverlaps(outcome.detail, variant_id=draft.variant_id)


@transaction.atomic
def set_prices_each(
    *, drafts: Sequence[PriceDraft], now: datetime, dry_run: bool = False
) -> list[PriceOutcome]:
    """Set those of the prices that can be set, and say of each what became of it, in order.

    One that fails stops no other. `dry_run`: only say what would become of them. Other promises
    of `set_prices`.
    """
    outcomes: list[PriceOutcome | None] = []
    for draft in drafts:
        problems = list(_problems(draft))
        outcomes.append(
            PriceOutcome("failed", InvalidProduct.code, "; ".join(problems) + ".")
            if problems
            else None
        )
    possible = [draft for draft, failed in zip(drafts, outcomes, strict=True) if failed is None]
    with transaction.atomic():
        results = iter(_set_in_batches(possible, now=now))
        transaction.set_rollback(dry_run)
    return [failed or next(results) for failed in outcomes]


def _set_in_batches(drafts: Sequence[PriceDraft], *, now: datetime) -> list[PriceOutcome]:
    outcomes = []
    for start in range(0, len(drafts), BATCH):
        outcomes += _set_some(drafts[start : start + BATCH], now=now)
    return outcomes


def _set_some(drafts: Sequence[PriceDraft], *, now: datetime) -> list[PriceOutcome]:
    variants = dict(
        Variant.objects.filter(pk__in={draft.variant_id for draft in drafts}).values_list(
            "pk", "product_id"
        )
    )
    list(Product.objects.filter(pk__in=set(variants.values())).locked().values_list("pk"))
    known: dict[tuple[int, str], list[Price]] = {}
    for price in Price.objects.filter(variant__in=variants).order_by("id"):
        known.setdefault((price.variant_id, price.currency), []).append(price)
    new: list[Price] = []
    kept: dict[int, Price] = {}
    outcomes = [
        _place(draft, known.setdefault((draft.variant_id, draft.currency), []), new, kept)
        if draft.variant_id in variants
        else _UNKNOWN
        for draft in drafts
    ]
    Price.objects.bulk_update(kept.values(), ["amount_minor", "compare_at_minor"], batch_size=500)
    Price.objects.bulk_create(new)
    repriced = sorted({price.variant_id for price in [*new, *kept.values()]})
    if repriced:
        _prices_changed(repriced, sorted({variants[pk] for pk in repriced}), now=now)
    return outcomes


def _place(
    draft: PriceDraft, own: list[Price], new: list[Price], kept: dict[int, Price]
) -> PriceOutcome:
    """Put the draft among the `own` prices of its variant and currency, to be written later."""
    window = (draft.starts_at, draft.ends_at)
    same = [price for price in own if (price.starts_at, price.ends_at) == window]
    if not same:
        if draft.has_window and any(p.has_window and _overlap(p, draft) for p in own):
            return _OVERLAPS
        price = Price(
            variant_id=draft.variant_id,
            currency=draft.currency,
            amount_minor=draft.amount_minor,
            compare_at_minor=draft.compare_at_minor,
            starts_at=draft.starts_at,
            ends_at=draft.ends_at,
        )
        own.append(price)
        new.append(price)
        return PriceOutcome("created")
    price = same[0]
    wanted = (draft.amount_minor, draft.compare_at_minor)
    if (price.amount_minor, price.compare_at_minor) == wanted:
        return PriceOutcome("unchanged")
    price.amount_minor, price.compare_at_minor = wanted
    if price.pk is not None:
        kept[price.pk] = price
    return PriceOutcome("updated")


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


def _problems(draft: PriceDraft) -> Iterable[str]:
    if not is_currency(draft.currency):
        yield f"{draft.currency!r} is no currency"
    if not 0 <= draft.amount_minor <= LARGEST_MINOR:
        yield f"the price of variant {draft.variant_id} is not possible"
    compare_at = draft.compare_at_minor
    if compare_at is not None and not draft.amount_minor < compare_at <= LARGEST_MINOR:
        yield f"the compared price of variant {draft.variant_id} is not above it"
    if draft.starts_at and draft.ends_at and draft.ends_at <= draft.starts_at:
        yield f"the window of variant {draft.variant_id} ends before it starts"
