"""The shop's own CSV: what goes out comes in again and changes nothing."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import (
    Category,
    Price,
    PriceHistory,
    Product,
    ProductImage,
    ProductListing,
    ProductOption,
    Variant,
)
from catalog.services import ImageDraft, VariantDraft
from inventory.models import Stock, StockMovement
from inventory.services import StockTerms, receive_skus, set_stock_terms
from inventory.services.demo.load import load_demo
from inventory.services.exports.native import Filters, exported_products, written_products
from inventory.services.imports.native import columns
from inventory.services.receipts import SkuLine
from shop.csv_cells import guarded, harmless, unguarded
from shop.jobs.files import read_parts
from shop.jobs.models import Job
from tests.make import catalog
from tests.make import jobs as make
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "shopify"
REAL_FILES = sorted(SHARED.glob("*.csv"))
TABLES = (
    Category, Price, PriceHistory, Product, ProductImage, ProductListing, ProductOption, Stock,
    StockMovement, Variant,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _warehouse() -> None:
    make_warehouse()


def everything() -> dict[str, list[Any]]:
    return {table.__name__: list(table.objects.order_by("pk").values()) for table in TABLES}


def exported(**filters: Any) -> bytes:
    job = make.carried_through(make.export_job(**filters))
    assert job.state == Job.State.SUCCEEDED
    return b"".join(read_parts(job, count=job.result["parts"]))


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def imported(content: bytes) -> Job:
    return make.carried_through(make.import_job(content, format_name="native_csv"))


def require_unchanged_by_its_own_export() -> None:
    before = everything()
    content = exported()

    job = imported(content)

    assert make.errors_of(job) == []
    assert everything() == before
    assert job.result["skipped"] == job.total == len(rows_of(content)) > 0


def test_an_awkward_product_goes_out_and_in_again() -> None:
    moment = datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)
    catalog.product(
        slug="größe-1",
        title='=SUM(A1)  "quoted", and more',
        description_html="<p>One,\r\ntwo;</p>\n'three'",
        vendor="+49",
        product_type="-",
        category_slug=catalog.category("Home, and > not", "'Deep").slug,
        tags=["a, b", '"c"', "=d", "'e"],
        published_at=moment,
        options=["Size", "+Colour"],
        variants=[
            VariantDraft(
                sku="@SKU-1", option_values=("S", "a=b, c"), barcode="'0123",
                prices={"GBP": (1999, 2999), "EUR": (2199, None)}, weight_grams=12,
                tax_class="REDUCED", requires_shipping=False, image_url="https://example.com/2",
            ),
            VariantDraft(sku="SKU  2", option_values=("M", "-"), is_active=False),
        ],
        images=[
            ImageDraft(url="https://example.com/1", alt="=1", position=4),
            ImageDraft(url="https://example.com/2"),
            ImageDraft(file=catalog.picture(), alt="ours"),
        ],
        seo_title=" spaced ",
        seo_description="@home",
        attributes={"material": "wool", "sizes": [1, 2.5, None], "is_new": True},
    )  # fmt: skip
    catalog.product(slug="draft", status="DRAFT", is_published=False, variants=[])
    receive_skus(
        lines=[SkuLine("@SKU-1", 7)],
        warehouse="main",
        reference=None,
        reason="",
        now=timezone.now(),
    )
    set_stock_terms(
        terms=[StockTerms(Variant.objects.get(sku="SKU  2").pk, backorder_limit=3)],
        warehouse="main",
        now=timezone.now(),
    )

    require_unchanged_by_its_own_export()


def test_the_demo_goes_out_and_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*, kind: str, colour: tuple[int, int, int], look: int, pattern: str) -> bytes:
        return catalog.picture(size=(4, 2 + look))

    monkeypatch.setattr("inventory.services.demo.load.draw_picture", drawn)
    load_demo(now=timezone.now())

    require_unchanged_by_its_own_export()


@pytest.mark.skipif(not REAL_FILES, reason=f"no files in {SHARED}")
def test_real_products_go_out_and_in_again() -> None:
    for path in REAL_FILES:
        make.carried_through(make.import_job(path.read_bytes()))

    require_unchanged_by_its_own_export()


def test_an_empty_shop_gets_what_another_one_had() -> None:
    catalog.product(
        slug="mug", category_slug=catalog.category("Home", "Kitchen").slug, options=["Size"],
        tags=["blue"],
        variants=[catalog.variant_draft("S", sku="S"), catalog.variant_draft("L", sku="L")],
    )  # fmt: skip
    receive_skus(
        lines=[SkuLine("S", 7)], warehouse="main", reference=None, reason="", now=timezone.now()
    )
    content = exported()
    Product.objects.all().update(slug="other", title="Other")
    Variant.objects.filter(sku="S").update(sku="S-old")
    Variant.objects.filter(sku="L").update(sku="L-old")
    Category.objects.filter(slug="kitchen").update(slug="kuche", name="Küche")

    job = imported(content)

    made = Product.objects.get(slug="mug")
    assert job.result["created"] == 2
    assert made.category is not None
    assert (made.category.name, made.category.parent.name) == ("Kitchen", "Home")
    assert made.tags == ["blue"]
    assert Stock.objects.get(variant__sku="S").on_hand == 7


@pytest.mark.parametrize(
    ("filters", "slugs"),
    [
        ({}, ["blue", "green", "gone"]),
        ({"status": "archived"}, ["gone"]),
        ({"category": "home"}, ["blue", "green"]),
        ({"category": "kitchen"}, ["green"]),
        ({"category": "nowhere"}, []),
        ({"vendor": "Potter"}, ["blue"]),
        ({"tag": "sale"}, ["green"]),
        ({"updated_after": "2026-11-02T12:00:00+00:00"}, []),
        ({"updated_after": "2026-11-02T11:59:59+00:00", "tag": "sale"}, ["green"]),
    ],
)
def test_filters_choose_what_goes_out(filters: dict[str, str], slugs: list[str]) -> None:
    home, kitchen = catalog.category("Home"), catalog.category("Home", "Kitchen")
    catalog.product(slug="blue", category_slug=home.slug, vendor="Potter")
    catalog.product(slug="green", category_slug=kitchen.slug, tags=["sale"])
    catalog.product(slug="gone", status="ARCHIVED")

    assert [row["slug"] for row in rows_of(exported(**filters))] == slugs


@pytest.mark.parametrize("size", [1, 30])
def test_takes_the_same_queries_for_any_number_of_products(size: int) -> None:
    for _ in range(size):
        catalog.product(images=[ImageDraft(url="https://example.com/1")])
    products = list(exported_products(Filters()))

    # Expect 7: variants, options, pictures, prices; the first warehouse, its stock; no category.
    with CaptureQueriesContext(connection) as seen:
        _, rows = written_products(products)

    assert rows == size
    assert len(seen) == 6


PAYLOADS = [
    "=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")', "+1", "+cmd|' /C calc'!A0", "-1",
    "-2+3+cmd|' /C calc'!A0", "@SUM(A1:A9)", "@x", "\t=1", "\r=1", "\n=1", "'", "''", "'=1", "'@",
    "=", "+", "-", "@", "\t", "=\n", "=,", '="a"', "-\u2212", "+\u00a0", "=A1&B1", "@@", "--1",
    "==1", "+-1", "-+1", "=-1", "'\t", "'\r", "'text", "''=1", "'''=1", "=IMPORTXML(1)", "+\t",
    "-\r\n", "@\r", "=DDE(1)", "+44 20 7946 0000", "-5 degrees", "@home", "=)", "'-", "'+", "'''",
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_cell_is_a_formula_and_each_comes_back(payload: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([guarded(payload)])

    (cell,) = next(csv.reader(io.StringIO(text.getvalue(), newline="")))

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(cell) == payload
    assert not harmless(payload).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_plain_cells_stay_as_they_are() -> None:
    assert len(PAYLOADS) == 50
    assert [guarded(cell) for cell in ("", "a=b", "1", " =1", "é")] == ["", "a=b", "1", " =1", "é"]


def test_the_documentation_names_every_column() -> None:
    page = Path("docs/operations/imports.md").read_text(encoding="utf-8")

    prices = {
        f"{name}_{code}" for name in ("price", "compare_at") for code in settings.SHOP_CURRENCIES
    }
    named = [name for name in columns() if name not in prices]
    assert [name for name in named if f"| `{name}` |" not in page] == []
    assert "| `price_GBP` |" in page
    assert "| `compare_at_GBP` |" in page
