"""Flash sales and limits on buyers, for tests: valid by default, name only what matters."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from catalog.models import Variant
from inventory.models import FlashSale, PurchaseLimit
from inventory.selectors import forget_sale_board
from inventory.services import FlashSaleDraft, create_flash_sale, set_purchase_limit

_numbers = count(1)


def flash_sale(
    variant: Variant, *, units: int = 10, now: datetime | None = None, **changes: Any
) -> FlashSale:
    """Return a sale that began an hour ago and runs for another one, and lets many in."""
    now = now or timezone.now()
    number = next(_numbers)
    sale = create_flash_sale(
        draft=FlashSaleDraft(
            **{
                "variant_id": variant.pk,
                "slug": f"sale-{number}",
                "name": f"Sale {number}",
                "starts_at": now - timedelta(hours=1),
                "ends_at": now + timedelta(hours=1),
                "units": units,
                "admitted_per_second": 1000,
                "admitted_at_once": 1000,
                **changes,
            }
        ),
        now=now,
    )
    forget_sale_board()  # the test's transaction never commits
    return sale


def purchase_limit(
    variant: Variant,
    units: int,
    *,
    window_days: int | None = None,
    now: datetime | None = None,
) -> PurchaseLimit:
    limit = set_purchase_limit(
        variant_id=variant.pk, units=units, window_days=window_days, now=now or timezone.now()
    )
    forget_sale_board()
    return limit
