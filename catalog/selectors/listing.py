"""Lists, search and facets: everything that reads `ProductListing`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Lower

from catalog.models import BoughtTogether, ProductListing, RelatedProduct, image_address
from catalog.selectors.collections import in_collection
from catalog.selectors.search import matching
from shop.money import Money, digits

FACET_VALUES = 50  # of each kind, the most frequent first
OPTION_ROWS = 400  # over all options
RANKED = 5000  # matches of a search that are put in order
RELATED = 12
IN_CATEGORY = 2  # the place of that walk among those for related products
# What buckets of the price facet begin at, in whole units of the currency.
PRICE_STEPS = (0, 10, 25, 50, 100, 250, 500, 1000)

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
    """Rows to be paged, the order to page them in, and what the facets are counted over."""

    rows: QuerySet[ProductListing, ListingRow]
    order: tuple[str, ...]
    conditions: dict[str, Q]


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

    Without `sort`: by relevance where there are words, else by sales. Only the first `RANKED`
    matches that an index gives are ranked, so that a word that everything has takes no longer than
    others; in every other order all matches are there. `matching` says what fits words.
    Prices are compared with the lowest of the product, which is also what `price` sorts by.
    """
    conditions, relevance = _conditions(wanted, now=now)
    if sort is None or (sort == "relevance" and relevance is None):
        sort = "best_selling" if relevance is None else "relevance"
    order = _ORDERS[sort]
    found = ProductListing.objects.filter(*conditions.values())
    columns = [*ROW_FIELDS, *(name.lstrip("-") for name in order)]
    if sort == "relevance":
        ranked = found.values("pk")[:RANKED]
        found = ProductListing.objects.filter(pk__in=ranked).annotate(relevance=relevance)
    return Listed(rows=found.values(*dict.fromkeys(columns)), order=order, conditions=conditions)


def facet_counts(*, listed: Listed, wanted: Wanted) -> dict[str, list[dict[str, Any]]]:
    """Return how many products each further choice would leave, in one query.

    Each kind obeys the filters of all other kinds, but not its own, so that a second value can
    be chosen beside the first.
    """
    parts = [
        _counted(listed, "vendor", F("vendor"), limit=FACET_VALUES + 1),
        _counted(listed, "category", _each("category_path"), limit=FACET_VALUES),
        _counted(listed, "price", _bucket(wanted.currency), limit=len(PRICE_STEPS)),
        _counted(listed, "option", _each("options"), limit=OPTION_ROWS),
        _counted(listed, "attr", _each("attributes"), limit=OPTION_ROWS),
    ]
    # What is filtered by is counted as if it were not.
    chosen = {"option": wanted.options, "attr": wanted.attributes}
    columns = {"option": "options", "attr": "attributes"}
    parts += [
        _counted(listed, f"{kind}.{name}", _each(columns[kind]), limit=OPTION_ROWS)
        for kind, names in chosen.items()
        for name in sorted(names)
    ]
    facets: dict[str, list[dict[str, Any]]] = {"vendor": [], "category": [], "price": []}
    for kind, value, count in parts[0].union(*parts[1:], all=True):
        if kind == "price":
            facets[kind].append({**_bucket_shown(int(value), wanted.currency), "count": count})
        elif (sort := kind.partition(".")[0]) in chosen:
            name, _, choice = value.partition("=")
            is_own = kind == f"{sort}.{name.lower()}"
            if is_own or (kind == sort and name.lower() not in chosen[sort]):
                facets.setdefault(f"{sort}.{name}", []).append({"value": choice, "count": count})
        elif value:
            facets[kind].append({"value": value, "count": count})
    for kind, entries in facets.items():
        if kind == "price":
            entries.sort(key=lambda entry: int(entry["value"].split("-")[0]))
        else:
            entries.sort(key=lambda entry: (-entry["count"], entry["value"]))
        del entries[FACET_VALUES:]
    return facets


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


def _counted(
    listed: Listed, kind: str, value: Combinable, *, limit: int
) -> QuerySet[ProductListing, tuple[str, str, int]]:
    others = [condition for name, condition in listed.conditions.items() if name != kind]
    return (
        ProductListing.objects.filter(*others)
        .annotate(kind=Value(kind, output_field=CharField()), value=Cast(value, TextField()))
        .values("kind", "value")
        .annotate(count=Count("id"))
        .order_by("-count", "value")
        .values_list("kind", "value", "count")[:limit]
    )


def _each(column: str) -> Func:
    return Func(column, function="unnest", output_field=CharField(), set_returning=True)


def _steps(currency: str) -> list[int]:
    return [step * 10 ** digits(currency) for step in PRICE_STEPS]


def _bucket(currency: str) -> Func:
    steps = Value(_steps(currency), output_field=ArrayField(BigIntegerField()))
    return Func("min_price_minor", steps, function="width_bucket", output_field=IntegerField())


def _bucket_shown(bucket: int, currency: str) -> dict[str, Any]:
    # `value` names the bucket in whole units; the last one is open above.
    steps = _steps(currency)
    is_last = bucket >= len(steps)
    top = "" if is_last else str(PRICE_STEPS[bucket])
    shown: dict[str, Any] = {
        "value": f"{PRICE_STEPS[bucket - 1]}-{top}",
        "min": Money(steps[bucket - 1], currency).as_json(),
    }
    if not is_last:
        # The last amount in it: what `max_price` has to be to get just these.
        shown["max"] = Money(steps[bucket] - 1, currency).as_json()
    return shown
