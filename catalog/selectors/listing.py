"""Lists, search and facets: everything that reads `ProductListing`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import (
    BigIntegerField,
    BooleanField,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.functions import Cast, Lower

from catalog.models import (
    BoughtTogether,
    InFirstSlices,
    ProductListing,
    RelatedProduct,
    image_address,
)
from catalog.selectors.collections import in_collection
from catalog.selectors.conditions import as_sql
from catalog.selectors.search import matching
from shop.money import Money

RANKED = 5000  # matches of a search that are put in order
RELATED = 12
IN_CATEGORY = 2  # the place of that walk among those for related products
ROW_FIELDS = (
    "product_id",
    "slug",
    "title",
    "vendor",
    "category_slug",
    "category_name",
    "currency",
    "min_price_minor",
    "max_price_minor",
    "compare_at_minor",
    "image_url",
    "image_file",
    "availability_state",
    "availability_quantity",
    "tags",
)

ListingRow = dict[str, Any]  # ROW_FIELDS, and what the order needs


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a shopper looks for. Prices in minor units of the currency."""

    currency: str
    category: str | None = None
    words: str | None = None
    vendors: Sequence[str] = ()
    tags: Sequence[str] = ()
    min_price_minor: int | None = None
    max_price_minor: int | None = None
    in_stock: bool | None = None
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    collection: str | None = None


class Listed(NamedTuple):
    """Rows to be paged, the order to page them in, and what the facets are counted over.

    `whole` is where the rows of a page are read, if an index alone finds which they are.
    """

    rows: QuerySet[ProductListing, ListingRow]
    order: tuple[str, ...]
    conditions: dict[str, Q]
    whole: QuerySet[ProductListing, ListingRow] | None


_ORDERS = {
    "newest": ("-published_at", "-product_id"),
    "price": ("min_price_minor", "product_id"),
    "-price": ("-min_price_minor", "-product_id"),
    "title": ("title_key", "product_id"),
    "best_selling": ("-popularity", "-product_id"),
    "relevance": ("-relevance", "-product_id"),
}
SORTS = tuple(_ORDERS)


def listed_products(*, wanted: Wanted, sort: str | None, now: datetime) -> Listed:
    """Return the products that fit, ready to be paged.

    Without `sort`: by relevance where there are words, else by sales. `matching` says what fits
    words; of a search only `RANKED` matches are put in order, whatever the order, so that a word
    that everything has takes no longer than others: the best sellers, where one product in four
    fits, and else the first that an index gives. Prices are compared with the lowest of the
    product, which is also what `price` sorts by.
    """
    conditions, relevance = _conditions(wanted, now=now)
    if sort is None or (sort == "relevance" and relevance is None):
        sort = "best_selling" if relevance is None else "relevance"
    order = _ORDERS[sort]
    found = ProductListing.objects.filter(*conditions.values())
    columns = dict.fromkeys([*ROW_FIELDS, *(name.lstrip("-") for name in order)])
    if relevance is not None:
        # Where nothing can fit, nothing has to be chosen.
        with suppress(EmptyResultSet):
            found = ProductListing.objects.filter(_to_be_ranked(conditions))
    if sort == "relevance":
        found = found.annotate(relevance=relevance)
    whole = ProductListing.objects.values(*columns) if relevance is None else None
    return Listed(found.values(*columns), order, conditions, whole)


def related_products(*, product_id: int, currency: str, now: datetime) -> list[ListingRow]:
    """Return at most twelve products to be shown beside this one. Two queries.

    First those that staff have chosen, in their order; then what is bought together with it, the
    most frequent first; then of the same category, and at last of those with a tag in common, led
    by best sellers. Of the category what is in stock comes first; of the others than staff's
    choice and the category, only what is in stock counts at all.
    """
    shown = ProductListing.objects.filter(currency=currency, published_at__lte=now)
    own = shown.filter(product=product_id).values("category_slug", "tags").first()
    if own is None:
        return []
    # Walks that each end after twelve rows: one over all would have to sort all that match.
    others = shown.exclude(product=product_id)
    by_hand = RelatedProduct.objects.filter(product=product_id, other=OuterRef("product"))
    together = BoughtTogether.objects.filter(product=product_id, other=OuterRef("product"))
    weight = Cast(F("popularity"), BigIntegerField())
    parts = [
        others.filter(
            product__in=RelatedProduct.objects.filter(product=product_id).values("other")
        ).annotate(weight=-Cast(Subquery(by_hand.values("position")[:1]), BigIntegerField())),
        others.filter(
            product__in=BoughtTogether.objects.filter(product=product_id).values("other"),
            in_stock=True,
        ).annotate(weight=Cast(Subquery(together.values("orders")[:1]), BigIntegerField())),
        (
            others.filter(category_path__contains=[own["category_slug"]])
            if own["category_slug"]
            else others.none()
        ).annotate(weight=weight),
        others.filter(tags__overlap=own["tags"], in_stock=True).annotate(weight=weight),
    ]
    orders = [
        ("-weight", "-product_id"),
        ("-weight", "-product_id"),
        ("-in_stock", "-popularity", "-product_id"),
        ("-popularity", "-product_id"),
    ]
    found = [
        part.order_by(*order)
        .annotate(kind=Value(kind, output_field=IntegerField()))
        .values(*ROW_FIELDS, "kind", "in_stock", "weight")[:RELATED]
        for kind, (part, order) in enumerate(zip(parts, orders, strict=True))
    ]
    rows: dict[int, ListingRow] = {}
    for row in sorted(
        found[0].union(*found[1:], all=True),
        key=lambda row: (
            row["kind"],
            row["kind"] == IN_CATEGORY and not row["in_stock"],
            -row["weight"],
            -row["product_id"],
        ),
    ):
        rows.setdefault(row["product_id"], row)
    return list(rows.values())[:RELATED]


