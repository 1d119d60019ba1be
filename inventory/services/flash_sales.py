"""What staff decide about selling: flash sales, and limits for each buyer.

Each is written under the lock of the variant's stock, as reserves read them under it: of a reserve
and a change that cross, one has finished before the other looks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from psycopg import errors as pg

from catalog.errors import VariantNotFound
from catalog.models import Variant
from inventory.errors import (
    FlashSaleHasSold,
    FlashSaleNotFound,
    FlashSaleOverlaps,
    PurchaseLimitNotFound,
)
from inventory.models import FlashSale, PurchaseLimit
from inventory.selectors import forget_sale_board, units_left_in_sales
from inventory.services.admission import tell_gate
from inventory.services.counters import locked_levels
from shop.errors import FieldError, Malformed, VersionMismatch

CHANGEABLE = (
    "name",
    "starts_at",
    "ends_at",
    "units",
    "limit_per_customer",
    "admitted_per_second",
    "admitted_at_once",
)


@dataclass(frozen=True, slots=True)
class FlashSaleDraft:
    """A flash sale as staff want it."""

    variant_id: int
    slug: str
    name: str
    starts_at: datetime
    ends_at: datetime
    units: int
    limit_per_customer: int | None = None
    admitted_per_second: int = 50
    admitted_at_once: int = 16


@transaction.atomic
def create_flash_sale(*, draft: FlashSaleDraft, now: datetime) -> FlashSale:
    """Plan a flash sale. Nothing is set aside for it: until it starts the variant sells as usual.

    Raises VariantNotFound, FlashSaleOverlaps, and Malformed for a sale that ends before it starts.
    """
    if not Variant.objects.filter(pk=draft.variant_id).exists():
        raise VariantNotFound("There is no such variant.", variant_id=draft.variant_id)
    locked_levels([draft.variant_id])
    sale = FlashSale(
        variant_id=draft.variant_id,
        slug=draft.slug,
        name=draft.name,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        units=draft.units,
        limit_per_customer=draft.limit_per_customer,
        admitted_per_second=draft.admitted_per_second,
        admitted_at_once=draft.admitted_at_once,
        created_at=now,
    )
    _require_window(sale)
    with _no_other_in_the_way():
        sale.save(force_insert=True)
    transaction.on_commit(partial(forget_sale_board, slug=sale.slug))
    return sale


@transaction.atomic
def change_flash_sale(
    *, slug: str, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> FlashSale:
    """Change what `CHANGEABLE` names, at once, also while the sale runs.

    Raises FlashSaleNotFound, VersionMismatch when it has another version than `expected_version`,
    FlashSaleHasSold for fewer units than are taken, FlashSaleOverlaps, Malformed.
    """
    sale = _locked(slug, expected_version=expected_version)
    if unknown := set(changes) - set(CHANGEABLE):
        raise ValueError(f"cannot be changed: {sorted(unknown)}")
    for name, value in changes.items():
        setattr(sale, name, value)
    _require_window(sale)
    if sale.units < sale.taken:
        raise FlashSaleHasSold("More units than that are held or sold.", taken=sale.taken)
    sale.version += 1
    with _no_other_in_the_way():
        sale.save(update_fields=[*changes, "version"])
    transaction.on_commit(partial(forget_sale_board, slug=sale.slug))
    tell_gate(sale_id=sale.pk, units_left=units_left_in_sales([sale.pk], now=now)[sale.pk])
    return sale


@transaction.atomic
def delete_flash_sale(*, slug: str, expected_version: int | None = None) -> None:
    """Remove a flash sale that has sold nothing; one that has can be ended by its `ends_at`.

    Raises FlashSaleNotFound, VersionMismatch, FlashSaleHasSold.
    """
    sale = _locked(slug, expected_version=expected_version)
    if sale.reservations.exists():
        raise FlashSaleHasSold("End it by its time: what it sold stays its own.", taken=sale.taken)
    sale.delete()
    transaction.on_commit(partial(forget_sale_board, slug=slug))


@transaction.atomic
def set_purchase_limit(
    *,
    variant_id: int,
    units: int,
    window_days: int | None,
    now: datetime,
    expected: datetime | None = None,
) -> PurchaseLimit:
    """Have no buyer hold and own more than `units` of the variant, within `window_days` or ever.

    What buyers have already counts and stays theirs. Safe to repeat. Raises VariantNotFound, and
    VersionMismatch when it was changed at another moment than `expected`.
    """
    if not Variant.objects.filter(pk=variant_id).exists():
        raise VariantNotFound("There is no such variant.")
    locked_levels([variant_id])
    # A variant that never had stock has nothing to lock: of two at once, the other waits here.
    limit, is_new = PurchaseLimit.objects.select_for_update(no_key=True).get_or_create(
        variant_id=variant_id,
        defaults={"units": units, "window_days": window_days, "updated_at": now},
    )
    _require_expected(None if is_new else limit, expected)
    limit.units = units
    limit.window_days = window_days
    limit.updated_at = now
    limit.save()
    transaction.on_commit(forget_sale_board)
    return limit


@transaction.atomic
def remove_purchase_limit(*, variant_id: int, expected: datetime | None = None) -> None:
    """Have no limit for the variant. Raises PurchaseLimitNotFound, VersionMismatch."""
    limits = PurchaseLimit.objects.filter(variant_id=variant_id)
    if not limits.exists():  # nor a variant, perhaps, nor a number that one could have
        raise PurchaseLimitNotFound("Any buyer may have any number of it.")
    locked_levels([variant_id])
    limit = limits.first()
    if limit is None:
        raise PurchaseLimitNotFound("Any buyer may have any number of it.")
    _require_expected(limit, expected)
    limit.delete()
    transaction.on_commit(forget_sale_board)


def _locked(slug: str, *, expected_version: int | None) -> FlashSale:
    """Lock the variant's stock, then the sale: the order in which reserves take them."""
    variant_id = FlashSale.objects.filter(slug=slug).values_list("variant_id", flat=True).first()
    if variant_id is not None:
        locked_levels([variant_id])
    sale = FlashSale.objects.filter(slug=slug).select_related("variant").locked().first()
    if sale is None:
        raise FlashSaleNotFound("There is no flash sale of this name.")
    if expected_version is not None and sale.version != expected_version:
        raise VersionMismatch("It has changed since you read it: read it again.")
    return sale


def _require_expected(limit: PurchaseLimit | None, expected: datetime | None) -> None:
    if expected is not None and (limit is None or limit.updated_at != expected):
        raise VersionMismatch("It has changed since you read it: read it again.")


def _require_window(sale: FlashSale) -> None:
    if sale.ends_at <= sale.starts_at:
        raise Malformed(
            errors=[FieldError("/ends_at", "before_start", "It has to end after it starts.")]
        )


@contextmanager
def _no_other_in_the_way() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if not isinstance(error.__cause__, pg.ExclusionViolation | pg.UniqueViolation):
            raise
        raise FlashSaleOverlaps(
            "Choose another time, or another slug: a variant has one flash sale at a time."
        ) from None
