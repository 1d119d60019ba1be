"""Importing products by file: what becomes of each row, and what a second run does."""

import csv
import io
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Category, Price, PriceHistory, Product, ProductImage, Variant
from catalog.services import upsert_products
from inventory.errors import UnknownWarehouse, UnreadableFile
from inventory.models import Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services import (
    StockLine,
    StockTerms,
    adjust_stock,
    commit_stock,
    receive_stock,
    reserve_stock,
    set_stock_terms,
)
from inventory.services.imports.importer import OPENING_CAUSE, UNLIMITED_BACKORDERS
from inventory.services.imports.report import ImportReport, Outcome, RowResult
from inventory.services.product_import import FORMATS, import_products
from shop.errors import Refusal
from shop.models import OutboxMessage
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "shopify"
REAL_FILES = sorted(SHARED.glob("*.csv"))

COLUMNS = [
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Product Category",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Taxable",
    "Variant Barcode",
    "Image Src",
    "Image Position",
    "Image Alt Text",
    "Gift Card",
    "Variant Image",
    "Status",
]

Row = dict[str, str]


@pytest.fixture(autouse=True)
def _warehouse(request: pytest.FixtureRequest) -> None:
    """Have the warehouse that every shop has, also after a test that emptied all tables."""
    marker = request.node.get_closest_marker("django_db")
    request.getfixturevalue("transactional_db" if marker and marker.kwargs else "db")
    make_warehouse()


class Watcher:
    """Remembers what it sees."""

    def __init__(self) -> None:
        self.row_count = -1
        self.rows: list[RowResult] = []

    def begin(self, row_count: int) -> None:
        self.row_count = row_count

    def see(self, row: RowResult) -> None:
        self.rows.append(row)

    def outcomes(self) -> list[tuple[int, str, str]]:
        return [(row.line, row.sku, row.outcome.value) for row in self.rows]

    def errors(self) -> list[tuple[int, str, str]]:
        return [(error.line, error.column, error.code) for row in self.rows for error in row.errors]


def row(**cells: str) -> Row:
    return {"Handle": "mug", "Title": "Mug", "Variant Price": "12.00", **cells}


def more(**cells: str) -> Row:
    return {"Handle": "mug", "Variant Price": "12.00", **cells}


def sized(*rows: Row) -> list[Row]:
    """Give rows of one product the sizes 1, 2, 3 …"""
    return [
        {**cells, "Option1 Name": "Size" if number == 1 else "", "Option1 Value": str(number)}
        for number, cells in enumerate(rows, start=1)
    ]


def written(rows: list[Row]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def run(
    content: bytes | list[Row], *, now: datetime | None = None, **options: Any
) -> tuple[ImportReport, Watcher]:
    watcher = Watcher()
    report = import_products(
        source=io.BytesIO(content if isinstance(content, bytes) else written(content)),
        format_name="shopify_csv",
        now=now or timezone.now(),
        observer=watcher,
        **options,
    )
    assert len(watcher.rows) == watcher.row_count == sum(report.rows.values())
    return report, watcher


def everything() -> dict[str, Any]:
    """Return all that an import may write."""
    return {
        "products": list(Product.objects.order_by("id").values()),
        "categories": list(Category.objects.order_by("id").values("id", "name", "slug")),
        "variants": list(Variant.objects.order_by("id").values()),
        "prices": list(Price.objects.order_by("id").values()),
        "history": PriceHistory.objects.count(),
        "images": list(ProductImage.objects.order_by("id").values()),
        "stock": list(Stock.objects.order_by("id").values()),
        "movements": StockMovement.objects.count(),
        "messages": OutboxMessage.objects.count(),
    }


def units(sku: str) -> int:
    return Stock.objects.get(variant__sku=sku).on_hand


def sell(sku: str, quantity: int) -> None:
    now = timezone.now()
    reserve_stock(
        lines=[StockLine(Variant.objects.get(sku=sku).pk, quantity)],
        reference="order:1",
        expires_at=now + timedelta(minutes=15),
        now=now,
    )
    commit_stock(reference="order:1", now=now)


# Real files ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_FILES, reason=f"no files in {SHARED}")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
def test_a_real_file_is_imported_whole_and_once(path: Path) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))

    report, watcher = run(path.read_bytes())

    assert watcher.errors() == []
    assert report.rows == Counter({Outcome.CREATED: len(rows)})
    assert Product.objects.count() == len({cells["Handle"] for cells in rows})
    assert Variant.objects.count() == sum(bool(cells["Variant Price"]) for cells in rows)
    assert ProductImage.objects.count() == sum(bool(cells["Image Src"]) for cells in rows)
    wanted = sum(int(cells["Variant Inventory Qty"] or 0) for cells in rows)
    assert sum(Stock.objects.values_list("on_hand", flat=True)) == wanted
    assert drifted_stock() == []

    before = everything()
    report, _ = run(path.read_bytes(), now=timezone.now() + timedelta(days=1))
    assert report.rows == Counter({Outcome.UNCHANGED: len(rows)})
    assert everything() == before


