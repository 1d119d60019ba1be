"""Corrections: what was counted, lost or broken, and the terms on which stock is sold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from inventory.models import StockMovement
from inventory.services.stock import StockLine


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction of what is on hand of one variant."""

    variant_id: int
    delta: int  # units, never 0


@dataclass(frozen=True, slots=True)
class StockTerms:
    """On which terms one variant is sold; None leaves a term as it is."""

    variant_id: int
    backorder_limit: int | None = None  # units
    low_at: int | None = None  # units


def adjust_stock(
    *,
    sku: str,
    warehouse: str,
    delta: int,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
    cause: str | None = None,
) -> StockMovement:
    """Correct what is on hand by `delta` units and return the ledger row.

    Safe to repeat with a `cause`: the row that was first written is returned. Without one, each
    call counts. Joins the caller's transaction.

    Raises UnknownSku, UnknownWarehouse, Malformed, StockBelowReserved and StockOutOfRange; the
    stock then stays as it was.
    """
    raise NotImplementedError


def adjust_many(
    *,
    lines: Iterable[Adjustment],
    warehouse: str,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> None:
    """Correct many stocks of one warehouse, all or none, in a constant number of statements.

    Safe to repeat per `cause`. Joins the caller's transaction.

    Raises what `adjust_stock` raises, and names every line that is wrong.
    """
    raise NotImplementedError


def write_off(
    *,
    lines: Iterable[StockLine],
    warehouse: str,
    cause: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> None:
    """Take lost or broken units off hand, all or none. Otherwise like `adjust_many`."""
    raise NotImplementedError


def set_stock_terms(*, terms: Iterable[StockTerms], warehouse: str, now: datetime) -> int:
    """Set back-order limits and low marks in bulk; return how many stocks changed.

    Rows that are missing are made, with nothing on hand. Joins the caller's transaction.

    Raises UnknownWarehouse, UnknownSku, and StockBelowReserved for a limit under what is promised.
    """
    raise NotImplementedError
