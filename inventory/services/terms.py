"""The terms that a reserve keeps: limits per buyer, and the units of a flash sale.

Decided under the lock of the variant's stock, which everyone takes who changes what is summed here:
so the sums hold until the transaction ends, and no counter of a buyer's units can drift.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from inventory.errors import OutOfStock, PurchaseLimitExceeded

# Rows come back for variants with terms alone. A hold past its end counts for its buyer still: it
# can be paid for as long as nobody took it over. The arrays stand behind a SELECT as in
# `LOOK_AND_LOCK`.
_TERMS = """
SELECT q.variant_id, v.sku, q.units,
       EXISTS (SELECT FROM inventory_reservation r WHERE r.reference = %(reference)s),
       f.id, f.units - f.taken, coalesce(e.units, 0), f.limit_per_customer, coalesce(b.in_sale, 0),
       l.units, coalesce(b.in_window, 0)
FROM unnest((SELECT %(variants)s::bigint[]), (SELECT %(quantities)s::bigint[]))
     AS q(variant_id, units)
JOIN catalog_variant v ON v.id = q.variant_id
LEFT JOIN inventory_flashsale f
       ON f.variant_id = q.variant_id
      AND f.starts_at <= %(now)s::timestamptz AND f.ends_at > %(now)s::timestamptz
LEFT JOIN inventory_purchaselimit l ON l.variant_id = q.variant_id
LEFT JOIN LATERAL (
    SELECT sum(r.quantity) FILTER (WHERE r.sale_id = f.id) AS in_sale,
           sum(r.quantity) FILTER (
               WHERE l.window_days IS NULL
                  OR r.created_at > %(now)s::timestamptz - make_interval(days => l.window_days)
           ) AS in_window
    FROM inventory_reservation r JOIN inventory_stock s ON s.id = r.stock_id
    WHERE s.variant_id = q.variant_id
      AND r.buyer = %(buyer)s AND r.buyer <> '' AND r.state <> 'RELEASED'
      AND r.reference <> %(replaces)s
) b ON true
LEFT JOIN LATERAL (
    SELECT sum(r.quantity) AS units FROM inventory_reservation r
    WHERE r.sale_id = f.id AND r.state = 'HELD' AND r.expires_at <= %(now)s::timestamptz
) e ON true
WHERE f.id IS NOT NULL OR l.id IS NOT NULL
ORDER BY q.variant_id
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one line asks for, against the terms of its variant. Units, all of them."""

    variant_id: int
    sku: str
    requested: int
    is_held: bool  # the reference holds something already
    sale_id: int | None  # of the flash sale that runs now
    sale_left: int | None
    sale_overdue: int  # held in the sale past their end
    sale_limit: int | None
    bought_in_sale: int
    limit: int | None
    bought: int

    @property
    def missing_in_sale(self) -> int:
        """Units that the sale is short of, if holds past their end are not taken over."""
        return max(self.requested - self.sale_left, 0) if self.sale_left is not None else 0

    def exceeded(self) -> tuple[int, int] | None:
        """Return the limit that the line would break and the units that count for it, if any."""
        if self.limit is not None and self.bought + self.requested > self.limit:
            return self.limit, self.bought
        if self.sale_limit is not None and self.bought_in_sale + self.requested > self.sale_limit:
            return self.sale_limit, self.bought_in_sale
        return None


def terms_of(
    wanted: Mapping[int, int], *, buyer: str, reference: str, replaces: str, now: datetime
) -> list[Terms]:
    """Return the terms of these units by variant, of those that have any.

    Exact under the lock of their stock, a hint without it. An empty `buyer` has bought nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TERMS,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "buyer": buyer,
                "reference": reference,
                "replaces": replaces,
                "now": now,
            },
        )
        return [Terms(*row) for row in cursor.fetchall()]


def refuse_beyond_terms(terms: Iterable[Terms], *, has_buyer: bool) -> None:
    """Raise PurchaseLimitExceeded, or OutOfStock for a flash sale that has too few units left.

    Units of the sale that are held past their end count as left.
    """
    terms = list(terms)
    over = [(line, found) for line in terms if has_buyer and (found := line.exceeded())]
    if over:
        raise PurchaseLimitExceeded(
            "One buyer may not have that many.",
            lines=[
                {
                    "variant_id": line.variant_id,
                    "sku": line.sku,
                    "requested": line.requested,
                    "limit": limit,
                    "already_bought": int(bought),
                }
                for line, (limit, bought) in over
            ],
        )
    refuse_sold_out_sales(
        (line for line in terms if line.missing_in_sale > line.sale_overdue), counts_overdue=True
    )


def refuse_sold_out_sales(terms: Iterable[Terms], *, counts_overdue: bool) -> None:
    """Raise OutOfStock for these lines, unless there are none.

    Holds past their end count as available, unless it was tried and they cannot be had.
    """
    lines = [
        {
            "variant_id": line.variant_id,
            "sku": line.sku,
            "requested": line.requested,
            "available": int((line.sale_left or 0) + (line.sale_overdue if counts_overdue else 0)),
        }
        for line in terms
    ]
    if lines:
        raise OutOfStock("The flash sale has fewer units left.", lines=lines)