@pytest.mark.skipif(not REAL_FILES, reason=f"no files in {SHARED}")
def test_the_products_of_a_real_file_can_be_bought() -> None:
    run(next(path for path in REAL_FILES if path.stem == "apparel").read_bytes())

    variant = Variant.objects.get(sku="CLASSIC-VARSITY-TOP-MEDIUM")
    assert (variant.title, variant.option_values) == ("Medium", ["Medium"])
    assert (variant.availability_state, variant.availability_quantity) == ("low_stock", 1)
    assert variant.prices.get().amount_minor == 6000
    sell(variant.sku, 1)


# What becomes of a row ----------------------------------------------------------------------------


def test_a_row_becomes_a_product_that_is_for_sale() -> None:
    report, watcher = run(
        [
            row(
                **{
                    "Body (HTML)": "<p>Deep.</p><script>x()</script>",
                    "Product Category": "Home > Mugs",
                    "Type": "Mug",
                    "Tags": "blue, deep",
                    "Variant SKU": "MUG",
                    "Variant Grams": "400",
                    "Variant Inventory Qty": "7",
                    "Variant Compare At Price": "15",
                    "Variant Barcode": "501",
                    "Image Src": "https://example.com/a.jpg",
                    "Image Alt Text": "A mug",
                    "Gift Card": "true",
                }
            )
        ]
    )

    product = Product.objects.get(slug="mug")
    assert watcher.outcomes() == [(2, "MUG", "created")]
    assert report.products == Counter({Outcome.CREATED: 1})
    assert product.description_html == "<p>Deep.</p>"
    shelf = product.category
    assert shelf is not None
    assert shelf.parent is not None
    assert (shelf.parent.name, shelf.name) == ("Home", "Mugs")
    assert (product.product_type, product.tags) == ("Mug", ["blue", "deep"])
    assert product.attributes == {"gift_card": True}
    variant = product.variants.get()
    assert (variant.sku, variant.weight_grams, variant.barcode) == ("MUG", 400, "501")
    price = variant.prices.get()
    assert (price.currency, price.amount_minor, price.compare_at_minor) == ("GBP", 1200, 1500)
    image = product.images.get()
    assert (image.url, image.alt) == ("https://example.com/a.jpg", "A mug")
    assert variant.availability_state == "in_stock"
    movement = StockMovement.objects.get()
    assert (movement.delta_on_hand, movement.cause) == (7, OPENING_CAUSE)


def test_a_variant_shows_its_own_picture() -> None:
    run(
        sized(
            row(**{"Image Src": "https://example.com/a.jpg"}),
            more(**{"Variant Image": "https://example.com/b.jpg"}),
        )
    )

    pictures = dict(Variant.objects.values_list("option_values__0", "image__url"))
    assert pictures["2"] == "https://example.com/b.jpg"
    assert ProductImage.objects.count() == 2


