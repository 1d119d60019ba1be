"""Facets against a plain count of the tables that the listing copies."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.models import (
    AttributeDefinition,
    Category,
    Product,
    ProductType,
    Variant,
)
from catalog.selectors import facets
from catalog.services import (
    Availability,
    PriceDraft,
    archive_products,
    change_category,
    change_product,
    change_variant,
    move_category,
    publish_products,
    rebuild_listing,
    record_availability,
    relist_type,
    remove_product,
    remove_variant,
    set_prices,
    upsert_products,
)
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
STEPS = (0, 10, 25, 50, 100, 250, 500, 1000)
SIZES, COLOURS, FITS = ("S", "M", "L"), ("Red", "Blue"), ("slim", "wide")
VENDORS, TAGS = ("Weaver", "Shepherd", "Maker"), ("linen", "summer")

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Shown:
    """One product as its tables tell of it."""

    vendor: str
    path: tuple[str, ...]
    pence: int
    is_in_stock: bool
    tags: frozenset[str]
    options: frozenset[str]
    attributes: frozenset[str]

    def values(self, kind: str) -> Collection[str]:
        if kind == "vendor":
            return [self.vendor] if self.vendor else []
        if kind == "category":
            return self.path
        if kind == "price":
            step = max(step for step in STEPS if step * 100 <= self.pence)
            above = [other for other in STEPS if other > step]
            return [f"{step}-{above[0] if above else ''}"]
        source = self.options if kind.startswith("option.") else self.attributes
        name = kind.partition(".")[2]
        return [fact.split("=")[1] for fact in source if fact.split("=")[0] == name]

    def fits(self, name: str, wanted: Sequence[str]) -> bool:
        match name:
            case "min_price":
                return self.pence >= int(wanted[0]) * 100
            case "max_price":
                return self.pence <= int(wanted[0]) * 100
            case "in_stock":
                return self.is_in_stock == (wanted[0] == "true")
            case "tag":
                return self.tags.issuperset(wanted)
            case _:
                return not set(wanted).isdisjoint(self.values(name))


def all_shown() -> Iterator[Shown]:
    products = Product.objects.filter(status="ACTIVE", published_at__lte=NOW)
    for product in products.prefetch_related("variants__prices", "options"):
        live = [variant for variant in product.variants.all() if variant.is_active]
        prices = [price.amount_minor for variant in live for price in variant.prices.all()]
        if not prices:
            continue
        names = [option.name for option in sorted(product.options.all(), key=lambda o: o.position)]
        path: list[str] = []
        shelf = product.category
        while shelf is not None:
            path.insert(0, shelf.slug)
            shelf = shelf.parent
        filterable = AttributeDefinition.objects.filter(
            product_type__name=product.product_type, is_filterable=True
        ).values_list("name", flat=True)
        yield Shown(
            vendor=product.vendor,
            path=tuple(path),
            pence=min(prices),
            is_in_stock=any(v.availability_state in ("in_stock", "low_stock") for v in live),
            tags=frozenset(product.tags),
            options=frozenset(
                f"{name}={value}"
                for variant in live
                for name, value in zip(names, variant.option_values, strict=False)
            ),
            attributes=frozenset(
                f"{name}={product.attributes[name]}"
                for name in filterable
                if name in product.attributes
            ),
        )


def counted(products: Collection[Shown], query: Mapping[str, Sequence[str]]) -> Counts:
    """Count what each further choice would leave."""
    kinds = ["vendor", "category", "price"]
    kinds += ["option.Size", "option.Colour", "attr.fit"]
    found = {}
    for kind in kinds:
        own = {"price": ("min_price", "max_price")}.get(kind, (kind,))
        others = {name: wanted for name, wanted in query.items() if name not in own}
        left = [p for p in products if all(p.fits(*one) for one in others.items())]
        found[kind] = Counter(value for product in left for value in product.values(kind))
    return {kind: counts for kind, counts in found.items() if counts}


def told(api: APIClient, query: Mapping[str, Sequence[str]]) -> Counts:
    response = api.get(f"/api/v1/products?{urlencode({**query, 'facets': 'true'}, doseq=True)}")
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["facets_are_estimates"] is False
    return {
        kind: {entry["value"]: entry["count"] for entry in entries}
        for kind, entries in answer["facets"].items()
        if entries
    }


def catalogue(chance: random.Random, size: int = 90) -> None:
    """Make a catalogue in which everything meets everything else."""
    shelves = [
        make.category(*path).slug
        for path in (("Clothes", "Shirts"), ("Clothes", "Hats"), ("Home",), ("Clothes",))
    ]
    shirts = ProductType.objects.create(name="Shirt")
    AttributeDefinition.objects.create(product_type=shirts, name="fit", is_filterable=True)
    drafts = []
    for _ in range(size):
        options = chance.choice([[], ["Size"], ["Size", "Colour"]])
        answers: list[tuple[str, ...]] = [()]
        if options:
            answers = [(size,) for size in chance.sample(SIZES, chance.randint(1, 3))]
        if len(options) > 1:
            answers = [(*answer, chance.choice(COLOURS)) for answer in answers]
        drafts.append(
            make.product_draft(
                vendor=chance.choice(["", *VENDORS]),
                category_slug=chance.choice([None, *shelves]),
                tags=chance.sample(TAGS, chance.randint(0, 2)),
                product_type=chance.choice(["", "Shirt"]),
                attributes=chance.choice([{}, {"fit": chance.choice(FITS)}]),
                options=options,
                variants=[
                    make.variant_draft(*answer, price=chance.randint(100, 120_000))
                    for answer in answers
                ],
                status=chance.choice(["ACTIVE", "ACTIVE", "ACTIVE", "DRAFT"]),
            )
        )
    upsert_products(drafts=drafts, now=NOW)
    states = ("in_stock", "low_stock", "backorder", "out_of_stock")
    record_availability(
        levels={
            pk: Availability(chance.choice(states), 3)
            for pk in Variant.objects.order_by("pk").values_list("pk", flat=True)
        },
        now=NOW,
    )


def some_query(chance: random.Random) -> dict[str, list[str]]:
    choices: dict[str, Callable[[], list[str]]] = {
        "vendor": lambda: chance.sample(VENDORS, chance.randint(1, 2)),
        "category": lambda: [chance.choice(["clothes", "shirts", "hats", "home"])],
        "min_price": lambda: [str(chance.randint(1, 300))],
        "max_price": lambda: [str(chance.randint(300, 1100))],
        "in_stock": lambda: [chance.choice(["true", "false"])],
        "tag": lambda: [chance.choice(TAGS)],
        "option.Size": lambda: chance.sample(SIZES, chance.randint(1, 2)),
        "option.Colour": lambda: [chance.choice(COLOURS)],
        "attr.fit": lambda: [chance.choice(FITS)],
    }
    names = chance.sample(sorted(choices), chance.randint(0, 5))
    return {name: choices[name]() for name in names}


@pytest.mark.parametrize("way", ["as planned", "together", "each by itself"])
def test_they_are_what_a_plain_count_finds(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    chance = random.Random(47)
    catalogue(chance)
    products = list(all_shown())
    if way != "as planned":
        dear = 0.0 if way == "together" else 1e9

        def expected(looks: Any, conditions: Any) -> list[Any]:
            return [facets._Expected(1, dear if look.flags else 1.0) for look in looks]

        monkeypatch.setattr(facets, "_expected", expected)

    for _ in range(40):
        query = some_query(chance)
        assert told(api, query) == counted(products, query), query


def test_they_follow_whatever_changes_what_they_count(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    chance = random.Random(48)
    catalogue(chance, size=25)
    product, other, third = Product.objects.filter(status="ACTIVE").order_by("pk")[:3]
    sized = Variant.objects.filter(option_values__len__gt=0, product__status="ACTIVE").first()
    assert sized is not None
    variant = product.variants.first()
    assert variant is not None
    record_availability(levels={variant.pk: Availability("in_stock", 3)}, now=NOW)
    draft = Product.objects.filter(status="DRAFT").first()
    assert draft is not None
    hats, home = Category.objects.get(slug="hats"), Category.objects.get(slug="home")

    def filter_by_fit_no_more() -> None:
        AttributeDefinition.objects.update(is_filterable=False)
        relist_type(name="Shirt", now=NOW)

    changes: Mapping[str, Callable[[], object]] = {
        "vendor": lambda: change_product(
            product_id=product.pk, changes={"vendor": "Newcomer"}, now=NOW
        ),
        "shelf": lambda: change_product(
            product_id=other.pk, changes={"category_slug": "home"}, now=NOW
        ),
        "price": lambda: set_prices(drafts=[PriceDraft(variant.pk, "GBP", 99)], now=NOW),
        "stock": lambda: record_availability(
            levels={
                pk: Availability("out_of_stock", 0)
                for pk in product.variants.values_list("pk", flat=True)
            },
            now=NOW,
        ),
        "options": lambda: change_variant(
            variant_id=sized.pk,
            changes={"option_values": ("XXL", *sized.option_values[1:])},
            now=NOW,
        ),
        "another variant": lambda: remove_variant(variant_id=sized.pk, now=NOW),
        "publication": lambda: publish_products(product_ids=[draft.pk], now=NOW),
        "archive": lambda: archive_products(product_ids=[third.pk], now=NOW),
        "removal": lambda: remove_product(product_id=other.pk, now=NOW),
        "tree": lambda: move_category(category=hats, parent=home, now=NOW),
        "slug": lambda: change_category(category_id=home.pk, changes={"slug": "house"}, now=NOW),
        "type": filter_by_fit_no_more,
        "rebuild": lambda: rebuild_listing(now=NOW),
    }
    queries: list[dict[str, list[str]]] = [
        {},
        {"in_stock": ["true"]},
        {"category": ["clothes"], "option.Size": ["M"]},
    ]
    before: object = None
    for name, change in changes.items():
        with django_capture_on_commit_callbacks(execute=True):
            change()
        products = list(all_shown())
        seen = [told(api, query) for query in queries]
        assert seen == [counted(products, query) for query in queries], name
        # Each of them changes a count, or it would show nothing here.
        assert (seen == before) == (name == "rebuild"), name
        before = seen


@pytest.mark.parametrize("size", [10, 80])
def test_several_filters_take_the_same_queries_at_any_size(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    catalogue(random.Random(size), size=size)
    query = {
        "vendor": "Weaver",
        "category": "clothes",
        "min_price": "1",
        "in_stock": "true",
        "option.Size": "M",
        "attr.fit": "slim",
        "facets": "true",
    }

    # Expect 3: the page, how much is to be expected, and the facets.
    with django_assert_num_queries(3):
        api.get(f"/api/v1/products?{urlencode(query)}")


def test_what_obeys_a_narrow_filter_is_read_once(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(random.Random(1), size=20)
    monkeypatch.setattr(
        facets,
        "_expected",
        lambda looks, _: [facets._Expected(9, 1.0 if look.flags else 9.0) for look in looks],
    )

    with CaptureQueriesContext(connection) as asked:
        told(api, {"vendor": ["Weaver"], "category": ["clothes"], "option.Size": ["M"]})

    # All that are of the vendor, and all that are not but fit the others.
    assert asked.captured_queries[-1]["sql"].count("AS MATERIALIZED") == 2


def test_few_that_are_dear_to_find_are_estimated(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(random.Random(3), size=10)
    most = facets.EXACT_COST
    costs = {"cheap": most, "dear": most + 1}
    told = {}
    for name, cost in costs.items():
        monkeypatch.setattr(
            facets, "_expected", lambda looks, _, c=cost: [facets._Expected(9, c) for _ in looks]
        )
        answer = api.get("/api/v1/products?facets=true&in_stock=false").json()
        told[name] = answer["facets_are_estimates"]

    assert told == {"cheap": False, "dear": True}


@pytest.mark.parametrize(
    ("sampled", "filters", "is_of_slices"),
    [(10**6, "tag=linen", False), (10**6, "vendor=Maker", True), (10, "tag=linen", True)],
)
def test_a_part_of_a_large_set_is_found_by_indexes_of_that_part(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, sampled: int, filters: str, is_of_slices: bool
) -> None:
    catalogue(random.Random(2), size=20)
    monkeypatch.setattr(facets, "EXACT", 0)
    monkeypatch.setattr(facets, "SAMPLED", sampled)
    monkeypatch.setattr(
        facets, "_expected", lambda looks, _: [facets._Expected(1000, 1.0) for _ in looks]
    )

    with CaptureQueriesContext(connection) as asked:
        answer = api.get(f"/api/v1/products?facets=true&{filters}").json()

    assert answer["facets_are_estimates"] is True
    sql = asked.captured_queries[-1]["sql"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'listing_counted'")
        (index,) = cursor.fetchone()
    # The condition of the index as it stands there, or one that it follows from.
    condition = index.partition(" WHERE ")[2]
    assert condition == "((hashint8(product_id) & 1023) < 128)"
    assert (condition in sql.replace('"', "")) == (sampled > 10)
    # And where the index of slices is of use, nothing that keeps the planner from it.
    assert ("IS TRUE" not in sql) == is_of_slices
