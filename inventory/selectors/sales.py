"""The terms of selling as everyone may know them: limits, and flash sales with what is left."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from redis.exceptions import RedisError

from catalog.models import AvailabilityState
from inventory.errors import FlashSaleNotFound, PurchaseLimitNotFound
from inventory.models import PUBLIC_CAP, FlashSale, PurchaseLimit
from inventory.store import gate
from shop.cache.aside import AsideCache
from shop.http.json import dumps

BOARD_MEMO_SECONDS = 1.0  # how long a process may go on with terms that another one has changed
_BOARD_KEY = "all"
_board_cache = AsideCache(name="sale-board", version="1", ttl_seconds=600)
_page_cache = AsideCache(name="flash-sale", version="1", ttl_seconds=2)

# What could be promised now: no more than the sale and the stock have, holds past their end
# counted as there.
_LEFT = """
SELECT f.id, least(
    f.units - f.taken + coalesce((
        SELECT sum(r.quantity) FROM inventory_reservation r
        WHERE r.sale_id = f.id AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
    ), 0),
    coalesce((
        SELECT sum(s.on_hand + s.backorder_limit - s.reserved)
        FROM inventory_stock s JOIN inventory_warehouse w ON w.id = s.warehouse_id
        WHERE s.variant_id = f.variant_id AND w.is_active
    ), 0) + coalesce((
        SELECT sum(r.quantity)
        FROM inventory_reservation r
        JOIN inventory_stock s ON s.id = r.stock_id
        JOIN inventory_warehouse w ON w.id = s.warehouse_id
        WHERE s.variant_id = f.variant_id AND w.is_active
          AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
    ), 0)
)
FROM inventory_flashsale f WHERE f.id = ANY(%(sales)s::bigint[])
"""

# Units by the moment at which they were taken, in at most a few hundred steps.
_PACE_OF_SALE = """
SELECT floor(extract(epoch FROM created_at - %(start)s::timestamptz) / %(step)s)::int,
       sum(quantity)
FROM inventory_reservation
WHERE sale_id = %(sale)s AND state <> 'RELEASED' AND created_at >= %(start)s::timestamptz
GROUP BY 1 ORDER BY 1
"""
_MOST_STEPS = 120
_STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)


@dataclass(frozen=True, slots=True)
class Limit:
    """One buyer may have so many units, ever or within so many days."""

    units: int
    window_days: int | None


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """A flash sale as its gate needs to know it."""

    sale_id: int
    variant_id: int
    sku: str
    slug: str
    starts_at: float  # Unix seconds
    ends_at: float
    limit_per_customer: int | None
    admitted_per_second: int
    admitted_at_once: int

    def runs_at(self, now: datetime) -> bool:
        return self.starts_at <= now.timestamp() < self.ends_at


@dataclass(frozen=True, slots=True)
class Board:
    """Every limit, and every flash sale but those that are long over, at one moment."""

    limits: dict[int, Limit]  # by variant
    sales: tuple[SaleTerms, ...]

    def running(self, variant_id: int, *, now: datetime) -> SaleTerms | None:
        """Return the flash sale of this variant that runs."""
        for sale in self.sales:
            if sale.variant_id == variant_id and sale.runs_at(now):
                return sale
        return None

    def sale(self, sale_id: int) -> SaleTerms | None:
        return next((sale for sale in self.sales if sale.sale_id == sale_id), None)

    def most_of(self, variant_id: int, *, now: datetime) -> int | None:
        """Return the most units that one buyer may have now; None for no limit."""
        limits = []
        if variant_id in self.limits:
            limits.append(self.limits[variant_id].units)
        sale = self.running(variant_id, now=now)
        if sale is not None and sale.limit_per_customer is not None:
            limits.append(sale.limit_per_customer)
        return min(limits, default=None)


@dataclass(slots=True)
class _Memo:
    board: Board | None = None
    good_until: float = 0.0


_memo = _Memo()


def sale_board() -> Board:
    """Return the terms, at most a second stale; without SQL while the caches are warm."""
    if _memo.board is not None and time.monotonic() < _memo.good_until:
        return _memo.board
    board = _board_from(_board_cache.get(_BOARD_KEY, _read_board) or _read_board())
    _memo.good_until = time.monotonic() + BOARD_MEMO_SECONDS
    _memo.board = board
    return board


def forget_sale_board(*, slug: str = "") -> None:
    """Drop the copies of the terms, and of a sale's page. Call it after the commit."""
    _board_cache.invalidate([_BOARD_KEY])
    if slug:
        _page_cache.invalidate([slug])
    _memo.board = None


def _read_board() -> bytes:
    """Return the terms as JSON, in two queries."""
    return orjson.dumps(
        {
            "limits": list(PurchaseLimit.objects.values_list("variant_id", "units", "window_days")),
            "sales": [
                [*row[:4], row[4].timestamp(), row[5].timestamp(), *row[6:]]
                # For a day it can be told that a sale is over. Whoever asks compares the time.
                for row in FlashSale.objects.filter(ends_at__gt=Now() - timedelta(days=1))
                .order_by("ends_at", "id")
                .values_list(
                    "id",
                    "variant_id",
                    "variant__sku",
                    "slug",
                    "starts_at",
                    "ends_at",
                    "limit_per_customer",
                    "admitted_per_second",
                    "admitted_at_once",
                )
            ],
        }
    )


def _board_from(stored: bytes) -> Board:
    content = orjson.loads(stored)
    return Board(
        limits={variant_id: Limit(units, days) for variant_id, units, days in content["limits"]},
        sales=tuple(SaleTerms(*row) for row in content["sales"]),
    )