def test_a_bad_row_is_told_and_stops_no_other() -> None:
    report, watcher = run(
        [
            *sized(row(**{"Variant SKU": "A"}), more(**{"Variant SKU": "B", "Variant Price": "x"})),
            row(Handle="cup", Title="Cup", **{"Variant SKU": "C"}),
            {"Handle": "", "Title": "Lost", "Variant Price": "1"},
            row(Handle="jug", Title="Jug", **{"Variant SKU": "D", "Variant Price": "-1"}),
        ]
    )

    assert watcher.outcomes() == [
        (2, "A", "created"),
        (3, "B", "failed"),
        (4, "C", "created"),
        (5, "", "failed"),
        (6, "D", "failed"),
    ]
    assert watcher.errors() == [
        (3, "Variant Price", "invalid_price"),
        (5, "Handle", "required"),
        (6, "Variant Price", "negative_price"),
    ]
    assert report.has_failures
    assert set(Variant.objects.values_list("sku", flat=True)) == {"A", "C"}
    assert not Product.objects.filter(slug="jug").exists()


def test_a_row_that_turned_bad_leaves_its_variant_alone() -> None:
    run(sized(row(**{"Variant SKU": "A"}), more(**{"Variant SKU": "B"})))

    run(sized(row(**{"Variant SKU": "A"}), more(**{"Variant SKU": "B", "Variant Price": "x"})))

    variant = Variant.objects.get(sku="B")
    assert variant.is_active
    assert variant.prices.get().amount_minor == 1200


def test_every_row_has_an_outcome() -> None:
    _, watcher = run(
        [
            row(**{"Variant SKU": "A", "Image Src": "https://example.com/1.jpg"}),
            {"Handle": "mug", "Image Src": "https://example.com/2.jpg"},
            {"Handle": "mug"},
            {},
        ]
    )

    assert watcher.outcomes() == [
        (2, "A", "created"),
        (3, "", "created"),
        (4, "", "skipped"),
        (5, "", "skipped"),
    ]


def test_a_rule_of_the_catalogue_refuses_one_product_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strict(*, drafts: Any, now: datetime) -> Any:
        if any(draft.slug == "cup" for draft in drafts):
            raise Refusal("Cups are not sold here.")
        return upsert_products(drafts=drafts, now=now)

    monkeypatch.setattr("inventory.services.imports.importer.upsert_products", strict)

    _, watcher = run(
        [row(), row(Handle="cup", Title="Cup"), row(Handle="jug", Title="Jug")],
    )

    assert [outcome for _, _, outcome in watcher.outcomes()] == ["created", "failed", "created"]
    (error,) = watcher.rows[1].errors
    assert error.detail == "Cups are not sold here."
    assert Product.objects.count() == 2


# Second runs --------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing() -> None:
    content = [
        *sized(
            row(
                **{
                    "Product Category": "Home > Mugs",
                    "Tags": "a, b",
                    "Variant Inventory Qty": "7",
                    "Image Src": "https://example.com/1.jpg",
                    "Variant Compare At Price": "99",
                }
            ),
            more(**{"Variant Inventory Policy": "continue", "Variant Taxable": "false"}),
            more(**{"Variant Image": "https://example.com/2.jpg"}),
        ),
        row(Handle="cup", Title="Cup", Published="false"),
        row(Handle="jug", Title="Jug", Status="archived", **{"Gift Card": "true"}),
    ]
    run(content)
    before = everything()

    report, watcher = run(content, now=timezone.now() + timedelta(days=1))

    assert {outcome for _, _, outcome in watcher.outcomes()} == {"unchanged"}
    assert report.products == Counter({Outcome.UNCHANGED: 3})
    assert everything() == before


def test_only_what_differs_is_updated() -> None:
    run([row(**{"Variant SKU": "A"}), row(Handle="cup", Title="Cup", **{"Variant SKU": "C"})])
    cup = Product.objects.get(slug="cup")

    _, watcher = run(
        [
            *sized(row(**{"Variant SKU": "A"}), more(**{"Variant SKU": "B"})),
            row(Handle="cup", Title="Cup", **{"Variant SKU": "C"}),
        ]
    )

    assert watcher.outcomes() == [(2, "A", "updated"), (3, "B", "created"), (4, "C", "unchanged")]
    assert Product.objects.get(slug="cup").version == cup.version


def test_sales_are_not_undone() -> None:
    content = [row(**{"Variant SKU": "A", "Variant Inventory Qty": "7"})]
    run(content)
    sell("A", 5)

    _, watcher = run(content)

    assert watcher.outcomes() == [(2, "A", "unchanged")]
    assert units("A") == 2


