"""What Shopify's files say, quirk by quirk. No database."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from inventory.errors import UnreadableFile
from inventory.services.imports.parsed import ParsedProduct
from inventory.services.imports.report import RowError
from inventory.services.imports.shopify import ShopifyFile, slug_of
from inventory.services.imports.table import ProductTable
from inventory.services.imports.table import opened as opened_table

OLD_HEADING = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,"
    "Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,"
    "Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,"
    "Variant Fulfillment Service,Variant Price,Variant Compare At Price,"
    "Variant Requires Shipping,Variant Taxable,Variant Barcode,Image Src,Image Position,"
    "Image Alt Text,Gift Card,SEO Title,SEO Description,Variant Image,Variant Weight Unit,"
    "Variant Tax Code,Cost per item,Included / United Kingdom,Price / International,"
    "Compare At Price / International,Metafield: custom.care [string],Status"
)
NEW_HEADING = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,"
    "Status,SKU,Barcode,Option1 name,Option1 value,Option1 Linked To,Option2 name,Option2 value,"
    "Option3 name,Option3 value,Price,Compare-at price,Cost per item,Charge tax,Tax code,"
    "Inventory tracker,Inventory quantity,Continue selling when out of stock,"
    "Weight value (grams),Weight unit for display,Requires shipping,Fulfillment service,"
    "Product image URL,Image position,Image alt text,Variant image URL,Gift card,SEO title,"
    "SEO description,Google Shopping / Condition"
)
OLD, NEW = OLD_HEADING.split(","), NEW_HEADING.split(",")

Row = dict[str, str]


def row(**cells: str) -> Row:
    """Return a row of a product that is fine, by short names."""
    return {"Handle": "mug", "Title": "Mug", "Variant Price": "12.00", **cells}


def more(**cells: str) -> Row:
    """Return a later row of the same product."""
    return {"Handle": "mug", "Variant Price": "12.00", **cells}


def written(rows: list[Row], *, columns: list[str] = OLD, ending: str = "\r\n") -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, restval="", lineterminator=ending)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


@contextmanager
def opened(content: bytes, currency: str = "GBP") -> Iterator[ProductTable]:
    with opened_table(ShopifyFile, io.BytesIO(content), currency=currency) as file:
        yield file


def read(content: bytes, currency: str = "GBP") -> list[ParsedProduct]:
    with opened(content, currency) as file:
        return list(file.products())


def read_rows(*rows: Row) -> list[ParsedProduct]:
    return read(written(list(rows)))


def only_product(*rows: Row) -> ParsedProduct:
    (product,) = read_rows(*rows)
    return product


def only_error(*rows: Row) -> RowError:
    errors = [error for product in read_rows(*rows) for error in product.errors]
    assert len(errors) == 1, errors
    return errors[0]


def unreadable(content: bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(content)
    return caught.value


# The file -----------------------------------------------------------------------------------------


def test_reads_the_old_columns() -> None:
    product = only_product(
        {
            "Handle": "blue-mug",
            "Title": "Blue Mug",
            "Body (HTML)": "<p>Deep.</p>",
            "Vendor": "Potter",
            "Product Category": "Home & Garden > Kitchen & Dining > Mugs",
            "Type": "Mug",
            "Tags": "blue, stoneware, Blue",
            "Published": "TRUE",
            "Option1 Name": "Size",
            "Option1 Value": "Large",
            "Variant SKU": "MUG-L",
            "Variant Grams": "412.4",
            "Variant Inventory Tracker": "shopify",
            "Variant Inventory Qty": "7",
            "Variant Inventory Policy": "continue",
            "Variant Fulfillment Service": "manual",
            "Variant Price": "12.50",
            "Variant Compare At Price": "15",
            "Variant Requires Shipping": "true",
            "Variant Taxable": "false",
            "Variant Barcode": "'5012345678900",
            "Image Src": "https://example.com/a.jpg?v=1",
            "Image Position": "1",
            "Image Alt Text": "A mug",
            "Gift Card": "false",
            "SEO Title": "Mugs",
            "SEO Description": "All mugs",
            "Variant Image": "https://example.com/b.jpg",
            "Variant Weight Unit": "kg",
            "Price / International": "not a price at all",
            "Status": "archived",
        }
    )

    (variant,) = product.variants
    assert product.slug == "blue-mug"
    assert product.title == "Blue Mug"
    assert product.description_html == "<p>Deep.</p>"
    assert (product.vendor, product.product_type) == ("Potter", "Mug")
    assert product.category_path == ("Home & Garden", "Kitchen & Dining", "Mugs")
    assert product.tags == ("blue", "stoneware")
    assert (product.status, product.is_published) == ("ARCHIVED", True)
    assert (product.seo_title, product.seo_description) == ("Mugs", "All mugs")
    assert product.option_names == ("Size",)
    assert [(image.url, image.alt) for image in product.images] == [
        ("https://example.com/a.jpg?v=1", "A mug")
    ]
    assert (variant.sku, variant.option_values) == ("MUG-L", ("Large",))
    assert (variant.price_minor, variant.compare_at_minor) == (1250, 1500)
    assert (variant.barcode, variant.weight_grams) == ("5012345678900", 412)
    assert (variant.opening_units, variant.is_sold_beyond_stock) == (7, True)
    assert (variant.is_taxable, variant.requires_shipping) == (False, True)
    assert variant.image_url == "https://example.com/b.jpg"


def test_reads_the_new_columns() -> None:
    content = written(
        [
            {
                "Title": "Blue Mug",
                "URL handle": "blue-mug",
                "Description": "Deep.",
                "Product category": "Mugs",
                "Published on online store": "FALSE",
                "Status": "Draft",
                "SKU": "MUG-L",
                "Barcode": "501",
                "Option1 name": "Size",
                "Option1 value": "Large",
                "Price": "12.5",
                "Compare-at price": "",
                "Charge tax": "TRUE",
                "Inventory quantity": "-4",
                "Continue selling when out of stock": "DENY",
                "Weight value (grams)": "400",
                "Weight unit for display": "g",
                "Requires shipping": "FALSE",
                "Product image URL": "http://example.com/a.jpg",
                "Image position": "1",
                "Image alt text": "A mug",
                "Variant image URL": "",
                "Gift card": "TRUE",
                "SEO title": "Mugs",
            }
        ],
        columns=NEW,
    )

    (product,) = read(content)

    (variant,) = product.variants
    assert (product.slug, product.title, product.description_html) == (
        "blue-mug",
        "Blue Mug",
        "Deep.",
    )
    assert (product.status, product.is_published) == ("DRAFT", False)
    assert product.is_gift_card
    assert (variant.sku, variant.price_minor, variant.weight_grams) == ("MUG-L", 1250, 400)
    assert (variant.opening_units, variant.is_sold_beyond_stock) == (0, False)
    assert not variant.requires_shipping
    assert product.images[0].alt == "A mug"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_any_line_ending_with_or_without_a_byte_order_mark(ending: str, mark: bytes) -> None:
    content = mark + written([row(), row(Handle="cup", Title="Cup")], ending=ending)

    assert [product.slug for product in read(content)] == ["mug", "cup"]


def test_headings_may_differ_in_case_and_order_and_have_blanks_around() -> None:
    content = b" variant price ,TITLE,handle\r\n12,Mug,mug\r\n"

    assert [product.title for product in read(content)] == ["Mug"]


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        (["Title", "Variant Price"], "Handle"),
        (["Handle", "Variant Price"], "Title"),
        (["Handle", "Title"], "Variant Price"),
        (["Title", "Price", "SKU"], "URL handle"),
        (["Title", "URL handle", "SKU"], "Price"),
        (["Name", "Amount"], "Handle"),
    ],
)
def test_a_missing_column_is_named(columns: list[str], missing: str) -> None:
    refusal = unreadable(",".join(columns).encode() + b"\r\n")

    assert refusal.facts == {"line": 1, "column": missing}
    assert refusal.detail == f'line 1, column "{missing}": the column is missing'


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n\r\n", "Handle,Title".encode("utf-16"), b"PK\x03\x04\x00\x00", b"Caf\xe9,Handle\n"],
)
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    assert unreadable(content).code == "unreadable_file"


def test_semicolons_are_told_from_commas() -> None:
    assert "separated by commas" in unreadable(b"Handle;Title;Variant Price\n").detail


def test_a_heading_alone_is_an_empty_file() -> None:
    with opened(written([])) as file:
        assert file.row_count == 0
        assert list(file.products()) == []


def test_the_source_stays_open() -> None:
    source = io.BytesIO(written([row()]))

    with opened_table(ShopifyFile, source, currency="GBP") as file:
        list(file.products())

    assert not source.closed


def test_newlines_and_quotes_in_cells_and_the_lines_of_what_follows() -> None:
    content = written(
        [
            row(**{"Body (HTML)": 'Two\r\nlines, "quoted"\n', "Variant SKU": "A"}),
            row(Handle="cup", Title="Cup", **{"Variant Price": "x"}),
        ]
    )

    product, other = read(content)

    assert product.description_html == 'Two\r\nlines, "quoted"'
    # The heading is line 1, the first row takes lines 2 to 4.
    assert [error.line for error in other.errors] == [5]


def test_a_file_in_latin_1_is_told_by_line_and_column() -> None:
    content = written([row(), row(Handle="cafe", Title="Caf\u00e9")]).replace(
        "\u00e9".encode(), b"\xe9"
    )

    good, bad = read(content)

    assert not good.errors
    assert [(error.line, error.column, error.code) for error in bad.errors] == [
        (3, "Title", "not_utf8")
    ]


def test_undecodable_cells_of_unknown_columns_do_no_harm() -> None:
    content = written([row(**{"Cost per item": "\u00e9"})]).replace("\u00e9".encode(), b"\xe9")

    assert not read(content)[0].errors


def test_a_nul_is_refused_where_it_stands() -> None:
    error = only_error(row(Title="M\0g"))

    assert (error.line, error.column, error.code) == (2, "Title", "nul_character")


def test_a_quote_left_open_is_told_by_the_line_it_is_on() -> None:
    content = written([row(), row(Handle="cup", Title="Cup")]) + b'jug,"Jug,,\r\nlast,Last\r\n'

    products = read(content)

    assert [product.slug for product in products] == ["mug", "cup", ""]
    assert (products[2].errors[0].line, products[2].errors[0].code) == (4, "malformed_csv")


def test_a_very_long_text_is_read() -> None:
    body = "<p>" + "long " * 60_000 + "</p>"

    assert only_product(row(**{"Body (HTML)": body})).description_html == body


def test_emoji_and_markup_in_titles_stay_as_they_are() -> None:
    assert only_product(row(Title="<b>Mug</b> \u2615 & \u201cco\u201d")).title == (
        "<b>Mug</b> \u2615 & \u201cco\u201d"
    )


@pytest.mark.parametrize(
    ("column", "length"),
    [
        ("Title", 256),
        ("Vendor", 256),
        ("Tags", 256),
        ("Variant SKU", 256),
        ("Variant Barcode", 256),
        ("Image Alt Text", 513),
        ("Body (HTML)", 600_001),
    ],
)
def test_what_does_not_fit_is_refused_by_column(column: str, length: int) -> None:
    error = only_error(row(**{column: "x" * length}))

    assert (error.line, error.column, error.code) == (2, column, "too_long")


def test_rows_shorter_and_longer_than_the_heading_are_read() -> None:
    content = b"Handle,Title,Variant Price,Vendor\r\nmug,Mug,12\r\ncup,Cup,9,Potter,,,\r\n"

    assert [(p.slug, p.vendor) for p in read(content)] == [("mug", ""), ("cup", "Potter")]


# Rows of one product ------------------------------------------------------------------------------


def test_rows_of_a_handle_are_one_product() -> None:
    product = only_product(
        row(**{"Option1 Name": "Size", "Option1 Value": "S"}),
        more(**{"Option1 Value": "M"}),
        more(**{"Option1 Name": "ignored here", "Option1 Value": "L"}),
    )

    assert product.option_names == ("Size",)
    assert [variant.option_values for variant in product.variants] == [("S",), ("M",), ("L",)]
    assert [line for line, _ in product.lines] == [2, 3, 4]


def test_rows_need_not_be_neighbours() -> None:
    products = read_rows(
        row(**{"Option1 Name": "Size", "Option1 Value": "S"}),
        row(Handle="cup", Title="Cup"),
        more(**{"Option1 Value": "M"}),
        row(Handle="jug", Title="Jug"),
        row(Title="Another title", **{"Option1 Value": "L"}),
    )

    assert [product.slug for product in products] == ["mug", "cup", "jug"]
    assert products[0].title == "Mug"
    assert [variant.line for variant in products[0].variants] == [2, 4, 6]


def test_rows_that_only_carry_a_picture_are_no_variants() -> None:
    product = only_product(
        row(**{"Image Src": "https://example.com/1.jpg", "Image Position": "1"}),
        {"Handle": "mug", "Image Src": "https://example.com/3.jpg", "Image Position": "3"},
        {"Handle": "mug", "Image Src": "https://example.com/2.jpg", "Image Position": "2"},
        {"Handle": "mug", "Image Src": "https://example.com/1.jpg", "Image Position": "4"},
    )

    assert len(product.variants) == 1
    assert [image.url[-5] for image in product.images] == ["1", "2", "3"]
    assert not product.skipped


def test_pictures_may_come_before_the_title_and_the_variants() -> None:
    product = only_product(
        {"Handle": "mug", "Image Src": "https://example.com/1.jpg"},
        {"Handle": "mug", "Title": "Mug", "Image Src": "https://example.com/2.jpg"},
        more(**{"Option1 Name": "Size", "Option1 Value": "S"}),
    )

    assert not product.errors
    assert product.title == "Mug"
    assert [variant.line for variant in product.variants] == [4]
    assert len(product.images) == 2


def test_a_default_title_is_no_option() -> None:
    product = only_product(row(**{"Option1 Name": "Title", "Option1 Value": "Default Title"}))

    assert product.option_names == ()
    assert product.variants[0].option_values == ()


def test_a_default_title_without_a_name_is_no_option_either() -> None:
    assert only_product(row(**{"Option1 Value": "default title"})).option_names == ()


def test_an_option_may_be_called_title() -> None:
    product = only_product(
        row(**{"Option1 Name": "Title", "Option1 Value": "Mr"}), more(**{"Option1 Value": "Mrs"})
    )

    assert product.option_names == ("Title",)


def test_an_option_of_one_value_is_kept() -> None:
    assert only_product(
        row(**{"Option1 Name": "Size", "Option1 Value": "One size"})
    ).option_names == ("Size",)


def test_three_options_and_gaps_between_them() -> None:
    product = only_product(
        row(
            **{
                "Option1 Name": "Size",
                "Option1 Value": "S",
                "Option2 Name": "Unused",
                "Option3 Name": "Colour",
                "Option3 Value": "Red",
            }
        )
    )

    assert product.option_names == ("Size", "Colour")
    assert product.variants[0].option_values == ("S", "Red")


def test_values_that_differ_in_case_are_two() -> None:
    product = only_product(
        row(**{"Option1 Name": "Size", "Option1 Value": "s"}), more(**{"Option1 Value": "S"})
    )

    assert [variant.option_values for variant in product.variants] == [("s",), ("S",)]


def test_the_same_variant_twice_is_refused_once() -> None:
    product = only_product(
        row(**{"Option1 Name": "Size", "Option1 Value": "S"}), more(**{"Option1 Value": "S"})
    )

    (error,) = product.errors
    assert (error.line, error.column, error.code) == (3, "Option1 Value", "duplicate_variant")
    assert len(product.variants) == 1


def test_a_missing_option_value_refuses_its_row() -> None:
    product = only_product(
        row(**{"Option1 Name": "Size", "Option1 Value": "S", "Variant SKU": "A"}),
        more(**{"Variant SKU": "B"}),
    )

    assert [(error.line, error.column, error.code) for error in product.errors] == [
        (3, "Option1 Value", "required")
    ]
    assert len(product.variants) == 1


def test_a_value_of_an_option_without_a_name_refuses_its_row() -> None:
    product = only_product(
        row(**{"Option1 Name": "Size", "Option1 Value": "S"}),
        more(**{"Option1 Value": "M", "Option2 Value": "Red"}),
    )

    (error,) = product.errors
    assert (error.line, error.column, error.code) == (3, "Option2 Name", "required")
    assert [variant.option_values for variant in product.variants] == [("S",)]


def test_two_options_of_one_name_refuse_the_product() -> None:
    error = only_error(
        row(
            **{
                "Option1 Name": "Size",
                "Option1 Value": "S",
                "Option2 Name": "size",
                "Option2 Value": "Small",
            }
        )
    )

    assert (error.column, error.code) == ("Option2 Name", "duplicate_option")


def test_a_hundred_variants_and_more() -> None:
    rows = [row(**{"Option1 Name": "Number", "Option1 Value": "0"})]
    rows += [more(**{"Option1 Value": str(number)}) for number in range(1, 250)]

    assert len(only_product(*rows).variants) == 250


def test_a_product_without_a_title_is_refused_row_by_row() -> None:
    product = only_product(more(), more(**{"Option1 Value": "M"}))

    assert product.is_refused
    assert [(error.line, error.column, error.code) for error in product.errors] == [
        (2, "Title", "required"),
        (3, "Handle", "product_refused"),
    ]


def test_rows_without_a_handle_are_refused_and_empty_ones_passed_over() -> None:
    content = written(
        [
            row(),
            {"Title": "No handle", "Variant Price": "1"},
            {},
            {"Variant Weight Unit": "kg", "Gift Card": "false"},
            row(Handle="cup", Title="Cup"),
            {},
        ]
    )

    with opened(content) as file:
        products = list(file.products())

        assert file.row_count == 6
    assert [product.slug for product in products] == ["mug", "", "", "", "cup", ""]
    errors = [error for product in products for error in product.errors]
    assert [(error.line, error.column, error.code) for error in errors] == [
        (3, "Handle", "required")
    ]
    assert [line for product in products for line in sorted(product.skipped)] == [4, 5, 7]


def test_the_new_columns_make_a_handle_of_the_title() -> None:
    content = written([{"Title": "Blue Mug", "Price": "12"}], columns=NEW)

    assert [product.slug for product in read(content)] == ["blue-mug"]


def test_a_row_with_nothing_but_a_handle_is_skipped() -> None:
    product = only_product(row(), {"Handle": "mug", "Variant Weight Unit": "kg"})

    assert product.skipped == {3}


@pytest.mark.parametrize(
    ("handle", "slug"),
    [
        ("blue-mug", "blue-mug"),
        ("Blue Mug", "blue-mug"),
        ("blue_mug", "blue_mug"),
        ("caf\u00e9-mug", "caf\u00e9-mug"),
        ("\u9752\u3044\u30b7\u30e3\u30c4", "\u9752\u3044\u30b7\u30e3\u30c4"),
    ],
)
def test_a_handle_becomes_its_slug(handle: str, slug: str) -> None:
    assert slug_of(handle) == slug


def test_handles_that_are_no_slugs_stay_apart() -> None:
    slugs = [slug_of(handle) for handle in ("a.b", "a/b", "ab", "\u2615", "\u2600", "x" * 400)]

    assert len(set(slugs)) == len(slugs)
    assert all(0 < len(slug) <= 255 for slug in slugs)
    assert slugs[0].startswith("ab-")


# Cells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "minor"),
    [("12", 1200), ("12.5", 1250), ("12.50", 1250), ("12.5000", 1250), (".99", 99), ("0", 0),
     ("0.00", 0), ("1000000.01", 100000001), ("012", 1200)],
)  # fmt: skip
def test_prices(cell: str, minor: int) -> None:
    assert only_product(row(**{"Variant Price": cell})).variants[0].price_minor == minor


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "required"),
        ("-1", "negative_price"),
        ("1,299.00", "invalid_price"),
        ("12,50", "invalid_price"),
        ("\u00a312", "invalid_price"),
        ("12 GBP", "invalid_price"),
        ("abc", "invalid_price"),
        ("NaN", "invalid_price"),
        ("Infinity", "invalid_price"),
        ("1e3", "invalid_price"),
        ("12.345", "invalid_price"),
        ("99999999999999999", "invalid_price"),
        ("\u0661\u0662", "invalid_price"),
    ],
)
def test_what_is_no_price_is_told_by_line_and_column(cell: str, code: str) -> None:
    error = only_error(row(**{"Variant Price": cell, "Variant SKU": "A"}))

    assert (error.line, error.column, error.code) == (2, "Variant Price", code)
    assert str(error).startswith('line 2, column "Variant Price": ')


def test_prices_have_the_digits_of_their_currency() -> None:
    content = written([row(**{"Variant Price": "1200"})])

    assert read(content, currency="JPY")[0].variants[0].price_minor == 1200
    assert read(written([row(**{"Variant Price": "12.5"})]), currency="JPY")[0].errors


@pytest.mark.parametrize(("cell", "minor"), [("", None), ("0", None), ("12", None), ("15", 1500)])
def test_a_compared_price_counts_when_it_is_higher(cell: str, minor: int | None) -> None:
    product = only_product(row(**{"Variant Compare At Price": cell}))

    assert product.variants[0].compare_at_minor == minor


@pytest.mark.parametrize(
    ("cell", "units"), [("", 0), ("7", 7), ("-3", 0), ("+4", 4), ("5.0", 5), ("0", 0)]
)
def test_quantities(cell: str, units: int) -> None:
    assert only_product(row(**{"Variant Inventory Qty": cell})).variants[0].opening_units == units


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("Variant Inventory Qty", "many", "invalid_quantity"),
        ("Variant Inventory Qty", "1.5", "invalid_quantity"),
        ("Variant Inventory Qty", "99999999999", "invalid_quantity"),
        ("Variant Grams", "-1", "invalid_weight"),
        ("Variant Grams", "heavy", "invalid_weight"),
        ("Variant Grams", "99999999999", "invalid_weight"),
        ("Variant Weight Unit", "stone", "invalid_choice"),
        ("Variant Inventory Policy", "perhaps", "invalid_choice"),
        ("Variant Taxable", "maybe", "invalid_choice"),
        ("Variant Requires Shipping", "2", "invalid_choice"),
        ("Variant Compare At Price", "x", "invalid_price"),
        ("Variant Image", "ftp://example.com/a.jpg", "invalid_url"),
        ("Image Src", "//example.com/a.jpg", "invalid_url"),
        ("Image Src", "javascript:alert(1)", "invalid_url"),
        ("Image Src", "a.jpg", "invalid_url"),
        ("Image Position", "first", "invalid_position"),
        ("Published", "perhaps", "invalid_choice"),
        ("Status", "sold", "invalid_choice"),
        ("Gift Card", "?", "invalid_choice"),
    ],
)
def test_a_wrong_cell_is_told_by_line_and_column(column: str, cell: str, code: str) -> None:
    error = only_error(row(**{column: cell}))

    assert (error.line, error.column, error.code) == (2, column, code)


@pytest.mark.parametrize(
    ("category", "product_type", "path"),
    [
        ("Home > Mugs", "Mug", ("Home", "Mugs")),
        (" Home >  > Mugs > ", "", ("Home", "Mugs")),
        ("", "Mug", ("Mug",)),
        ("", "", ()),
        ("Uncategorized", "Mug", ("Mug",)),
        ("166", "Mug", ("Mug",)),
        ("gid://shopify/TaxonomyCategory/sg-4-17-2-17", "", ()),
        ("hg-11-10", "", ()),
    ],
)
def test_shelves(category: str, product_type: str, path: tuple[str, ...]) -> None:
    product = only_product(row(**{"Product Category": category, "Type": product_type}))

    assert product.category_path == path
    assert product.product_type == product_type


@pytest.mark.parametrize(
    ("published", "status", "expected"),
    [
        ("", "", ("ACTIVE", True)),
        ("true", "active", ("ACTIVE", True)),
        ("false", "active", ("ACTIVE", False)),
        ("true", "draft", ("DRAFT", True)),
        ("FALSE", "Archived", ("ARCHIVED", False)),
        ("true", "unlisted", ("DRAFT", True)),
    ],
)
def test_who_sees_it(published: str, status: str, expected: tuple[str, bool]) -> None:
    product = only_product(row(Published=published, Status=status))

    assert (product.status, product.is_published) == expected


# A bad row stops no other -------------------------------------------------------------------------


def test_a_bad_row_leaves_the_others_of_its_product() -> None:
    product = only_product(
        row(
            **{
                "Option1 Name": "Size",
                "Option1 Value": "S",
                "Variant Price": "free",
                "Image Src": "https://example.com/1.jpg",
            }
        ),
        more(**{"Option1 Value": "M"}),
    )

    assert [error.line for error in product.errors] == [2]
    assert not product.is_refused
    assert product.title == "Mug"  # what the bad row says of the product itself still counts
    assert len(product.images) == 1
    assert [variant.line for variant in product.variants] == [3]


def test_a_wrong_cell_of_the_product_itself_refuses_its_rows_and_no_others() -> None:
    mug, cup = read_rows(
        row(Status="sold", **{"Option1 Name": "Size", "Option1 Value": "S"}),
        more(**{"Option1 Value": "M"}),
        row(Handle="cup", Title="Cup"),
    )

    assert [(error.line, error.code) for error in mug.errors] == [
        (2, "invalid_choice"),
        (3, "product_refused"),
    ]
    assert mug.is_refused
    assert not cup.errors


def test_every_wrong_cell_of_a_row_is_told() -> None:
    (product,) = read_rows(row(**{"Variant Price": "x", "Variant Grams": "y", "Image Src": "z"}))

    assert {error.column for error in product.errors} == {
        "Variant Price",
        "Variant Grams",
        "Image Src",
    }


def test_a_sku_given_twice_is_refused_where_it_comes_again() -> None:
    products = read_rows(
        row(**{"Variant SKU": "A"}), row(Handle="cup", Title="Cup", **{"Variant SKU": "A"})
    )

    (error,) = products[1].errors
    assert (error.line, error.column, error.code) == (3, "Variant SKU", "duplicate_sku")
    assert "line 2" in error.detail
    assert not products[0].errors


def test_the_file_knows_which_skus_it_gives() -> None:
    with opened(written([row(**{"Variant SKU": "'0012"}), row(Handle="b", Title="B")])) as file:
        assert file.gives_sku("0012")
        assert not file.gives_sku("'0012")
        assert not file.gives_sku("")
        assert file.column("sku") == "Variant SKU"


def test_a_large_file_is_read_in_order() -> None:
    rows = [row(Handle=f"mug-{number % 3000}", Title="Mug") for number in range(3000)]

    lines = [product.first_line for product in read(written(rows))]

    assert len(lines) == 3000
    assert all(before < after for before, after in pairwise(lines))
