"""Stock that comes in: receipts, and units that come back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from inventory.services.stock import StockLine


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """Units of one variant that came in."""

    variant_id: int
    quantity: int  # units, at least 1


def receive_stock(
    *,
    lines: Iterable[ReceiptLine],
    warehouse: str,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> None:
    """Put received units on hand in the warehouse of that code. Joins the caller's transaction.

    Safe to repeat: a stock that has a receipt with this `cause` already does not change again.
    Rows that are missing are made.

    Raises UnknownWarehouse, UnknownSku, StockOutOfRange.
    """
    raise NotImplementedError


def return_stock(
    *,
    lines: Iterable[StockLine],
    cause: str,
    reason: str,
    now: datetime,
    warehouse: str | None = None,
    actor_id: int | None = None,
) -> None:
    """Put units that were sold back on hand: cancelled, or returned. Joins the caller's transaction.

    Without a warehouse they go to the one that the shop takes first. Safe to repeat per `cause`.

    Raises UnknownWarehouse, UnknownSku, StockOutOfRange.
    """
    raise NotImplementedError
