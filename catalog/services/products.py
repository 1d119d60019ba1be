"""Products made and changed."""

from collections.abc import Sequence
from datetime import datetime

from catalog.services.drafts import ProductDraft, UpsertResult


def upsert_product(*, draft: ProductDraft, now: datetime) -> UpsertResult:
    """Make the product what the draft says, or leave it if it is so already."""
    return upsert_products(drafts=[draft], now=now)[0]


def upsert_products(*, drafts: Sequence[ProductDraft], now: datetime) -> list[UpsertResult]:
    """Make each product what its draft says, in a number of statements that does not grow."""
    raise NotImplementedError
