"""What a shopper may be about to type: products and categories for the first letters."""

import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from catalog.models import image_address
from catalog.store import remembered_suggestions
from shop.http.json import dumps

MOST_WORDS = 6  # more are passed over
LONGEST_WORD = 40
SHORT = 3  # letters: so few begin so many words that the best sellers are asked first

# Every word has to begin one of a title, a vendor, a tag or a category (weights A and B). Matches
# are fenced: the first thousand that an index gives are ranked, among a short beginning's also the
# best sellers, so that the time does not grow with the catalogue. Only if nothing begins like that
# are words of four letters and more taken for the closest known ones with the same first letter:
# one letter wrong, from five on two (which is also two that changed places).
_SUGGESTIONS = """
WITH best AS MATERIALIZED (
    SELECT * FROM catalog_productlisting WHERE currency = %(currency)s
    ORDER BY popularity DESC, product_id DESC LIMIT %(best)s
),
exact AS MATERIALIZED (
    SELECT product_id, slug, title, title_key, image_url, image_file, in_stock, popularity
    FROM best WHERE published_at <= %(now)s AND search @@ {query}
    UNION
    (SELECT product_id, slug, title, title_key, image_url, image_file, in_stock, popularity
    FROM catalog_productlisting
    WHERE currency = %(currency)s AND published_at <= %(now)s AND search @@ {query} LIMIT 1000)
),
shelf AS MATERIALIZED (
    SELECT id, slug, name FROM catalog_category
    WHERE setweight(to_tsvector(%(language)s::regconfig, name), 'A') @@ {query}
),
form AS (
    SELECT given.place, close.word,
        rank() OVER (PARTITION BY given.place ORDER BY wrong) AS closest
    FROM unnest(%(words)s::text[]) WITH ORDINALITY AS given (word, place)
    CROSS JOIN LATERAL (
        SELECT known.word, least(
            levenshtein_less_equal(left(known.word, length(given.word) - 1), given.word, 2),
            levenshtein_less_equal(left(known.word, length(given.word)), given.word, 2),
            levenshtein_less_equal(left(known.word, length(given.word) + 1), given.word, 2)
        ) AS wrong
        FROM catalog_searchword known
        WHERE known.word >= left(given.word, 1)
          AND known.word < chr(ascii(given.word) + 1)
          AND length(known.word) >= length(given.word) - 2
    ) close
    WHERE length(given.word) > 3 AND wrong <= CASE WHEN length(given.word) > 4 THEN 2 ELSE 1 END
      AND NOT EXISTS (SELECT FROM exact) AND NOT EXISTS (SELECT FROM shelf)
),
meant AS MATERIALIZED (
    SELECT to_tsquery(%(language)s::regconfig, text) || to_tsquery('simple', text) AS query
    FROM (
        SELECT string_agg('(' || coalesce(parts, '''' || given.word || ''':*AB') || ')', ' & ')
            AS text
        FROM unnest(%(words)s::text[]) WITH ORDINALITY AS given (word, place)
        LEFT JOIN (
            SELECT place, string_agg('''' || word || ''':*AB', ' | ') AS parts
            FROM form WHERE closest <= 4 GROUP BY place
        ) likely USING (place)
    ) texts
    WHERE EXISTS (SELECT FROM form)
),
product AS (
    SELECT * FROM exact
    UNION
    SELECT found.* FROM meant CROSS JOIN LATERAL (
        SELECT product_id, slug, title, title_key, image_url, image_file, in_stock, popularity
        FROM catalog_productlisting
        WHERE currency = %(currency)s AND published_at <= %(now)s AND search @@ meant.query
        LIMIT 1000
    ) found
),
category AS (
    SELECT slug, name FROM (
        SELECT slug, name FROM shelf
        UNION
        SELECT c.slug, c.name FROM meant JOIN catalog_category c
            ON setweight(to_tsvector(%(language)s::regconfig, c.name), 'A') @@ meant.query
    ) named
    WHERE EXISTS (
        SELECT FROM catalog_productlisting l
        WHERE l.currency = %(currency)s AND l.published_at <= %(now)s
          AND l.category_path @> ARRAY[named.slug]::varchar[])
    ORDER BY length(name), name, slug LIMIT %(categories)s
),
shown AS (
    (SELECT 0 AS kind, row_number() OVER (ORDER BY length(name), name, slug) AS place,
        name AS title, slug, '' AS image_url, '' AS image_file FROM category)
    UNION ALL
    (SELECT 1, row_number() OVER (ORDER BY starts_with(title_key, %(beginning)s) DESC,
            in_stock DESC, popularity DESC, product_id), title, slug, image_url, image_file
    FROM product ORDER BY 2 LIMIT %(most)s)
)
SELECT kind, title, slug, image_url, image_file FROM shown ORDER BY kind, place LIMIT %(most)s
""".replace(
    "{query}",
    # Forms of the language and the letters as they stand; once where both are the same, as the
    # index would be asked for both. Folded to a constant when planned.
    "(CASE WHEN to_tsquery(%(language)s::regconfig, %(query)s) = to_tsquery('simple', %(query)s)"
    " THEN to_tsquery('simple', %(query)s)"
    " ELSE to_tsquery(%(language)s::regconfig, %(query)s) || to_tsquery('simple', %(query)s) END)",
)

MOST = 10
MOST_CATEGORIES = 3
_BEST_SELLERS = 500
_WORD = re.compile(r"[^\W_]+")
_KINDS = ("category", "product")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words that are looked for when `text` stands in the field, the last as begun."""
    return tuple(word[:LONGEST_WORD] for word in _WORD.findall(text.lower())[:MOST_WORDS])


def suggestions_rendered(text: str, *, currency: str, now: datetime) -> bytes:
    """Return the suggestions for `text` as JSON. One query, or none if asked a moment ago."""
    words = words_of(text)
    return remembered_suggestions(
        words,
        currency=currency,
        load=lambda: dumps({"results": suggestions(words, currency=currency, now=now)}),
    )


def suggestions(words: tuple[str, ...], *, currency: str, now: datetime) -> list[dict[str, Any]]:
    """Return at most ten categories and products whose names have words that begin like these.

    Categories first, at most three, and only those that something is sold in; then products: those
    whose title begins with all of it, then what is in stock, then what sells best. Where nothing
    begins like that, misspelt words are taken for the closest known ones. One query; none without
    words.
    """
    if not words:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _SUGGESTIONS,
            {
                "words": list(words),
                "query": " & ".join(f"'{word}':*AB" for word in words),
                "beginning": " ".join(words),
                "best": _BEST_SELLERS if len(words[-1]) <= SHORT else 0,
                "language": settings.SHOP_SEARCH_LANGUAGE,
                "currency": currency,
                "now": now,
                "categories": MOST_CATEGORIES,
                "most": MOST,
            },
        )
        rows = cursor.fetchall()
    return [
        {
            "kind": _KINDS[kind],
            "title": title,
            "slug": slug,
            "image": image_address(url, file),
        }
        for kind, title, slug, url, file in rows
    ]
