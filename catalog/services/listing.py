"""The listing: the copy that lists, search and facets read."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TypedDict

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from catalog.models import Price, Product, ProductListing, Variant
from catalog.selectors import FRESH_LISTING
from catalog.services.price_history import append_price_history
from catalog.store import forget_cards, forget_products, forget_tree
from shop.faults import fault
from shop.outbox.services import publish

BATCH = 1000  # products, or variants, in one statement

# One statement for any number of products, behind what they should look like: rows that have gone
# are deleted, and only rows that differ are written (each write touches a dozen indexes). The words
# of new texts are noted.
_REFRESH = """
spelled AS (
    SELECT DISTINCT word
    FROM fresh
    JOIN chosen ON chosen.id = fresh.product_id
    LEFT JOIN shelf ON shelf.id = chosen.category_id
    LEFT JOIN choice ON choice.product_id = chosen.id
    LEFT JOIN catalog_productlisting old
        ON old.product_id = fresh.product_id AND old.currency = fresh.currency,
    -- A fifth of the time that it takes to match each word.
    LATERAL string_to_table(regexp_replace(
        lower(concat_ws(' ', chosen.title, fresh.title_key,
            replace(fresh.title_key, '-', ''), chosen.vendor, chosen.product_type,
            array_to_string(chosen.tags, ' '), shelf.names, choice.answers,
            regexp_replace(left(chosen.description_html, 50000), '<[^>]*>|&[a-z]+;', ' ', 'g'))),
        '[^[:alpha:]]+', ' ', 'g'), ' ') AS found (word)
    WHERE old.search IS DISTINCT FROM fresh.search AND length(word) BETWEEN 3 AND 40
),
lexicon AS (
    INSERT INTO catalog_searchword (word)
    SELECT word FROM spelled
    WHERE NOT EXISTS (SELECT FROM catalog_searchword known WHERE known.word = spelled.word)
    ORDER BY word
    ON CONFLICT DO NOTHING
),
gone AS (
    DELETE FROM catalog_productlisting old
    WHERE old.product_id = ANY(%(ids)s) AND NOT EXISTS (
        SELECT FROM fresh
        WHERE fresh.product_id = old.product_id AND fresh.currency = old.currency)
)
INSERT INTO catalog_productlisting AS old (
    product_id, currency, slug, title, title_key, vendor, category_slug, category_name,
    category_path, tags, options, option_keys, attributes, attribute_keys,
    image_url, image_file, min_price_minor,
    max_price_minor, compare_at_minor, availability_state, availability_quantity, in_stock,
    popularity, published_at, refresh_at, search)
SELECT * FROM fresh ORDER BY product_id, currency
ON CONFLICT (product_id, currency) DO UPDATE SET (
    slug, title, title_key, vendor, category_slug, category_name,
    category_path, tags, options, option_keys, attributes, attribute_keys,
    image_url, image_file, min_price_minor,
    max_price_minor, compare_at_minor, availability_state, availability_quantity, in_stock,
    popularity, published_at, refresh_at, search
) = (
    excluded.slug, excluded.title, excluded.title_key, excluded.vendor, excluded.category_slug,
    excluded.category_name, excluded.category_path, excluded.tags, excluded.options,
    excluded.option_keys, excluded.attributes, excluded.attribute_keys,
    excluded.image_url, excluded.image_file, excluded.min_price_minor,
    excluded.max_price_minor, excluded.compare_at_minor, excluded.availability_state,
    excluded.availability_quantity, excluded.in_stock, excluded.popularity,
    excluded.published_at, excluded.refresh_at, excluded.search)
WHERE (
    old.slug, old.title, old.title_key, old.vendor, old.category_slug, old.category_name,
    old.category_path, old.tags, old.options, old.option_keys, old.attributes,
    old.attribute_keys, old.image_url, old.image_file,
    old.min_price_minor, old.max_price_minor, old.compare_at_minor, old.availability_state,
    old.availability_quantity, old.in_stock, old.popularity, old.published_at, old.refresh_at,
    old.search
) IS DISTINCT FROM (
    excluded.slug, excluded.title, excluded.title_key, excluded.vendor, excluded.category_slug,
    excluded.category_name, excluded.category_path, excluded.tags, excluded.options,
    excluded.option_keys, excluded.attributes, excluded.attribute_keys,
    excluded.image_url, excluded.image_file, excluded.min_price_minor,
    excluded.max_price_minor, excluded.compare_at_minor, excluded.availability_state,
    excluded.availability_quantity, excluded.in_stock, excluded.popularity,
    excluded.published_at, excluded.refresh_at, excluded.search)