def test_a_quantity_that_changed_in_the_file_is_not_stock_that_came_in() -> None:
    run([row(**{"Variant SKU": "A", "Variant Inventory Qty": "7"})])

    run([row(**{"Variant SKU": "A", "Variant Inventory Qty": "70"})])

    assert units("A") == 7


def test_stock_is_opened_for_a_variant_that_never_had_any() -> None:
    run([row(**{"Variant SKU": "A", "Variant Inventory Qty": "0"})])

    _, watcher = run([row(**{"Variant SKU": "A", "Variant Inventory Qty": "7"})])

    assert watcher.outcomes() == [(2, "A", "updated")]
    assert units("A") == 7


def test_stock_that_staff_counted_is_not_opened_again() -> None:
    run([row(**{"Variant SKU": "A"})])
    adjust_stock(sku="A", warehouse="main", delta=3, reason="counted", now=timezone.now())

    run([row(**{"Variant SKU": "A", "Variant Inventory Qty": "7"})])

    assert units("A") == 3


def test_continue_means_back_orders_and_deny_ends_them() -> None:
    run([row(**{"Variant SKU": "A", "Variant Inventory Policy": "continue"})])
    stock = Stock.objects.get(variant__sku="A")
    assert stock.backorder_limit == UNLIMITED_BACKORDERS
    assert Variant.objects.get(sku="A").availability_state == "backorder"

    run([row(**{"Variant SKU": "A", "Variant Inventory Policy": "deny"})])

    stock.refresh_from_db()
    assert stock.backorder_limit == 0
    assert Variant.objects.get(sku="A").availability_state == "out_of_stock"


def test_deny_keeps_what_was_promised() -> None:
    run([row(**{"Variant SKU": "A", "Variant Inventory Policy": "continue"})])
    sell("A", 3)
    content = [row(**{"Variant SKU": "A", "Variant Inventory Policy": "deny"})]

    _, first = run(content)
    _, second = run(content)

    assert Stock.objects.get(variant__sku="A").backorder_limit == 3
    assert [first.rows[0].outcome, second.rows[0].outcome] == [Outcome.UPDATED, Outcome.UNCHANGED]


@pytest.mark.parametrize("policy", ["continue", "deny", ""])
def test_a_limit_that_staff_set_stays(policy: str) -> None:
    content = [row(**{"Variant SKU": "A", "Variant Inventory Policy": policy})]
    run(content)
    variant = Variant.objects.get(sku="A")
    set_stock_terms(
        terms=[StockTerms(variant.pk, backorder_limit=12)], warehouse="main", now=timezone.now()
    )

    run(content)

    assert Stock.objects.get(variant=variant).backorder_limit == 12


def test_what_staff_refined_stays() -> None:
    run([row(**{"Variant SKU": "A"})])
    variant = Variant.objects.get(sku="A")
    Variant.objects.filter(pk=variant.pk).update(tax_class="REDUCED")
    Product.objects.filter(slug="mug").update(attributes={"material": "clay"})
    Price.objects.create(variant=variant, currency="EUR", amount_minor=1400)

    _, watcher = run([row(**{"Variant SKU": "A"})])

    variant.refresh_from_db()
    assert watcher.outcomes() == [(2, "A", "unchanged")]
    assert variant.tax_class == "REDUCED"
    assert Product.objects.get(slug="mug").attributes == {"material": "clay"}
    assert variant.prices.count() == 2


def test_pictures_stay_when_the_file_has_none() -> None:
    run([row(**{"Image Src": "https://example.com/a.jpg"})])

    run([row()])

    assert ProductImage.objects.count() == 1


# SKUs ---------------------------------------------------------------------------------------------


def test_skus_are_made_from_handle_and_options() -> None:
    run(
        [
            row(**{"Option1 Name": "Size", "Option1 Value": "Extra Large", "Option2 Name": "Hue",
                   "Option2 Value": "Café Red"}),
            row(Handle="cup", Title="Cup"),
        ]
    )  # fmt: skip

    assert set(Variant.objects.values_list("sku", flat=True)) == {"MUG-EXTRA-LARGE-CAFE-RED", "CUP"}


