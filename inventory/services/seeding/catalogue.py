"""Products by the million, made up inside PostgreSQL from a seed: nothing travels but numbers.

The same seed makes the same products, whatever else the shop has. For work on scale only: it
writes tables of the catalogue and of stock at once, as their services would one by one, and is the
only place that does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from catalog.models import Product
from catalog.services import ensure_category, rebuild_listing
from inventory.selectors import default_warehouse
from inventory.services.imports.importer import OPENING_CAUSE
from inventory.services.seeding.words import (
    ADJECTIVES,
    COLOURS,
    MATERIALS,
    SHELVES,
    SIZES,
    TAGS,
    VENDORS,
)

BATCH = 10_000  # products in one transaction
_DAYS = 730  # over which they were published

# `pick` draws a number from 0 to `many - 1` for product `i` and a purpose, the same one always.
_PICK = """
CREATE OR REPLACE FUNCTION pg_temp.pick(i bigint, purpose bigint, many bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    (hashint8extended(i, purpose) & 9223372036854775807) % many
"""

# How a product is sold: seven in ten as they are, two in three sizes, one in two colours of two.
_PRODUCTS = """
WITH numbered AS (
    SELECT i, %(seed)s::bigint * 1000 AS s
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
), chosen AS (
    SELECT i, s,
        (%(adjectives)s::text[])[1 + pg_temp.pick(i, s + 1, %(adjective_count)s)] AS adjective,
        (%(materials)s::text[])[1 + pg_temp.pick(i, s + 2, %(material_count)s)] AS material,
        1 + pg_temp.pick(i, s + 3, %(noun_count)s) AS noun,
        (%(vendors)s::text[])[1 + pg_temp.pick(i, s + 4, %(vendor_count)s)] AS vendor,
        pg_temp.pick(i, s + 5, 4) AS tag_count,
        %(now)s::timestamptz - make_interval(secs => pg_temp.pick(i, s + 6, %(seconds)s))
            AS published_at
    FROM numbered
)
INSERT INTO catalog_product (
    slug, title, description_html, vendor, product_type, category_id, tags, attributes, status,
    published_at, seo_title, seo_description, popularity, version, created_at, updated_at)
SELECT
    'seed-' || %(seed)s::text || '-' || i,
    adjective || ' ' || material || ' ' || (%(nouns)s::text[])[noun],
    '<p>The ' || lower(adjective) || ' ' || lower((%(nouns)s::text[])[noun]) || ' is made of '
        || lower(material) || ' by ' || vendor || '.</p><p>It goes with '
        || lower((%(materials)s::text[])[1 + pg_temp.pick(i, s + 7, %(material_count)s)])
        || ' and ' || lower((%(materials)s::text[])[1 + pg_temp.pick(i, s + 8, %(material_count)s)])
        || ', and is kept ' || lower((%(adjectives)s::text[])[
            1 + pg_temp.pick(i, s + 9, %(adjective_count)s)]) || '.</p>',
    vendor, (%(nouns)s::text[])[noun], (%(category_ids)s::bigint[])[noun],
    ARRAY(
        SELECT DISTINCT (%(tags)s::text[])[1 + pg_temp.pick(i, s + 10 + n, %(tag_count)s)]
        FROM generate_series(1, tag_count) n ORDER BY 1
    ),
    jsonb_build_object('material', lower(material)), 'ACTIVE', published_at, '', '',
    -- few sell much, most sell little
    (1000000 / (1 + pg_temp.pick(i, s + 20, 1000000)))::bigint, 1, published_at, published_at
FROM chosen ORDER BY i
RETURNING id
"""

_OPTIONS = """
WITH made AS (
    SELECT id, substring(slug FROM '[0-9]+$')::bigint AS i, %(seed)s::bigint * 1000 AS s
    FROM catalog_product WHERE id = ANY(%(ids)s)
), sold AS (
    SELECT made.*, pg_temp.pick(i, s + 30, 10) AS way FROM made
)
INSERT INTO catalog_productoption (product_id, position, name, values)
SELECT id, 1, 'Size', %(sizes)s::text[] FROM sold WHERE way IN (7, 8)
UNION ALL
SELECT id, 1, 'Colour', ARRAY[
    (%(colours)s::text[])[1 + pg_temp.pick(i, s + 31, 5)],
    (%(colours)s::text[])[6 + pg_temp.pick(i, s + 32, 5)]] FROM sold WHERE way = 9
UNION ALL
SELECT id, 2, 'Size', (%(sizes)s::text[])[1:2] FROM sold WHERE way = 9
"""

_VARIANTS = """
WITH made AS (
    SELECT id, substring(slug FROM '[0-9]+$')::bigint AS i, %(seed)s::bigint * 1000 AS s
    FROM catalog_product WHERE id = ANY(%(ids)s)
), answers AS (
    SELECT made.id, i, s, a.answers, a.place
    FROM made CROSS JOIN LATERAL (
        SELECT array_agg(c.value ORDER BY c.position) AS answers,
               row_number() OVER (ORDER BY min(c.first), min(c.second)) AS place
        FROM (
            SELECT first.n AS first, second.n AS second, o.position,
                   o.values[CASE o.position WHEN 1 THEN first.n ELSE second.n END] AS value
            FROM catalog_productoption o,
                 generate_series(1, 3) first(n), generate_series(1, 2) second(n)
            WHERE o.product_id = made.id
              AND first.n <= (SELECT cardinality(values) FROM catalog_productoption
                              WHERE product_id = made.id AND position = 1)
              AND second.n <= coalesce((SELECT cardinality(values) FROM catalog_productoption
                                        WHERE product_id = made.id AND position = 2), 1)
        ) c GROUP BY first, second
        UNION ALL
        SELECT '{}'::varchar[], 1
        WHERE NOT EXISTS (SELECT FROM catalog_productoption o WHERE o.product_id = made.id)
    ) a
), counted AS (
    SELECT *, CASE WHEN pg_temp.pick(i, s + 40 + place, 12) = 0 THEN 0
                   ELSE 1 + pg_temp.pick(i, s + 50 + place, 80) END AS units
    FROM answers
), variants AS (
    INSERT INTO catalog_variant (
        product_id, sku, title, option_values, position, barcode, weight_grams, tax_class,
        requires_shipping, is_active, availability_state, availability_quantity)
    SELECT id, 'S' || %(seed)s::text || '-' || i || '-' || place,
           array_to_string(answers, ' / '), answers, place, '',
           50 + pg_temp.pick(i, s + 60, 4000), 'STANDARD', true, true,
           CASE WHEN units = 0 THEN 'out_of_stock' WHEN units <= 5 THEN 'low_stock'
                ELSE 'in_stock' END,
           least(units, 10)
    FROM counted ORDER BY i, place
    RETURNING id, sku
), numbered AS (
    SELECT v.id, c.units, c.i, c.s, c.place,
           (200 + pg_temp.pick(c.i, c.s + 70, 198)) * 100 / 2 - 1 + c.place * 100 AS amount,
           pg_temp.pick(c.i, c.s + 71, 10) = 0 AS is_reduced
    FROM variants v JOIN counted c
        ON v.sku = 'S' || %(seed)s::text || '-' || c.i || '-' || c.place
), prices AS (
    INSERT INTO catalog_price (variant_id, currency, amount_minor, compare_at_minor)
    SELECT id, %(currency)s, amount, CASE WHEN is_reduced THEN amount * 5 / 4 END
    FROM numbered ORDER BY id
), history AS (
    INSERT INTO catalog_pricehistory (variant_id, currency, amount_minor, effective_at)
    SELECT id, %(currency)s, amount, %(now)s::timestamptz FROM numbered ORDER BY id
), stock AS (
    INSERT INTO inventory_stock
        (variant_id, warehouse_id, on_hand, reserved, backorder_limit, low_at)
    SELECT id, %(warehouse)s, units, 0, 0, 5 FROM numbered ORDER BY id
    RETURNING id, on_hand
), ledger AS (
    INSERT INTO inventory_stockmovement
        (stock_id, kind, delta_on_hand, delta_reserved, on_hand_after, reserved_after,
         reason, cause, happened_at)
    SELECT id, 'RECEIPT', on_hand, 0, on_hand, 0, 'Seeded', %(cause)s, %(now)s::timestamptz
    FROM stock WHERE on_hand > 0 ORDER BY id
)
SELECT count(*) FROM numbered
"""

SeedProgress = Callable[[str, int], None]  # the phase, and how many products it is through with


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What a run made; what was there of its seed already is not counted."""

    products: int
    variants: int
    listed: int


def seed_catalogue(
    *, products: int, seed: int, now: datetime, progress: SeedProgress | None = None
) -> SeedResult:
    """Have so many made-up products of this seed in the shop, on sale and in stock.

    Safe to repeat and to kill: it goes on behind the products of the seed that are there, and is
    done where there are enough. Ten thousand are one transaction; then the listing is made.
    """
    slug = f"seed-{seed}-"
    there = Product.objects.filter(slug__startswith=slug).count()
    words = _words(seed, now=now)
    variants = 0
    with connection.cursor() as cursor:
        cursor.execute(_PICK)
    for first in range(there + 1, products + 1, BATCH):
        last = min(first + BATCH - 1, products)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_PRODUCTS, {**words, "first": first, "last": last})
            ids = {"ids": [pk for (pk,) in cursor.fetchall()]}
            cursor.execute(_OPTIONS, {**words, **ids})
            cursor.execute(_VARIANTS, {**words, **ids})
            variants += cursor.fetchone()[0]
        if progress is not None:
            progress("products", last)
    listed = _list(slug, now=now, progress=progress)
    return SeedResult(max(0, products - there), variants, listed)