"""


@transaction.atomic
def refresh_listing(*, product_ids: Collection[int], now: datetime) -> None:
    """Make the listing of these products what their tables say at `now`, and drop cached copies.

    Joins the caller's transaction; call it after every other change. Safe to repeat. Two
    statements for each thousand products, and three to drop the copies.
    """
    ids = sorted(set(product_ids))
    for batch in in_batches(ids):
        _write_listing(batch, now=now)
    forget_on_commit(product_ids=ids)


def forget_on_commit(*, product_ids: Collection[int], also: Collection[str] = ()) -> None:
    """Drop what caches hold of these products once the transaction commits.

    And once more by a message, for the case that this process dies in between. `also` are slugs
    that they had before.
    """
    for batch in in_batches(list(product_ids)):
        transaction.on_commit(partial(_forget_committed, **_copies_of(batch, also=also)))
        publish(
            topic="catalog.product_changed",
            key=f"product:{batch[0]}",
            payload={"v": 1, "product_ids": batch, "slugs": list(also)},
        )


def forget_cards_on_commit(variant_ids: Collection[int]) -> None:
    """Drop what caches hold of variants that are no more, once the transaction commits.

    Checkout asks the database, so a copy that a crash leaves behind sells nothing.
    """
    transaction.on_commit(partial(forget_cards, list(variant_ids)))


def forget_now(*, product_ids: Collection[int], also: Collection[str] = ()) -> None:
    """Drop what caches hold of these products. Safe to repeat and to run late."""
    _forget(**_copies_of(product_ids, also=also))


def rebuild_listing(
    *, now: datetime, after: int = 0, progress: Callable[[int], None] | None = None
) -> int:
    """Make the whole listing anew beside the shop's work, and return how many products it read.

    Or that of the products behind the id `after`. `progress` hears how many were read so far.

    In batches, each its own transaction: lists stay whole throughout. Safe to stop and repeat.
    Words that nothing has any more stay known; they do no harm.
    """
    seen = 0
    last = after
    while batch := list(
        Product.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        with transaction.atomic():
            _write_listing(batch, now=now)
            transaction.on_commit(forget_tree)
        seen += len(batch)
        last = batch[-1]
        if progress is not None:
            progress(seen)
    return seen


def _write_listing(product_ids: Sequence[int], *, now: datetime) -> None:
    # Locked first, in a statement of its own: who waits here for another change of the same
    # product then reads what that change has committed, and does not bury it.
    list(Product.objects.filter(pk__in=product_ids).locked().values_list("pk"))
    with connection.cursor() as cursor:
        cursor.execute(
            FRESH_LISTING + _REFRESH,
            {"ids": list(product_ids), "now": now, "language": settings.SHOP_SEARCH_LANGUAGE},
        )


class _Copies(TypedDict):
    refs: list[str | int]
    variant_ids: list[int]


def _copies_of(product_ids: Collection[int], *, also: Collection[str]) -> _Copies:
    slugs = Product.objects.filter(pk__in=product_ids).values_list("slug", flat=True)
    variants = Variant.objects.filter(product__in=product_ids).order_by()
    return {
        "refs": [*product_ids, *slugs, *also],
        "variant_ids": list(variants.values_list("pk", flat=True)),
    }


def _forget_committed(*, refs: list[str | int], variant_ids: list[int]) -> None:
    fault("catalog.before_forget")
    _forget(refs=refs, variant_ids=variant_ids)


def _forget(*, refs: list[str | int], variant_ids: list[int]) -> None:
    forget_products(refs)
    forget_cards(variant_ids)
    forget_tree()


@transaction.atomic
def refresh_due(*, now: datetime) -> int:
    """Carry out what the clock has decided: price windows that began or ended, publications.

    Appends to the price history at the moment of each change, and returns how many products were
    due. Safe to repeat, and to run late: the history is right all the same.
    """
    due = set(
        ProductListing.objects.filter(refresh_at__lte=now).values_list("product_id", flat=True)
    )
    # A product that had no price at all until its window began has no row that could be due.
    due |= set(
        Price.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=now),
            ~Exists(
                ProductListing.objects.filter(
                    product=OuterRef("variant__product"), currency=OuterRef("currency")
                )
            ),
            starts_at__lte=now,
            variant__is_active=True,
            variant__product__status=Product.Status.ACTIVE,
            variant__product__published_at__isnull=False,
        ).values_list("variant__product_id", flat=True)
    )
    for batch in in_batches(sorted(due)):
        variants = Variant.objects.filter(product__in=batch).order_by()
        append_price_history(
            variant_ids=list(variants.values_list("pk", flat=True)), now=now, with_edges=True
        )
        refresh_listing(product_ids=batch, now=now)
    return len(due)


def in_batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut `ids` into pieces that one statement can take."""
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
