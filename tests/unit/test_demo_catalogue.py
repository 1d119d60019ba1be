"""What must hold of the demo's file, whatever is added to it."""

import io
from collections import Counter

import pytest
from PIL import Image

from catalog.models import TaxClass
from inventory.services.demo.catalogue import DemoVariant, demo_products, ean13
from inventory.services.demo.pictures import DRAWINGS, draw_picture


def variants() -> list[DemoVariant]:
    return [variant for product in demo_products() for variant in product.variants]


def test_there_is_a_shop_full_of_goods() -> None:
    products = demo_products()

    paths = {product.category_path for product in products}
    nodes = {path[: depth + 1] for path in paths for depth in range(len(path))}
    assert len(products) >= 200
    assert len(nodes) >= 25
    assert max(len(path) for path in paths) >= 3
    assert {product.tax_class for product in products} == set(TaxClass.values)
    assert {option for product in products for option in product.options} == {"Colour", "Size"}


@pytest.mark.parametrize("what", ["slug", "title"])
def test_no_two_products_are_called_the_same(what: str) -> None:
    counts = Counter(getattr(product, what) for product in demo_products())

    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("what", ["sku", "barcode"])
def test_no_two_variants_are_called_the_same(what: str) -> None:
    counts = Counter(getattr(variant, what) for variant in variants())

    assert [name for name, count in counts.items() if count > 1] == []


def test_every_stock_situation_is_there() -> None:
    stocks = [(variant.units, variant.backorder_limit) for variant in variants()]

    assert sum(units > 5 for units, _ in stocks) > 400
    assert sum(0 < units <= 5 for units, _ in stocks) > 20
    assert sum(units == 0 and limit == 0 for units, limit in stocks) > 10
    assert sum(units == 0 and limit > 0 for units, limit in stocks) > 10


def test_the_product_that_examples_rely_on_is_there_and_plentiful() -> None:
    mug = next(product for product in demo_products() if product.slug == "stoneware-mug")

    assert [variant.sku for variant in mug.variants] == [
        "MUG-STONE-BLUE",
        "MUG-STONE-OAT",
        "MUG-STONE-MOSS",
    ]
    assert {variant.units for variant in mug.variants} == {5000}
    assert {variant.backorder_limit for variant in mug.variants} == {0}
    assert mug.variants[0].prices == {"GBP": (1200, None), "EUR": (1400, None)}


def test_prices_are_in_both_currencies_and_compared_with_higher_ones() -> None:
    for variant in variants():
        assert set(variant.prices) == {"GBP", "EUR"}
        for amount, compare_at in variant.prices.values():
            assert amount > 0
            assert compare_at is None or compare_at > amount


@pytest.mark.parametrize(
    ("number", "barcode"), [(0, "2000000000008"), (123_456_789, "2001234567893")]
)
def test_barcodes_are_of_the_range_for_use_in_shops(number: int, barcode: str) -> None:
    assert ean13(number) == barcode


def test_barcodes_have_the_right_check_digit() -> None:
    for variant in variants():
        digits = [int(digit) for digit in variant.barcode]
        assert len(digits) == 13
        assert digits[0] == 2
        assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def test_descriptions_are_whole_sentences() -> None:
    for product in demo_products():
        text = product.description_html
        assert "{" not in text
        assert text.startswith("<p>")
        assert text[3].isupper()
        assert product.seo_description.endswith(".")


def test_every_drawing_is_used() -> None:
    assert {picture.kind for product in demo_products() for picture in product.pictures} == set(
        DRAWINGS
    )


@pytest.mark.parametrize("kind", sorted(DRAWINGS))
def test_a_picture_is_a_small_square_that_never_changes(kind: str) -> None:
    pictures = [
        draw_picture(kind=kind, colour=(64, 104, 140), look=7, pattern="dots") for _ in range(2)
    ]

    with Image.open(io.BytesIO(pictures[0])) as image:
        assert (image.format, image.size) == ("WEBP", (800, 800))
    assert len(pictures[0]) <= 15_000
    assert pictures[0] == pictures[1]


def test_the_largest_picture_is_small() -> None:
    busiest = [
        picture
        for product in demo_products()
        for picture in product.pictures
        if picture.pattern == "zigzag"
    ]

    sizes = [
        len(
            draw_picture(
                kind=picture.kind,
                colour=picture.colour,
                look=picture.look,
                pattern=picture.pattern,
            )
        )
        for picture in busiest
    ]

    assert max(sizes) <= 15_000
