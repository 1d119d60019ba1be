"""What the listing should say, put together from the tables that it copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from catalog.models import Product

# The beginning of a statement: its common table `fresh` has the rows of the products `ids` in each
# currency as they should be at `now`, with the words of `language`. The price that holds is chosen
# as `offer_at` does.
FRESH_LISTING = """
WITH RECURSIVE chosen AS MATERIALIZED (
    SELECT * FROM catalog_product
    WHERE id = ANY(%(ids)s) AND status = 'ACTIVE' AND published_at IS NOT NULL
),
climb (leaf_id, next_id, slugs, names) AS (
    SELECT c.id, c.parent_id, ARRAY[c.slug::text], c.name::text
    FROM catalog_category c WHERE c.id IN (SELECT category_id FROM chosen)
    UNION ALL
    SELECT climb.leaf_id, c.parent_id, c.slug::text || climb.slugs, c.name || ' ' || climb.names
    FROM climb JOIN catalog_category c ON c.id = climb.next_id
),
shelf AS (
    SELECT c.id, c.slug, c.name, climb.slugs, climb.names
    FROM climb JOIN catalog_category c ON c.id = climb.leaf_id WHERE climb.next_id IS NULL
),
live AS MATERIALIZED (
    SELECT v.* FROM catalog_variant v JOIN chosen ON chosen.id = v.product_id WHERE v.is_active
),
offer AS (
    SELECT DISTINCT ON (p.variant_id, p.currency)
        live.product_id, p.currency, p.amount_minor,
        coalesce(p.compare_at_minor, base.amount_minor) AS compare_at_minor
    FROM live
    JOIN catalog_price p ON p.variant_id = live.id
    LEFT JOIN catalog_price base ON base.variant_id = p.variant_id
        AND base.currency = p.currency AND base.starts_at IS NULL AND base.ends_at IS NULL
        AND base.id <> p.id AND base.amount_minor > p.amount_minor
    WHERE (p.starts_at IS NULL OR p.starts_at <= %(now)s)
      AND (p.ends_at IS NULL OR p.ends_at > %(now)s)
    ORDER BY p.variant_id, p.currency, (p.starts_at IS NULL AND p.ends_at IS NULL)
),
cost AS (
    SELECT product_id, currency, min(amount_minor) AS lowest, max(amount_minor) AS highest,
        (array_agg(compare_at_minor ORDER BY amount_minor, compare_at_minor DESC NULLS LAST))[1]
            AS compare_at
    FROM offer GROUP BY product_id, currency
),
edge AS (
    SELECT live.product_id, min(moment) AS next_at
    FROM live JOIN catalog_price p ON p.variant_id = live.id,
        LATERAL (VALUES (p.starts_at), (p.ends_at)) AS moments (moment)
    WHERE moment > %(now)s GROUP BY live.product_id
),
stock AS (
    SELECT product_id,
        CASE WHEN bool_or(availability_state = 'in_stock') THEN 'in_stock'
             WHEN bool_or(availability_state = 'low_stock') THEN 'low_stock'
             WHEN bool_or(availability_state = 'backorder') THEN 'backorder'
             ELSE 'out_of_stock' END AS state,
        least(10, sum(availability_quantity)) AS quantity,
        string_agg(sku, ' ' ORDER BY position, id) AS skus
    FROM live GROUP BY product_id
),
named AS (
    SELECT product_id, name, position,
        row_number() OVER (PARTITION BY product_id ORDER BY position, id) AS place
    FROM catalog_productoption WHERE product_id IN (SELECT id FROM chosen)
),
answered AS (
    SELECT live.product_id, named.place, named.name, live.option_values[named.place] AS value,
        min(live.position) AS rank
    FROM live JOIN named ON named.product_id = live.product_id
    WHERE live.option_values[named.place] IS NOT NULL
    GROUP BY 1, 2, 3, 4
),
choice AS (
    SELECT product_id,
        array_agg(name || '=' || value ORDER BY place, rank, value) AS options,
        array_agg(lower(name || '=' || value) ORDER BY place, rank, value) AS option_keys,
        string_agg(value, ' ' ORDER BY place, rank, value) AS answers
    FROM answered GROUP BY product_id
),
typed AS (
    SELECT chosen.id AS product_id,
        array_agg(fact ORDER BY place) AS attributes, array_agg(lower(fact) ORDER BY place) AS keys
    FROM chosen
    JOIN catalog_producttype t ON lower(t.name) = lower(chosen.product_type)
    JOIN catalog_attributedefinition d ON d.product_type_id = t.id AND d.is_filterable
    CROSS JOIN LATERAL (
        SELECT d.name || '=' || left(value, 255) AS fact, (d.position, d.id) AS place
        FROM jsonb_each_text(chosen.attributes) AS stated (name, value)
        WHERE lower(stated.name) = lower(d.name) AND value IS NOT NULL
    ) facts
    GROUP BY chosen.id
),
fresh AS MATERIALIZED (
    SELECT chosen.id AS product_id, cost.currency, chosen.slug, chosen.title,
        left(plain.title, 255) AS title_key,
        chosen.vendor,
        coalesce(shelf.slug, '') AS category_slug, coalesce(shelf.name, '') AS category_name,
        coalesce(shelf.slugs, '{}')::varchar[] AS category_path, chosen.tags,
        coalesce(choice.options, '{}')::varchar[] AS options,
        coalesce(choice.option_keys, '{}')::varchar[] AS option_keys,
        coalesce(typed.attributes, '{}')::varchar[] AS attributes,
        coalesce(typed.keys, '{}')::varchar[] AS attribute_keys,
        coalesce(picture.url, '') AS image_url, coalesce(picture.file, '') AS image_file,
        cost.lowest AS min_price_minor, cost.highest AS max_price_minor,
        cost.compare_at AS compare_at_minor,
        stock.state AS availability_state, stock.quantity::smallint AS availability_quantity,
        stock.state IN ('in_stock', 'low_stock') AS in_stock,
        chosen.popularity, chosen.published_at,
        least(edge.next_at, CASE WHEN chosen.published_at > %(now)s THEN chosen.published_at END)
            AS refresh_at,
        setweight(to_tsvector(tongue.config, concat_ws(' ', chosen.title,
                nullif(plain.title, lower(chosen.title)), plain.closed)), 'A')
            || setweight(to_tsvector(tongue.config, stock.skus), 'A')
            || setweight(to_tsvector(tongue.config, concat_ws(' ', chosen.vendor,
                chosen.product_type, array_to_string(chosen.tags, ' '), shelf.names)), 'B')
            || setweight(to_tsvector(tongue.config, coalesce(choice.answers, '')), 'C')
            || setweight(to_tsvector(tongue.config, left(chosen.description_html, 50000)), 'D')
            AS search
    FROM chosen
    CROSS JOIN (SELECT %(language)s::regconfig AS config) tongue
    CROSS JOIN LATERAL (
        SELECT regexp_replace(normalize(lower(chosen.title), NFKD), '[\\u0300-\\u036f]', '', 'g')
            AS title
    ) bare
    CROSS JOIN LATERAL (
        -- Words with hyphens also written together: who types tshirt means a T-shirt.
        SELECT bare.title, array_to_string(ARRAY(
            SELECT replace(found[1], '-', '')
            FROM regexp_matches(bare.title, '\\w+(?:-\\w+)+', 'g') AS found), ' ') AS closed
    ) plain
    JOIN cost ON cost.product_id = chosen.id
    JOIN stock ON stock.product_id = chosen.id
    LEFT JOIN shelf ON shelf.id = chosen.category_id
    LEFT JOIN edge ON edge.product_id = chosen.id
    LEFT JOIN choice ON choice.product_id = chosen.id
    LEFT JOIN typed ON typed.product_id = chosen.id
    LEFT JOIN LATERAL (
        SELECT url, file FROM catalog_productimage i WHERE i.product_id = chosen.id
        ORDER BY i.position, i.id LIMIT 1
    ) picture ON true
),
"""

# Behind that: which rows are not as they should be.
_DRIFTED = """
kept AS (
    SELECT * FROM catalog_productlisting WHERE product_id = ANY(%(ids)s)
)
SELECT coalesce(fresh.product_id, kept.product_id), coalesce(fresh.currency, kept.currency),
    CASE WHEN fresh.product_id IS NULL THEN 'not to be listed'
         WHEN kept.product_id IS NULL THEN 'missing' ELSE 'another row' END