def units_left_in_sales(sale_ids: list[int], *, now: datetime) -> dict[int, int]:
    """Return how many units each of these sales could still promise, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"sales": sale_ids, "now": now})
        return {sale_id: max(int(left), 0) for sale_id, left in cursor.fetchall()}


def flash_sales() -> QuerySet[FlashSale]:
    """Return every flash sale with its variant."""
    return FlashSale.objects.select_related("variant")


def current_flash_sales(*, now: datetime) -> QuerySet[FlashSale]:
    """Return the flash sales that run or are to come."""
    return flash_sales().filter(ends_at__gt=now)


def flash_sale_of(slug: str) -> FlashSale:
    """Return the flash sale of that slug. Raises FlashSaleNotFound."""
    found = flash_sales().filter(slug=slug).first()
    if found is None:
        raise FlashSaleNotFound("There is no flash sale of this name.")
    return found


def flash_sale_documents(sales: list[FlashSale], *, now: datetime) -> list[dict[str, object]]:
    """Return what everyone may know of these sales: one query for what is left."""
    left = units_left_in_sales([sale.pk for sale in sales], now=now) if sales else {}
    return [_document(sale, left=left.get(sale.pk, 0), now=now) for sale in sales]


def _document(sale: FlashSale, *, left: int, now: datetime) -> dict[str, object]:
    if now < sale.starts_at:
        state = "upcoming"
    elif now >= sale.ends_at:
        state = "ended"
    else:
        state = "running" if left else "sold_out"
    has_any = left > 0 and state != "ended"
    if not has_any:
        shown = AvailabilityState.OUT_OF_STOCK
    elif left <= PUBLIC_CAP:
        shown = AvailabilityState.LOW_STOCK
    else:
        shown = AvailabilityState.IN_STOCK
    return {
        "slug": sale.slug,
        "name": sale.name,
        "variant_id": sale.variant_id,
        "sku": sale.variant.sku,
        "starts_at": sale.starts_at,
        "ends_at": sale.ends_at,
        "state": state,
        "limit_per_customer": sale.limit_per_customer,
        "availability": {
            "state": shown.value,
            "quantity": min(left, PUBLIC_CAP) if has_any else 0,
        },
    }


def flash_sale_rendered(slug: str, *, now: datetime) -> tuple[int, bytes] | None:
    """Return a sale's version and its document as JSON, some two seconds old at most."""

    def load() -> bytes | None:
        sale = flash_sales().filter(slug=slug).first()
        if sale is None:
            return None
        return b"%d\n%b" % (sale.version, dumps(flash_sale_documents([sale], now=now)[0]))

    kept = _page_cache.get(slug, load)
    if kept is None:
        return None
    version, _, body = kept.partition(b"\n")
    return int(version), body


def purchase_limits() -> QuerySet[PurchaseLimit]:
    """Return every limit with its variant."""
    return PurchaseLimit.objects.select_related("variant")


def purchase_limit_of(variant_id: int) -> PurchaseLimit:
    """Return the limit of a variant. Raises PurchaseLimitNotFound."""
    found = purchase_limits().filter(variant_id=variant_id).first()
    if found is None:
        raise PurchaseLimitNotFound("Any buyer may have any number of it.")
    return found


@dataclass(frozen=True, slots=True)
class SaleProgress:
    """How a flash sale goes: its units, what its gate says, and its pace over time.

    `pace` are units a second in steps of `step_seconds` from `began_at` on. The gate's figures are
    None when Valkey does not answer.
    """

    state: str
    units: int
    sold: int
    held: int
    left: int
    began_at: datetime
    step_seconds: int
    pace: list[float]
    waiting: int | None
    in_flight: int | None
    admitted: int | None
    refused: int | None
    waited: int | None
    lapsed: int | None


def sale_progress(sale: FlashSale, *, now: datetime) -> SaleProgress:
    """Return how the sale goes: three queries, whatever it sold."""
    left = units_left_in_sales([sale.pk], now=now)[sale.pk]
    state = str(_document(sale, left=left, now=now)["state"])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(quantity) FILTER (WHERE state <> 'HELD'), 0),
                   coalesce(sum(quantity) FILTER (WHERE state = 'HELD'), 0), max(created_at)
            FROM inventory_reservation WHERE sale_id = %s AND state <> 'RELEASED'
            """,
            [sale.pk],
        )
        sold, held, last_at = cursor.fetchone()
        # While units go it is the time until now that counts; afterwards, until the last one went.
        until = min(now, sale.ends_at)
        if state != "running" and last_at is not None:
            until = min(until, last_at + (last_at - sale.starts_at) / 10 + timedelta(seconds=5))
        seconds = max((until - sale.starts_at).total_seconds(), 1)
        step = next(
            (step for step in _STEPS_SECONDS if seconds / step <= _MOST_STEPS), _STEPS_SECONDS[-1]
        )
        cursor.execute(_PACE_OF_SALE, {"sale": sale.pk, "start": sale.starts_at, "step": step})
        units_at = dict(cursor.fetchall())
    pace = (
        [round(int(units_at.get(number, 0)) / step, 3) for number in range(int(seconds / step) + 1)]
        if now > sale.starts_at
        else []
    )
    try:
        seen = gate.state_of(sale.pk)
    except RedisError:
        seen = None
    return SaleProgress(
        state=state,
        units=sale.units,
        sold=int(sold),
        held=int(held),
        left=left if state in {"running", "sold_out"} else sale.units - sale.taken,
        began_at=sale.starts_at,
        step_seconds=step,
        pace=pace,
        waiting=seen.waiting if seen else None,
        in_flight=seen.in_flight if seen else None,
        admitted=seen.sums.get("admitted", 0) if seen else None,
        refused=seen.sums.get("refused", 0) if seen else None,
        waited=seen.sums.get("waited", 0) if seen else None,
        lapsed=seen.sums.get("lapsed", 0) if seen else None,
    )
