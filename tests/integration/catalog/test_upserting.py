from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from catalog.errors import InvalidProduct, NotAnImage, SkuTaken
from catalog.models import PriceHistory, Product, ProductImage, ProductListing, Variant
from catalog.services import ImageDraft, ProductDraft, upsert_product, upsert_products
from tests.concurrency import in_background
from tests.make import catalog as make

pytestmark = pytest.mark.django_db

NOW = make.NOW
LATER = NOW + timedelta(days=1)


def shirt(**changes: object) -> ProductDraft:
    return replace(
        make.product_draft(
            slug="shirt",
            title="Linen Shirt",
            description_html="<p>Cool.</p>",
            vendor="Weaver",
            tags=["summer", "linen"],
            options=["Size"],
            variants=[
                make.variant_draft("S", sku="SHIRT-S", price=3000, compare_at=4000),
                make.variant_draft("M", sku="SHIRT-M", price=3200),
            ],
            images=[ImageDraft(url="https://pictures.example/shirt.jpg", alt="A shirt")],
        ),
        **changes,  # type: ignore[arg-type]
    )


def test_a_new_slug_makes_a_product_with_all_that_belongs_to_it() -> None:
    make.category("Clothes", "Shirts")

    result = upsert_product(draft=shirt(category_slug="shirts"), now=NOW)

    assert result.outcome == "created"
    assert set(result.variant_ids) == set(result.created_skus) == {"SHIRT-S", "SHIRT-M"}
    product = Product.objects.get()
    assert product.category is not None
    assert product.category.slug == "shirts"
    assert [option.values for option in product.options.all()] == [["S", "M"]]
    assert [variant.title for variant in product.variants.all()] == ["S", "M"]
    assert [image.url for image in product.images.all()] == ["https://pictures.example/shirt.jpg"]
    history = PriceHistory.objects.order_by("amount_minor")
    assert list(history.values_list("amount_minor", flat=True)) == [3000, 3200]
    row = ProductListing.objects.get()
    assert (row.min_price_minor, row.max_price_minor, row.compare_at_minor) == (3000, 3200, 4000)
    assert row.category_path == ["clothes", "shirts"]
    assert row.options == ["Size=S", "Size=M"]


def test_the_same_draft_again_writes_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    draft = shirt(
        images=[
            ImageDraft(url="https://pictures.example/shirt.jpg"),
            ImageDraft(file=make.picture(), alt="Drawn"),
        ]
    )
    upsert_product(draft=draft, now=NOW)
    before = list(Product.objects.values())
    history = PriceHistory.objects.count()

    # 5 looks: the product (locked), variants, options, images, prices; and nothing is written.
    # The other 4 open and close the savepoints of the service and of its batch.
    with django_assert_num_queries(9):
        result = upsert_product(draft=draft, now=LATER)

    assert result.outcome == "unchanged"
    assert list(Product.objects.values()) == before
    assert PriceHistory.objects.count() == history


def test_a_change_counts_one_version_and_one_step_of_the_price() -> None:
    upsert_product(draft=shirt(), now=NOW)
    variants = [
        make.variant_draft("S", sku="SHIRT-S", price=2500),
        make.variant_draft("M", sku="SHIRT-M", price=3200),
    ]

    result = upsert_product(draft=shirt(variants=variants, title="Shirt"), now=LATER)

    assert result.outcome == "updated"
    assert result.created_skus == frozenset()
    product = Product.objects.get()
    assert (product.title, product.version, product.updated_at) == ("Shirt", 2, LATER)
    steps = PriceHistory.objects.filter(variant__sku="SHIRT-S").order_by("effective_at")
    assert list(steps.values_list("amount_minor", "effective_at")) == [(3000, NOW), (2500, LATER)]
    row = ProductListing.objects.get()
    assert (row.title, row.min_price_minor, row.compare_at_minor) == ("Shirt", 2500, None)


def test_a_variant_that_is_not_named_stays_with_its_price() -> None:
    upsert_product(draft=shirt(), now=NOW)

    upsert_product(
        draft=shirt(variants=[make.variant_draft("L", sku="SHIRT-L", price=3300)]), now=LATER
    )

    active = Variant.objects.filter(is_active=True).order_by("sku")
    assert [variant.sku for variant in active] == ["SHIRT-L", "SHIRT-M", "SHIRT-S"]
    assert Product.objects.get().options.get().values == ["L", "S", "M"]


def test_another_sku_with_the_same_answers_takes_the_place_of_the_old_one() -> None:
    upsert_product(draft=shirt(), now=NOW)

    upsert_product(draft=shirt(variants=[make.variant_draft("S", sku="NEW-S")]), now=LATER)

    assert not Variant.objects.get(sku="SHIRT-S").is_active
    assert Variant.objects.get(sku="SHIRT-M").is_active


