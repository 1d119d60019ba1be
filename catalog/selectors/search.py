"""What shoppers mean by words: forms, misspellings, synonyms, and which products fit best."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from django.conf import settings
from django.contrib.postgres.search import SearchQuery, SearchQueryField, SearchRank
from django.db import connection
from django.db.models import (
    Case,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Ln

from catalog.models import InFirstSlices, ProductListing, SearchSynonym
from catalog.selectors.conditions import as_sql
from catalog.store import remembered_synonyms

MOST_WORDS = 8  # of a misspelt search; more are passed over
LONGEST_WORD = 40
MOST_SYNONYMS = 20  # applied to one search
BEGINS = 1.2  # closeness of a word that begins with what was asked
CLOSE_ENOUGH = 0.15  # to the closest form of a word, for another form to count as well
# Relevance is how well the text fits, times these: a match in a title counts ten times one in a
# description, so neither stock nor sales lift the second above the first.
SOLD_OUT = 0.6
PER_SALES = 0.1  # for each time that the units sold are multiplied by e

_WORD = re.compile(r"\w+")

# The closest known words to each that was asked for: 2 is the word itself, from 1.2 on it begins
# with what was asked, below that by trigrams or by letters to change, whichever is kinder, and
# better if they begin alike, as hardly anybody misses the first letter. Short
# words may have one letter wrong, longer ones two. Behind the words stand their neighbours written
# together, which only count if they are a word. Looks at nothing if the search has a match: that is
# looked for in an even part of the listing, as what many have is found there at once, and an index
# reads all entries of a word before the first. Then in all of it, as if all matches were wanted, in
# the index: for the first one only, the whole listing may look like the shorter way, and is a long
# one where there is none.
_FORMS = """
WITH found AS MATERIALIZED (
    SELECT FROM (
        SELECT search FROM catalog_productlisting
        WHERE {in_slice} AND currency = %(currency)s AND published_at <= %(now)s
        LIMIT 1000  -- or the planner asks the index of words for this, too
    ) part
    WHERE search @@ (SELECT {query})  -- made once, and not for each row
    UNION ALL
    SELECT FROM catalog_productlisting
    WHERE currency = %(currency)s AND published_at <= %(now)s
      AND search @@ {query}
)
SELECT asked.place, form.word, form.closeness
FROM (
    SELECT place::int - 1 AS place, given.word, place > cardinality(%(asked)s::text[]) AS is_pair
    FROM unnest(%(asked)s::text[] || %(pairs)s::text[]) WITH ORDINALITY AS given (word, place)
) asked
CROSS JOIN LATERAL (
    SELECT known.word, CASE
        WHEN known.word = asked.word THEN 2.0
        WHEN starts_with(known.word, asked.word) THEN 1.2 + length(asked.word) / 100.0
        ELSE greatest(
            similarity(known.word, asked.word),
            1 - levenshtein(known.word, asked.word)::float
                / greatest(length(known.word), length(asked.word)))
            + CASE WHEN left(known.word, 1) = left(asked.word, 1) THEN 0.2 ELSE 0 END
        END AS closeness
    FROM catalog_searchword known
    WHERE CASE WHEN asked.is_pair THEN known.word = asked.word ELSE length(asked.word) > 2 AND (
        known.word %% asked.word
        OR starts_with(known.word, asked.word)
        OR (length(asked.word) > 4 AND abs(length(known.word) - length(asked.word)) <= 2
            AND levenshtein_less_equal(known.word, asked.word, 2) <= 2)
        OR (abs(length(known.word) - length(asked.word)) <= 1
            AND levenshtein_less_equal(known.word, asked.word, 1) <= 1)) END
    ORDER BY closeness DESC, known.word LIMIT 4
) form
WHERE NOT EXISTS (SELECT FROM found)
ORDER BY asked.place, form.closeness DESC, form.word
"""


Synonym = tuple[str, str]  # whoever asks for the first means the second as well


class _Rewritten(SearchQuery):
    """A query in which `words` are answered by `means` too; folded to a constant when planned."""

    function = "ts_rewrite"

    def __init__(self, query: SearchQuery, *, words: str, means: str) -> None:
        asked, meant = (
            SearchQuery(text, config=settings.SHOP_SEARCH_LANGUAGE) for text in (words, means)
        )
        Func.__init__(self, query, asked, asked | meant, output_field=SearchQueryField())
        self.invert = False


def matching(words: str, *, currency: str, now: datetime) -> tuple[Q, Combinable]:
    """Return which products fit these words, and how well: a whole number, the more the better.

    Words are looked for as full text, each also by what staff have said it means. If nothing has
    them all, each may also be a word that it resembles or begins; and if that finds nothing either,
    some of them are enough. One query looks for such words, another one whether they ever meet if
    there are several, and now and then one for the synonyms.
    """
    asked = [word[:LONGEST_WORD] for word in _WORD.findall(words.lower())[:MOST_WORDS]]
    synonyms = _synonyms_of(asked)
    plain = _rewritten(
        SearchQuery(words, config=settings.SHOP_SEARCH_LANGUAGE, search_type="websearch"), synonyms
    )
    forms = _likely_forms(words, asked, synonyms=synonyms, currency=currency, now=now)
    if not forms:
        return Q(search=plain), _relevance(plain)
    # Each word may be any of its forms. One that resembles nothing counts too, as it stands.
    choices = _choices(asked, forms)
    synonyms = _synonyms_of({*asked, *_WORD.findall(" ".join(choices))})
    every = _rewritten(_raw(" & ".join(f"({choice})" for choice in choices)), synonyms)
    if len(choices) > 1 and not _is_anything(every, currency=currency, now=now):
        every = _rewritten(_raw(" | ".join(choices)), synonyms)
    return Q(search=every), _relevance(every)


def _is_anything(query: SearchQuery, *, currency: str, now: datetime) -> bool:
    rows = ProductListing.objects.filter(currency=currency, published_at__lte=now, search=query)
    sql, params = rows.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        # As above: looked up as if all were wanted.
        cursor.execute(
            f"WITH found AS MATERIALIZED ({sql}) SELECT EXISTS (SELECT FROM found)",  # noqa: S608 — our own
            params,
        )
        return bool(cursor.fetchone()[0])


def _relevance(query: SearchQuery) -> Combinable:
    # A whole number: a page's cursor must name exactly the rank that its row has.
    weight = (
        SearchRank(F("search"), query)
        * Case(When(availability_state="out_of_stock", then=SOLD_OUT), default=1.0)
        * (1.0 + PER_SALES * Ln(Cast(F("popularity"), FloatField()) + 1.0))
    )
    return Cast(
        ExpressionWrapper(weight * Value(1_000_000.0), output_field=FloatField()), IntegerField()
    )


def _raw(query: str) -> SearchQuery:
    return SearchQuery(query, config=settings.SHOP_SEARCH_LANGUAGE, search_type="raw")


def _rewritten(query: SearchQuery, synonyms: Sequence[Synonym]) -> SearchQuery:
    for words, means in synonyms:
        query = _Rewritten(query, words=words, means=means)
    return query


def _synonyms_of(asked: Collection[str]) -> list[Synonym]:
    """Return the synonyms that may matter where these words are asked for."""
    beginnings = {word[:3] for word in asked}
    known = remembered_synonyms(lambda: SearchSynonym.objects.in_both_directions())
    return [
        (words, means)
        for words, means in known
        if beginnings.issuperset(word[:3] for word in _WORD.findall(words.lower()))
    ][:MOST_SYNONYMS]


def _likely_forms(
    words: str,
    asked: Sequence[str],
    *,
    synonyms: Sequence[Synonym],
    currency: str,
    now: datetime,
) -> dict[int, list[str]]:
    """Return what each of the words may have been meant to be, by its place; as parts of a query.

    Nothing where the words are found as they stand, or resemble nothing: one query for both.
    """
    query = "websearch_to_tsquery(%(language)s::regconfig, %(words)s)"
    texts: dict[str, str] = {}
    for place, (synonym, means) in enumerate(synonyms):
        texts |= {f"synonym_{place}": synonym, f"means_{place}": means}
        target = f"plainto_tsquery(%(language)s::regconfig, %(synonym_{place})s)"
        meant = f"plainto_tsquery(%(language)s::regconfig, %(means_{place})s)"
        query = f"ts_rewrite({query}, {target}, {target} || {meant})"
    in_slice = as_sql({"": Q(InFirstSlices(1))})[""].sql
    with connection.cursor() as cursor:
        cursor.execute(
            _FORMS.replace("{query}", query).replace("{in_slice}", in_slice),
            {
                "asked": list(asked),
                "pairs": [first + second for first, second in pairwise(asked)],
                "words": words,
                "language": settings.SHOP_SEARCH_LANGUAGE,
                "currency": currency,
                "now": now,
                **texts,
            },
        )
        found = cursor.fetchall()
    forms: dict[int, list[str]] = {}
    best: dict[int, float] = {}
    for place, word, closeness in found:
        if closeness < best.setdefault(place, closeness) - CLOSE_ENOUGH:
            continue
        if (
            closeness >= BEGINS and best[place] < 2 and place < len(asked)
        ):  # the beginning of a word
            forms[place] = [f"'{asked[place]}':*"]
        else:
            forms.setdefault(place, []).append(f"'{word}'")
    return forms


def _choices(asked: Sequence[str], forms: Mapping[int, Sequence[str]]) -> list[str]:
    """Return what may stand for each word, or for two that are one word written together."""
    choices = []
    place = 0
    while place < len(asked):
        choice = " | ".join(forms.get(place, [f"'{asked[place]}'"]))
        if together := forms.get(len(asked) + place):
            place += 1
            second = " | ".join(forms.get(place, [f"'{asked[place]}'"]))
            choice = f"{together[0]} | ({choice}) & ({second})"
        choices.append(choice)
        place += 1
    return choices