def test_made_skus_are_all_different() -> None:
    values = ["S/M", "S M", "s-m", "S-M", "\u4e2d", "\u56fd", "\u2615", "10%", "10", "x" * 250]
    rows = [
        {**(row() if place == 0 else more()), "Option1 Name": "Size", "Option1 Value": value}
        for place, value in enumerate(values)
    ]

    run([*rows, row(Handle="mug-10", Title="Other")])

    skus = set(Variant.objects.values_list("sku", flat=True))
    assert len(skus) == len(values) + 1
    assert all(len(sku) <= 120 for sku in skus)


def test_made_skus_do_not_take_those_that_are_given_further_down() -> None:
    content = [
        row(),
        row(Handle="cup", Title="Cup", **{"Variant SKU": "MUG"}),
    ]

    run(content)

    assert Product.objects.get(variants__sku="MUG").slug == "cup"
    made = Variant.objects.get(product__slug="mug").sku
    assert made.startswith("MUG-")
    _, watcher = run(content)
    assert watcher.outcomes() == [(2, made, "unchanged"), (3, "MUG", "unchanged")]


def test_made_skus_do_not_take_those_of_other_products_in_the_shop() -> None:
    run([row(Handle="cup", Title="Cup", **{"Variant SKU": "MUG"})])

    _, watcher = run([row()])

    assert watcher.rows[0].outcome is Outcome.CREATED
    assert watcher.rows[0].sku.startswith("MUG-")


def test_made_skus_do_not_depend_on_their_neighbours() -> None:
    content = sized(row(), more(), more())
    run(content)

    _, watcher = run([content[0], content[2], content[1]])

    assert sorted(sku for _, sku, _ in watcher.outcomes()) == ["MUG-1", "MUG-2", "MUG-3"]
    assert Variant.objects.count() == 3


def test_a_sku_that_is_given_later_replaces_the_made_one() -> None:
    run(sized(row(), more()))

    run(sized(row(**{"Variant SKU": "GIVEN"}), more()))

    active = Variant.objects.filter(is_active=True).values_list("sku", flat=True)
    assert set(active) == {"GIVEN", "MUG-2"}


def test_a_sku_of_another_product_is_refused_by_line() -> None:
    run([row(Handle="cup", Title="Cup", **{"Variant SKU": "A"})])

    _, watcher = run(sized(row(**{"Variant SKU": "A"}), more(**{"Variant SKU": "B"})))

    assert watcher.errors() == [(2, "Variant SKU", "sku_taken")]
    assert [outcome for _, _, outcome in watcher.outcomes()] == ["failed", "created"]
    assert Variant.objects.get(sku="A").product.slug == "cup"


# Runs that end early, or were never meant ---------------------------------------------------------


def test_a_dry_run_leaves_nothing_and_tells_the_same() -> None:
    content = [
        *sized(row(**{"Variant Inventory Qty": "7", "Product Category": "Home > Mugs"}), more()),
        row(Handle="cup", Title="Cup", **{"Variant Price": "x"}),
    ]
    before = everything()

    report, watcher = run(content, dry_run=True)

    assert report.is_dry_run
    assert everything() == before
    real_report, real_watcher = run(content)
    assert watcher.rows == real_watcher.rows
    assert report.rows == real_report.rows


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_can_be_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [
        row(Handle=f"mug-{number}", Title="Mug", **{"Variant Inventory Qty": "7"})
        for number in range(60)
    ]
    batches = Counter[str]()
    monkeypatch.setattr("inventory.services.imports.importer._BATCH_PRODUCTS", 50)

    def killed_in_the_second_batch(**options: Any) -> Any:
        batches["seen"] += 1
        if batches["seen"] == 2:
            raise KeyboardInterrupt
        return receive_stock(**options)

    with monkeypatch.context() as patched:
        patched.setattr(
            "inventory.services.imports.importer.receive_stock", killed_in_the_second_batch
        )
        with pytest.raises(KeyboardInterrupt):
            run(content)
    assert Product.objects.count() == Stock.objects.count() == 50

    report, _ = run(content)

    assert report.rows == Counter({Outcome.UNCHANGED: 50, Outcome.CREATED: 10})
    assert set(Stock.objects.values_list("on_hand", flat=True)) == {7}
    assert StockMovement.objects.count() == 60


