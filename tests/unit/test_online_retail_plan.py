"""What a history needs beforehand: opening stock, titles and prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orders.services.history_input import History, Invoice, Kind, Row
from orders.services.history_plan import (
    Article,
    articles,
    country_code,
    opening_stock,
    stock_change,
)

NOON = datetime(2011, 2, 1, 12, tzinfo=UTC)


def invoice(kind: Kind, *rows: tuple[str, int, str, str]) -> Invoice:
    made = Invoice(number="1", kind=kind, happened_at=NOON, customer="", country="")
    for code, quantity, price, description in rows:
        minor = int(Decimal(price) * 100)
        made.rows.append(
            Row(
                code=code,
                description=description,
                quantity=quantity,
                unit_price=Decimal(price),
                unit_price_minor=minor,
                amount_minor=quantity * minor,
                customer="",
                country="",
                happened_at=NOON,
            )
        )
    return made


def sale(code: str, quantity: int) -> Invoice:
    return invoice(Kind.SALE, (code, quantity, "1", "A"))


def cancellation(code: str, quantity: int) -> Invoice:
    return invoice(Kind.CANCELLATION, (code, -quantity, "1", "A"))


def write_off(code: str, quantity: int) -> Invoice:
    return invoice(Kind.WRITE_OFF, (code, -quantity, "0", "damaged"))


def history(*invoices: Invoice) -> History:
    return History(invoices=list(invoices), bad_rows=[], row_count=0)


def test_opening_stock_is_the_deepest_need_on_the_way() -> None:
    assert opening_stock([sale("1", 5), cancellation("1", 5), sale("1", 7)]) == {"1": 7}
    assert opening_stock([sale("1", 5), cancellation("1", 2), write_off("1", 4)]) == {"1": 7}


def test_units_that_come_back_first_are_sold_again() -> None:
    assert opening_stock([cancellation("1", 9), sale("1", 5)]) == {}
    assert opening_stock([cancellation("1", 9), sale("1", 5), write_off("1", 6)]) == {"1": 2}


def test_what_is_not_on_a_shelf_needs_no_stock() -> None:
    assert opening_stock([sale("POST", 5), write_off("DCGS0055", 1)]) == {}
    bad_debt = invoice(Kind.ADJUSTMENT, ("1", 1, "5", "Adjust bad debt"))
    assert stock_change(bad_debt) == {}


def test_free_units_leave_the_shelf_and_lines_of_one_code_add_up() -> None:
    made = invoice(Kind.SALE, ("1", 2, "1", "A"), ("1", 3, "0", "A"), ("2", 1, "1", "B"))
    assert stock_change(made) == {"1": -5, "2": -1}


def test_titles_and_prices_are_the_most_frequent_of_priced_lines() -> None:
    lines = [
        ("1", 1, "0", "damaged"),
        ("1", 1, "0", "damaged"),
        ("1", 1, "0", "damaged"),
        ("1", 1, "2.95", "CAKE  STAND"),
        ("1", 1, "2.95", "CAKE STAND "),
        ("1", 1, "2.55", "STAND"),
        ("2", 1, "0", "?"),
        ("2", 1, "0", "?"),
        ("2", 1, "0", "TIN BOX"),
        ("3", 1, "0", "lost"),
        ("4", 1, "1", ""),
        ("POST", 1, "18", "POSTAGE"),
    ]
    assert articles(history(invoice(Kind.SALE, *lines))) == [
        Article("1", "CAKE STAND", 295),
        Article("2", "TIN BOX", None),
        Article("3", "3", None),
        Article("4", "4", 100),
    ]


def test_ties_do_not_hang_on_the_order_of_the_rows() -> None:
    lines = [("1", 1, "2", "B"), ("1", 1, "1", "A")]
    one = articles(history(invoice(Kind.SALE, *lines)))
    other = articles(history(invoice(Kind.SALE, *reversed(lines))))
    assert one == other == [Article("1", "A", 100)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("United Kingdom", "GB"),
        ("EIRE", "IE"),
        ("RSA", "ZA"),
        ("USA", "US"),
        ("Czech Republic", "CZ"),
        ("Hong Kong", "HK"),
        ("Channel Islands", "ZZ"),
        ("European Community", "ZZ"),
        ("Unspecified", "ZZ"),
        ("", "ZZ"),
    ],
)
def test_countries_are_known_by_their_names(name: str, code: str) -> None:
    assert country_code(name) == code