def row_document(row: ListingRow) -> dict[str, Any]:
    """Return a row of a list as clients see it."""
    currency = row["currency"]
    compare_at = row["compare_at_minor"]
    return {
        "id": row["product_id"],
        "slug": row["slug"],
        "title": row["title"],
        "vendor": row["vendor"],
        "category": (
            {"slug": row["category_slug"], "name": row["category_name"]}
            if row["category_slug"]
            else None
        ),
        "price": {
            "min": Money(row["min_price_minor"], currency).as_json(),
            "max": Money(row["max_price_minor"], currency).as_json(),
        },
        "compare_at_price": None if compare_at is None else Money(compare_at, currency).as_json(),
        "image": image_address(row["image_url"], row["image_file"]),
        "availability": {
            "state": row["availability_state"],
            "quantity": row["availability_quantity"],
        },
        "tags": row["tags"],
    }


# Where in the table the matches are that are put in order: by their places, which hold for as long
# as the statement runs, they are found again in a fraction of the time that their keys would take.
# Of what one product in four has, best sellers come first; so many are gone through as should have
# enough of it. How many have it, an even part of the listing says: a plan that is made once for all
# words knows of none how frequent it is, and an index reads all entries of a word before the first.
_TO_BE_RANKED = """
catalog_productlisting.ctid = ANY(ARRAY(
    SELECT place FROM (
        SELECT best.ctid AS place FROM (
            SELECT ctid, * FROM catalog_productlisting WHERE {base}
            ORDER BY popularity DESC, product_id DESC LIMIT 4 * {most}
        ) best
        WHERE (
            SELECT 4 * count(*) FILTER (WHERE {others}) >= count(*)
            FROM (
                SELECT * FROM catalog_productlisting WHERE {base} AND {in_slice} LIMIT 1000
            ) part
        ) AND {others}
        UNION ALL
        SELECT ctid FROM catalog_productlisting WHERE {base} AND {others}
    ) found LIMIT {most}
))
"""


def _to_be_ranked(conditions: Mapping[str, Q]) -> RawSQL:
    """Return the condition for being one of the matches of a search that are put in order.

    Raises EmptyResultSet where there can be none.
    """
    rendered = as_sql({**conditions, "in_slice": Q(InFirstSlices(1))})
    base, in_slice = rendered.pop(""), rendered.pop("in_slice")
    others = list(rendered.values())
    sql = _TO_BE_RANKED.format(
        base=base.sql,
        in_slice=in_slice.sql,
        others=" AND ".join(condition.sql for condition in others),
        most=RANKED,
    )
    of_others = [value for condition in others for value in condition.params]
    params = [*base.params, *of_others, *base.params, *of_others, *base.params, *of_others]
    return RawSQL(sql, params, output_field=BooleanField())  # noqa: S611 — our own


def _conditions(wanted: Wanted, *, now: datetime) -> tuple[dict[str, Q], Combinable | None]:
    conditions = {"": Q(currency=wanted.currency, published_at__lte=now)}
    relevance: Combinable | None = None
    if wanted.words:
        conditions["words"], relevance = matching(wanted.words, currency=wanted.currency, now=now)
    if wanted.category is not None:
        conditions["category"] = Q(category_path__contains=[wanted.category])
    if wanted.vendors:
        conditions["vendor"] = Q(vendor__in=wanted.vendors)
    if wanted.tags:
        conditions["tag"] = Q(tags__contains=list(wanted.tags))
    if wanted.in_stock is not None:
        conditions["in_stock"] = Q(in_stock=wanted.in_stock)
    price = Q()
    if wanted.min_price_minor is not None:
        price &= Q(min_price_minor__gte=wanted.min_price_minor)
    if wanted.max_price_minor is not None:
        price &= Q(min_price_minor__lte=wanted.max_price_minor)
    if price:
        conditions["price"] = price
    for name, values in wanted.options.items():
        keys = [Lower(Value(f"{name}={value}")) for value in values]
        conditions[f"option.{name}"] = Q(option_keys__overlap=keys)
    for name, values in wanted.attributes.items():
        keys = [Lower(Value(f"{name}={value}")) for value in values]
        conditions[f"attr.{name}"] = Q(attribute_keys__overlap=keys)
    if wanted.collection is not None:
        conditions["collection"] = in_collection(wanted.collection, now=now)
    return conditions, relevance