def test_an_unreadable_file_changes_nothing() -> None:
    before = everything()

    with pytest.raises(UnreadableFile):
        run(b"Handle,Title\nmug,Mug\n")

    assert everything() == before


def test_stock_goes_where_it_is_sent() -> None:
    with pytest.raises(UnknownWarehouse):
        run([row()], warehouse="nowhere")

    assert not Product.objects.exists()


def test_takes_the_same_queries_for_any_number_of_rows() -> None:
    counts = []
    for size in (2, 40):
        content = [
            row(
                Handle=f"mug-{size}-{number}",
                Title="Mug",
                **{"Variant Inventory Qty": "7", "Variant Inventory Policy": "continue"},
            )
            for number in range(size)
        ]
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            run(content)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_formats_are_a_list_that_can_grow() -> None:
    assert "shopify_csv" in FORMATS


# The command --------------------------------------------------------------------------------------


def command(path: Path, *options: str) -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("import_products", str(path), "--format", "shopify_csv", *options, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "products.csv"


def test_the_command_prints_a_line_for_each_row(path: Path) -> None:
    path.write_bytes(written(sized(row(), more(**{"Variant Price": "free"}))))

    text, code = command(path)

    lines = text.splitlines()
    assert lines[0] == "line 2: created mug MUG-1"
    assert lines[1].startswith("line 3, column \"Variant Price\": 'free' is not a price")
    assert lines[2].startswith("Rows: 1 created, 0 updated, 0 unchanged, 0 skipped, 1 failed.")
    assert code == 1


def test_the_command_ends_well_when_every_row_did(path: Path) -> None:
    path.write_bytes(written([row()]))

    first, second = command(path), command(path, "-v0")

    assert first[1] == second[1] == 0
    assert second[0].splitlines() == [
        "Rows: 0 created, 0 updated, 1 unchanged, 0 skipped, 0 failed. Products: 1 unchanged.",
        "Nothing changed.",
    ]


def test_the_command_speaks_json(path: Path) -> None:
    path.write_bytes(written(sized(row(), more(**{"Variant Price": "free"}))))

    text, code = command(path, "--json", "--dry-run")

    document = json.loads(text)
    (error,) = document.pop("errors")
    assert code == 1
    assert (error["line"], error["column"], error["code"]) == (3, "Variant Price", "invalid_price")
    assert document == {
        "format": "shopify_csv",
        "dry_run": True,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "skipped": 0,
        "failed": 1,
        "products": {"created": 1, "updated": 0, "unchanged": 0, "skipped": 0, "failed": 0},
        "rows": [
            {"line": 2, "handle": "mug", "sku": "MUG-1", "outcome": "created"},
            {"line": 3, "handle": "mug", "sku": "", "outcome": "failed"},
        ],
    }
    assert not Product.objects.exists()


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("noise", [b"\xe9", b"\0", b"\xff\xfe"])
def test_the_command_survives_noise_in_any_column(
    path: Path, column: str, noise: bytes, options: tuple[str, ...]
) -> None:
    noisy = {**row(**{"Option1 Name": "Size", "Option1 Value": "1"}), column: "NOISE"}
    path.write_bytes(written([noisy, row(Handle="cup", Title="Cup")]).replace(b"NOISE", noise))

    text, code = command(path, *options)

    text.encode()
    assert code == (0 if column == "Option2 Name" else 1)
    assert Product.objects.filter(slug="cup").exists()
    if options:
        assert all(error["line"] == 2 for error in json.loads(text)["errors"])


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_command_names_a_missing_column(path: Path, options: tuple[str, ...]) -> None:
    path.write_bytes(b"Handle,Title\nmug,Mug\n")

    text, code = command(path, *options)

    assert code == 1
    if options:
        (error,) = json.loads(text)["errors"]
        assert (error["line"], error["column"], error["code"]) == (
            1,
            "Variant Price",
            "missing_column",
        )
    else:
        assert text == 'line 1, column "Variant Price": the column is missing\n'


def test_the_command_tells_what_it_cannot_open(path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        command(path)


def test_the_command_knows_its_formats(path: Path) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("import_products", str(path), "--format", "xml")