FROM fresh FULL JOIN kept
    ON kept.product_id = fresh.product_id AND kept.currency = fresh.currency
WHERE to_jsonb(kept) - 'id' IS DISTINCT FROM to_jsonb(fresh)
ORDER BY 1, 2
"""
_LATE = timedelta(minutes=5)  # the job that does what the clock decides is over by then


@dataclass(frozen=True, slots=True)
class DriftedListing:
    """A row of the listing that is not what its sources say."""

    product_id: int
    currency: str
    state: str  # missing, not to be listed, another row


def drifted_listings(*, sample: int, now: datetime) -> list[DriftedListing]:
    """Return which rows of `sample` products, chosen at random, are not as they should be.

    A change under way is no fault: it commits its rows with it. Neither is what the clock has just
    made due: a row may be what it should have been five minutes ago. Two or three queries.
    """
    chosen = list(Product.objects.order_by("?").values_list("pk", flat=True)[:sample])
    found = _drifted(chosen, now=now)
    if not found:
        return []
    late = _drifted([row.product_id for row in found], now=now - _LATE)
    places = {(row.product_id, row.currency) for row in late}
    return [row for row in found if (row.product_id, row.currency) in places]


def _drifted(product_ids: Sequence[int], *, now: datetime) -> list[DriftedListing]:
    with connection.cursor() as cursor:
        cursor.execute(
            FRESH_LISTING + _DRIFTED,
            {"ids": list(product_ids), "now": now, "language": settings.SHOP_SEARCH_LANGUAGE},
        )
        return [DriftedListing(*row) for row in cursor.fetchall()]