def _list(slug: str, *, now: datetime, progress: SeedProgress | None) -> int:
    unlisted = Product.objects.filter(slug__startswith=slug, listings__isnull=True)
    first = unlisted.order_by("pk").values_list("pk", flat=True).first()
    if first is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "ANALYZE catalog_product, catalog_productoption, catalog_variant, catalog_price"
        )
    return rebuild_listing(
        now=now,
        after=first - 1,
        progress=None if progress is None else lambda done: progress("listing", done),
    )


def _words(seed: int, *, now: datetime) -> dict[str, Any]:
    nouns: list[str] = []
    category_ids: list[int] = []
    for path, names in SHELVES.items():
        category = ensure_category(path=path)
        nouns += names
        category_ids += [category.pk] * len(names)
    return {
        "seed": seed,
        "now": now,
        "seconds": int(timedelta(days=_DAYS).total_seconds()),
        "adjectives": list(ADJECTIVES),
        "adjective_count": len(ADJECTIVES),
        "materials": list(MATERIALS),
        "material_count": len(MATERIALS),
        "nouns": nouns,
        "noun_count": len(nouns),
        "category_ids": category_ids,
        "vendors": list(VENDORS),
        "vendor_count": len(VENDORS),
        "tags": list(TAGS),
        "tag_count": len(TAGS),
        "sizes": list(SIZES),
        "colours": list(COLOURS),
        "currency": settings.SHOP_CURRENCY,
        "warehouse": default_warehouse().pk,
        "cause": OPENING_CAUSE,
    }
