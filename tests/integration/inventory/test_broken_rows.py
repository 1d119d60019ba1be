"""A file with fifty kinds of broken rows: each named by line and reason, the good ones in."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from catalog.models import Product, Variant
from inventory.models import Stock
from inventory.services.imports.native import columns
from shop.jobs.models import Job
from tests.make import catalog
from tests.make import jobs as make
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

Row = Mapping[str, str]
Broken = tuple[Row, str, str]  # cells, and the column and code of the complaint

SHOPIFY = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published",
    "Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value", "Option3 Name",
    "Option3 Value", "Variant SKU", "Variant Grams", "Variant Inventory Qty",
    "Variant Inventory Policy", "Variant Price", "Variant Compare At Price",
    "Variant Requires Shipping", "Variant Taxable", "Variant Barcode", "Image Src",
    "Image Position", "Image Alt Text", "Gift Card", "SEO Title", "SEO Description",
    "Variant Image", "Variant Weight Unit", "Status",
)  # fmt: skip

SHOPIFY_BROKEN: list[Broken] = [
    *(({"Variant Price": cell}, "Variant Price", code) for cell, code in [
        ("", "required"), ("free", "invalid_price"), ("-1.00", "negative_price"),
        ("1,50", "invalid_price"), ("1.234", "invalid_price"), ("£12", "invalid_price"),
        ("12345678901234567", "invalid_price"), ("1e3", "invalid_price"), ("NaN", "invalid_price"),
    ]),
    *(({"Variant Compare At Price": cell}, "Variant Compare At Price", code) for cell, code in [
        ("dear", "invalid_price"), ("-5", "negative_price"), ("1,99", "invalid_price"),
    ]),
    *(({"Variant Inventory Qty": cell}, "Variant Inventory Qty", "invalid_quantity")
      for cell in ("some", "1.5", "99999999999", "٣")),
    *(({"Variant Grams": cell}, "Variant Grams", "invalid_weight")
      for cell in ("heavy", "-3", "9999999999")),
    ({"Variant Inventory Policy": "maybe"}, "Variant Inventory Policy", "invalid_choice"),
    ({"Variant Requires Shipping": "sometimes"}, "Variant Requires Shipping", "invalid_choice"),
    ({"Variant Taxable": "2"}, "Variant Taxable", "invalid_choice"),
    ({"Variant Weight Unit": "stone"}, "Variant Weight Unit", "invalid_choice"),
    ({"Variant SKU": "S" * 256}, "Variant SKU", "too_long"),
    ({"Variant Barcode": "1" * 256}, "Variant Barcode", "too_long"),
    ({"Variant SKU": "GOOD-1"}, "Variant SKU", "duplicate_sku"),
    ({"Variant SKU": "TAKEN"}, "Variant SKU", "sku_taken"),
    ({"Variant SKU": "a\0b"}, "Variant SKU", "nul_character"),
    ({"Variant Image": "ftp://example.com/a"}, "Variant Image", "invalid_url"),
    ({"Image Src": "picture.jpg"}, "Image Src", "invalid_url"),
    ({"Image Src": "javascript:alert(1)"}, "Image Src", "invalid_url"),
    ({"Image Src": "https://x.example/" + "a" * 2000}, "Image Src", "too_long"),
    ({"Image Src": "https://x.example/a", "Image Position": "first"}, "Image Position",
     "invalid_position"),
    ({"Image Src": "https://x.example/a", "Image Alt Text": "a" * 513}, "Image Alt Text",
     "too_long"),
    ({"Title": "T" * 256}, "Title", "too_long"),
    ({"Title": ""}, "Title", "required"),
    ({"Title": "a\0b"}, "Title", "nul_character"),
    ({"Vendor": "V" * 256}, "Vendor", "too_long"),
    ({"Type": "T" * 256}, "Type", "too_long"),
    ({"Tags": "t" * 256}, "Tags", "too_long"),
    ({"Tags": ",".join(str(number) for number in range(251))}, "Tags", "too_many"),
    ({"Published": "perhaps"}, "Published", "invalid_choice"),
    ({"Status": "hidden"}, "Status", "invalid_choice"),
    ({"Gift Card": "a lot"}, "Gift Card", "invalid_choice"),
    ({"SEO Title": "s" * 256}, "SEO Title", "too_long"),
    ({"SEO Description": "s" * 5001}, "SEO Description", "too_long"),
    ({"Product Category": "C" * 121}, "Product Category", "too_long"),
    ({"Option1 Name": "N" * 256, "Option1 Value": "S"}, "Option1 Name", "too_long"),
    ({"Option1 Name": "a=b", "Option1 Value": "S"}, "Option1 Name", "invalid_option"),
    ({"Option1 Value": "S"}, "Option1 Name", "required"),
    ({"Option1 Name": "Size", "Option1 Value": "S", "Option2 Name": "size", "Option2 Value": "M"},
     "Option2 Name", "duplicate_option"),
    ({"Option1 Name": "Size", "Option1 Value": "v" * 256}, "Option1 Value", "too_long"),
    ({"Handle": ""}, "Handle", "required"),
    ({"Handle": "h" * 256}, "Handle", "too_long"),
]  # fmt: skip

NATIVE_BROKEN: list[Broken] = [
    *(({"price_GBP": cell}, "price_GBP", code) for cell, code in [
        ("free", "invalid_price"), ("-1.00", "negative_price"), ("1,50", "invalid_price"),
        ("1.234", "invalid_price"), ("£12", "invalid_price"), ("1e3", "invalid_price"),
        ("12345678901234567", "invalid_price"),
    ]),
    *(({"compare_at_GBP": cell}, "compare_at_GBP", code) for cell, code in [
        ("dear", "invalid_price"), ("-5", "negative_price"), ("1.00", "invalid_price"),
    ]),
    ({"price_GBP": "", "compare_at_GBP": "5.00"}, "price_GBP", "required"),
    ({"price_EUR": "1,00"}, "price_EUR", "invalid_price"),
    ({"compare_at_EUR": "1.00"}, "price_EUR", "required"),
    *(({"stock": cell}, "stock", "invalid_quantity") for cell in ("some", "1.5", "99999999999")),
    *(({"backorder_limit": cell}, "backorder_limit", "invalid_quantity") for cell in ("x", "1.5")),
    *(({"weight_grams": cell}, "weight_grams", "invalid_weight")
      for cell in ("heavy", "-3", "9999999999")),
    ({"is_active": "maybe"}, "is_active", "invalid_choice"),
    ({"requires_shipping": "sometimes"}, "requires_shipping", "invalid_choice"),
    ({"tax_class": "luxury"}, "tax_class", "invalid_choice"),
    ({"sku": ""}, "sku", "required"),
    ({"sku": "S" * 256}, "sku", "too_long"),
    ({"sku": "GOOD-1"}, "sku", "duplicate_sku"),
    ({"sku": "TAKEN"}, "sku", "sku_taken"),
    ({"sku": "a\0b"}, "sku", "nul_character"),
    ({"barcode": "1" * 256}, "barcode", "too_long"),
    ({"image": "picture.jpg"}, "image", "invalid_url"),
    ({"options": "Size"}, "options", "invalid_option"),
    ({"options": "Size="}, "options", "invalid_option"),
    ({"options": f"Size={'v' * 256}"}, "options", "too_long"),
    ({"options": "Size=S,size=M"}, "options", "duplicate_option"),
    ({"options": '"Size=S'}, "options", "malformed_list"),
    ({"title": "T" * 256}, "title", "too_long"),
    ({"title": ""}, "title", "required"),
    ({"slug": ""}, "slug", "required"),
    ({"slug": "two words"}, "slug", "invalid_slug"),
    ({"slug": "h" * 256}, "slug", "too_long"),
    ({"vendor": "V" * 256}, "vendor", "too_long"),
    ({"product_type": "T" * 256}, "product_type", "too_long"),
    ({"category": "nowhere"}, "slug", "invalid_product"),
    ({"category_path": "A >  > B"}, "category_path", "too_long"),
    ({"category_path": "C" * 121}, "category_path", "too_long"),
    ({"tags": '"open'}, "tags", "malformed_list"),
    ({"tags": "t" * 256}, "tags", "too_long"),
    ({"status": "hidden"}, "status", "invalid_choice"),
    ({"published_at": "tomorrow"}, "published_at", "invalid_time"),
    ({"published_at": "2026-01-31T09:00:00"}, "published_at", "invalid_time"),
    ({"seo_title": "s" * 256}, "seo_title", "too_long"),
    ({"attributes": "{"}, "attributes", "malformed_json"),
    ({"attributes": "[1]"}, "attributes", "malformed_json"),
    ({"images": '{"url": "https://x.example"}'}, "images", "malformed_json"),
    ({"images": '[{"url": "https://x.example", "file": "a.png"}]'}, "images", "invalid_image"),
    ({"images": '[{"url": "ftp://x.example"}]'}, "slug", "invalid_product"),
    ({"images": '[{"file": "not-ours.png"}]'}, "slug", "invalid_product"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _shop() -> None:
    make_warehouse()
    catalog.product(slug="somebody-elses", variants=[catalog.variant_draft(sku="TAKEN")])


def among_good_ones(heading: Sequence[str], good: Row, broken: list[Broken], names: Row) -> bytes:
    """Return a file in which a good row stands before, between and behind the broken ones."""

    def named(number: int, kind: str) -> Row:
        return {
            **good,
            names["handle"]: f"{kind}-{number}",
            names["sku"]: f"{kind.upper()}-{number}",
        }

    rows: list[Row] = [named(0, "good")]
    for number, (cells, _, _) in enumerate(broken, start=1):
        rows += [{**named(number, "bad"), **cells}, named(number, "good")]
    return make.table(heading, rows)


def require_named_by_line(job: Job, broken: list[Broken]) -> None:
    expected = [
        (2 * number + 1, column, code) for number, (_, column, code) in enumerate(broken, start=1)
    ]
    assert make.errors_of(job) == expected
    assert all(job.errors.values_list("detail", flat=True))
    good = {f"GOOD-{number}" for number in range(len(broken) + 1)}
    assert set(Variant.objects.exclude(sku="TAKEN").values_list("sku", flat=True)) == good
    assert Product.objects.count() == len(good) + 1
    assert set(Stock.objects.values_list("on_hand", flat=True)) == {4}
    assert Stock.objects.count() == len(good)
    assert Counter(job.result) == Counter(
        {"v": 1, "created": len(good), "updated": 0, "skipped": 0, "failed": len(broken)}
    )


def test_fifty_kinds_of_broken_rows_in_shopifys_format() -> None:
    good = {"Title": "Good", "Variant Price": "5.00", "Variant Inventory Qty": "4"}
    names = {"handle": "Handle", "sku": "Variant SKU"}
    content = among_good_ones(SHOPIFY, good, SHOPIFY_BROKEN, names)

    job = make.carried_through(make.import_job(content))

    assert len(SHOPIFY_BROKEN) >= 50
    require_named_by_line(job, SHOPIFY_BROKEN)


def test_fifty_kinds_of_broken_rows_in_the_shops_own_format() -> None:
    good = {"title": "Good", "price_GBP": "5.00", "stock": "4"}
    names = {"handle": "slug", "sku": "sku"}
    content = among_good_ones(columns(), good, NATIVE_BROKEN, names)

    job = make.carried_through(make.import_job(content, format_name="native_csv"))

    assert len(NATIVE_BROKEN) >= 50
    require_named_by_line(job, NATIVE_BROKEN)


@pytest.mark.parametrize(
    ("format_name", "tail", "code"),
    [
        ("shopify_csv", b'bad,"an open quote\n', "malformed_csv"),
        ("shopify_csv", b"bad,\xff\xfe,5.00\n", "not_utf8"),
    ],
)
def test_what_is_no_csv_refuses_its_own_row(format_name: str, tail: bytes, code: str) -> None:
    content = b"Handle,Title,Variant Price\ngood,Good,5.00\n" + tail

    job = make.carried_through(make.import_job(content, format_name=format_name))

    assert [(line, found) for line, _, found in make.errors_of(job)] == [(3, code)]
    assert Product.objects.filter(slug="good").exists()
    assert Product.objects.count() == 2


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        ("slug,title", 'line 1, column "description_html": the column is missing'),
        (",".join([*columns(), "price_USD"]), "the shop has no such currency"),
        (",".join([*columns(), "colour"]), "there is no such column"),
        (",".join([*columns(), "slug"]), "the column is there twice"),
        (";".join(columns()), "the cells must be separated by commas"),
    ],
)
def test_a_heading_that_is_not_ours_fails_the_whole_file(heading: str, reason: str) -> None:
    job = make.carried_through(
        make.import_job(f"{heading}\nmug,Mug\n".encode(), format_name="native_csv")
    )

    assert job.state == Job.State.FAILED
    assert reason in job.reason
    assert Product.objects.count() == 1