def test_other_options_switch_off_variants_that_do_not_answer_them() -> None:
    upsert_product(draft=shirt(), now=NOW)

    upsert_product(
        draft=shirt(
            options=["Colour", "Size"], variants=[make.variant_draft("Red", "S", sku="SHIRT-S")]
        ),
        now=LATER,
    )

    assert not Variant.objects.get(sku="SHIRT-M").is_active
    options = Product.objects.get().options.all()
    assert [(option.name, option.values) for option in options] == [
        ("Colour", ["Red"]),
        ("Size", ["S"]),
    ]


def test_currencies_that_are_not_named_keep_their_price() -> None:
    both = make.variant_draft(sku="MUG", prices={"GBP": (1000, None), "EUR": (1200, None)})
    upsert_product(draft=make.product_draft(slug="mug", variants=[both]), now=NOW)

    upsert_product(
        draft=make.product_draft(
            slug="mug", variants=[make.variant_draft(sku="MUG", prices={"EUR": (1300, None)})]
        ),
        now=LATER,
    )

    prices = Variant.objects.get().prices.order_by("currency")
    assert [(price.currency, price.amount_minor) for price in prices] == [
        ("EUR", 1300),
        ("GBP", 1000),
    ]
    assert ProductListing.objects.count() == 2


def test_scripts_do_not_survive_in_a_description() -> None:
    html = (
        '<p onclick="x()">Hi<script>alert(1)</script><img src=x onerror=alert(1)>'
        '<a href="javascript:alert(1)">go</a><iframe src="https://evil.example"></iframe>'
        '<a href="https://fine.example">fine</a></p>'
    )

    upsert_product(draft=shirt(description_html=html), now=NOW)

    kept = Product.objects.get().description_html
    for bad in ("script", "onclick", "onerror", "javascript:", "iframe"):
        assert bad not in kept
    assert 'href="https://fine.example"' in kept


def test_a_file_is_kept_once_under_the_name_of_its_content() -> None:
    red = make.picture(colour="red")
    drafts = [
        make.product_draft(slug=slug, images=[ImageDraft(file=red)]) for slug in ("one", "two")
    ]

    upsert_products(drafts=drafts, now=NOW)

    first, second = ProductImage.objects.order_by("id")
    assert first.file.name == second.file.name
    assert (first.width, first.height) == (8, 6)
    with default_storage.open(first.file.name) as kept:
        assert kept.read() == red


def test_pictures_that_a_draft_no_longer_names_go() -> None:
    upsert_product(draft=shirt(), now=NOW)

    upsert_product(draft=shirt(images=[ImageDraft(url="https://pictures.example/b.jpg")]), now=NOW)
    assert [image.url for image in ProductImage.objects.all()] == ["https://pictures.example/b.jpg"]

    upsert_product(draft=shirt(images=None), now=NOW)
    assert ProductImage.objects.count() == 1


def test_a_variant_may_have_a_picture_of_its_own() -> None:
    images = [
        ImageDraft(url="https://pictures.example/a.jpg"),
        ImageDraft(url="https://pictures.example/b.jpg"),
    ]
    variants = [
        make.variant_draft("S", sku="SHIRT-S", image_url="https://pictures.example/b.jpg"),
        make.variant_draft("M", sku="SHIRT-M", image_position=1),
    ]

    upsert_product(draft=shirt(images=images, variants=variants), now=NOW)

    pictures = Variant.objects.order_by("position").values_list("image__url", flat=True)
    assert list(pictures) == ["https://pictures.example/b.jpg", "https://pictures.example/a.jpg"]


@pytest.mark.parametrize(
    "changes",
    [
        {"slug": ""},
        {"slug": "with space"},
        {"slug": "a" * 256},
        {"title": "  "},
        {"title": "NUL \x00"},
        {"vendor": "v" * 256},
        {"status": "SOLD"},
        {"category_slug": "nowhere"},
        {"options": []},
        {"options": ["a=b"]},
        {"options": ["Size", "size"]},
        {"attributes": {"a": "\x00"}},
        {"images": [ImageDraft()]},
        {"images": [ImageDraft(url="javascript:alert(1)")]},
        {"images": [ImageDraft(url="file:///etc/passwd")]},
        {"images": [ImageDraft(url="//no-scheme.example/x.jpg")]},
        {"variants": [make.variant_draft("S", sku="")]},
        {"variants": [make.variant_draft("S", sku="A"), make.variant_draft("M", sku="A")]},
        {"variants": [make.variant_draft("S", sku="A"), make.variant_draft("S", sku="B")]},
        {"variants": [make.variant_draft("S", price=-1)]},
        {"variants": [make.variant_draft("S", price=10**16)]},
        {"variants": [make.variant_draft("S", price=500, compare_at=500)]},
        {"variants": [make.variant_draft("S", prices={"XXX": (1, None)})]},
        {"variants": [make.variant_draft("S", tax_class="NONE")]},
        {"variants": [make.variant_draft("S", weight_grams=-1)]},
        {"variants": [make.variant_draft("")]},
    ],
    ids=str,
)
def test_a_broken_rule_is_named_and_nothing_is_written(changes: dict[str, object]) -> None:
    good = make.product_draft(slug="good")

    with pytest.raises(InvalidProduct) as refusal:
        upsert_products(drafts=[good, shirt(**changes)], now=NOW)

    assert refusal.value.facts["problems"]
    assert Product.objects.count() == ProductListing.objects.count() == 0


