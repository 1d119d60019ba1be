"""Promises: stock that is held for a reference, and then leaves or comes free again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StockLine:
    """Units of one variant."""

    variant_id: int
    quantity: int  # units, at least 1


def refuse_short_lines(*, lines: Iterable[StockLine]) -> None:
    """Raise OutOfStock if the stock that is there now cannot cover these lines.

    Reads without a lock, so that refusing costs next to nothing. Saying nothing promises nothing:
    only `reserve_stock` does.
    """
    raise NotImplementedError


def reserve_stock(
    *,
    lines: Iterable[StockLine],
    reference: str,
    expires_at: datetime,
    now: datetime,
    country: str | None = None,
) -> None:
    """Hold stock for `reference` until it is committed or released: all lines, or none.

    Units are taken from warehouses in `country` first, then from where most is available. Safe to
    repeat: a reference that already holds stock keeps what it holds, whatever the lines. Joins the
    caller's transaction and keeps the rows locked until it ends, so call it last.

    Raises ReservationOver, and OutOfStock that names every short line.
    """
    raise NotImplementedError


def commit_stock(*, reference: str, now: datetime) -> None:
    """Let the held units of `reference` leave: they are sold. Safe to repeat.

    Nothing happens for a reference that never held anything. Units that were promised as a
    back-order stay owed until they come in. Joins the caller's transaction.

    Raises ReservationOver when the reference was released.
    """
    raise NotImplementedError


def release_stock(*, reference: str, now: datetime) -> None:
    """End the promise to `reference`: its held units can be had by others. Safe to repeat.

    What was committed stays so. Joins the caller's transaction.
    """
    raise NotImplementedError