def test_two_drafts_of_one_slug_or_one_sku_are_refused() -> None:
    with pytest.raises(InvalidProduct):
        upsert_products(drafts=[shirt(), shirt()], now=NOW)
    with pytest.raises(InvalidProduct):
        upsert_products(drafts=[shirt(), shirt(slug="other")], now=NOW)

    assert Product.objects.count() == 0


def test_a_sku_of_another_product_is_not_taken_away() -> None:
    upsert_product(draft=shirt(), now=NOW)

    with pytest.raises(SkuTaken) as refusal:
        upsert_product(
            draft=make.product_draft(slug="thief", variants=[make.variant_draft(sku="SHIRT-S")]),
            now=NOW,
        )

    assert refusal.value.facts["skus"] == ["SHIRT-S"]
    assert Product.objects.count() == 1


def test_skus_differ_by_case() -> None:
    for sku in ("85123A", "85123a"):
        make.product(slug=sku, variants=[make.variant_draft(sku=sku)])

    assert Variant.objects.count() == 2


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(NotAnImage):
        upsert_product(draft=shirt(images=[ImageDraft(file=b"<svg onload=alert(1)>")]), now=NOW)

    assert Product.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "is_listed"),
    [
        ({}, True),
        ({"status": "DRAFT"}, False),
        ({"status": "ARCHIVED"}, False),
        ({"is_published": False}, False),
        ({"variants": [make.variant_draft("S", price=None)]}, False),
        ({"variants": [make.variant_draft("S", is_active=False)]}, False),
        ({"variants": [], "options": []}, False),
    ],
    ids=str,
)
def test_only_what_can_be_bought_is_listed(changes: dict[str, object], is_listed: bool) -> None:
    upsert_product(draft=shirt(), now=NOW)
    Variant.objects.all().delete()

    upsert_product(draft=shirt(**changes), now=LATER)

    assert ProductListing.objects.exists() is is_listed


@pytest.mark.parametrize("size", [1, 20])
def test_takes_the_same_statements_for_any_number_of_drafts(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make.category("Clothes")
    drafts = [
        make.product_draft(
            slug=f"shirt-{number}",
            options=["Size"],
            category_slug="clothes",
            variants=[make.variant_draft(size) for size in "SML"],
            images=[ImageDraft(url=f"https://pictures.example/{n}.jpg") for n in range(3)],
        )
        for number in range(size)
    ]

    # Expect 16: look at categories, products and SKUs; 5 inserts; 3 for the price history (last
    # steps, prices, insert); 5 for the listing (lock, write, slugs and variants to forget, the
    # message). The other 6 are savepoints: of the service, of its batch and of the listing.
    with django_assert_num_queries(22):
        upsert_products(drafts=drafts, now=NOW)

    # Expect 17 when they all change: 6 looks, with options, pictures and prices; 3 updates; the
    # price history and the listing as above.
    changed = [
        replace(
            draft,
            title=f"{draft.title}!",
            variants=[
                replace(variant, prices={"GBP": (500 + len(variant.sku), None)}, barcode="1")
                for variant in draft.variants
            ],
        )
        for draft in drafts
    ]
    with django_assert_num_queries(23):
        upsert_products(drafts=changed, now=LATER)


@pytest.mark.django_db(transaction=True)
def test_two_who_make_the_same_product_at_once_make_one() -> None:
    with ExitStack() as background:
        with transaction.atomic():
            upsert_product(draft=shirt(), now=NOW)
            second = background.enter_context(
                in_background(partial(upsert_product, draft=shirt(title="Later"), now=LATER))
            )
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)  # it waits for the first to commit
        assert second.result(timeout=60).outcome == "updated"

    assert Product.objects.get().title == "Later"
    assert ProductListing.objects.get().title == "Later"


def test_a_moment_to_come_is_kept_as_it_is() -> None:
    moment = datetime(2027, 1, 1, tzinfo=UTC)

    upsert_product(draft=shirt(published_at=moment), now=NOW)

    row = ProductListing.objects.get()
    assert (row.published_at, row.refresh_at) == (moment, moment)


def test_more_than_one_statement_takes_is_written_in_rounds() -> None:
    drafts = [
        make.product_draft(
            options=["Number"],
            variants=[make.variant_draft(str(number)) for number in range(size)],
        )
        for size in (1500, 1500, 4700, 1)
    ]

    results = upsert_products(drafts=drafts, now=NOW)

    assert [len(result.variant_ids) for result in results] == [1500, 1500, 4700, 1]
    assert Variant.objects.count() == PriceHistory.objects.count() == 7701
    again = upsert_products(drafts=drafts, now=LATER)
    assert {result.outcome for result in again} == {"unchanged"}
