"""Reading `online_retail_csv`: what each row means, and what is refused with its place."""

import io
import tarfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orders.services.history_input import (
    Kind,
    UnreadableInput,
    is_stocked,
    read_history,
)

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def written(folder: Path, *rows: str, name: str = "2010-12-01.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def test_a_sold_line_is_read_whole(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "536365,85123A,WHITE HANGING HEART ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
    )
    history = read_history(path)
    (invoice,) = history.invoices
    (row,) = invoice.rows
    assert (invoice.number, invoice.kind) == ("536365", Kind.SALE)
    assert invoice.happened_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert (invoice.customer, invoice.country) == ("17850", "United Kingdom")
    assert (row.code, row.description, row.quantity) == ("85123A", "WHITE HANGING HEART", 6)
    assert (row.unit_price_minor, row.amount_minor, row.is_free) == (255, 1530, False)
    assert (history.row_count, history.bad_rows) == (1, [])


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        ("1", "0.001", 0),  # PADS
        ("3", "0.125", 38),  # 0.375 once, not three times 0.13
        ("2", "0.0025", 1),  # exactly half a penny goes up
        ("80995", "2.08", 16846960),
        ("6.0", "1.1", 660),
        ("10", "1e-2", 10),
    ],
)
def test_amounts_are_rounded_half_up_once_a_line(
    tmp_path: Path, quantity: str, price: str, amount: int
) -> None:
    path = written(tmp_path, f"1,22423,CAKE STAND,{quantity},2011-04-15 09:27:00,{price},,")
    assert read_history(path).invoices[0].amount_minor == amount


def test_free_is_a_price_of_nothing_and_not_one_that_rounds_to_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "1,22423,CAKE STAND,2,2011-04-15 09:27:00,0.0,,",
        "1,PADS,PADS TO MATCH ALL CUSHIONS,1,2011-04-15 09:27:00,0.001,,",
    )
    assert [row.is_free for row in read_history(path).invoices[0].rows] == [True, False]


def test_the_number_and_the_sign_tell_the_kind(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom",
        "C536379,D,Discount,-1,2010-12-01 16:51:00,27.5,14527.0,United Kingdom",
        "A563186,B,Adjust bad debt,1,2010-12-01 16:52:00,-11062.06,,United Kingdom",
        "536590,21777,RECIPE BOX,1,2010-12-01 16:53:00,7.95,,United Kingdom",
    )
    invoices = read_history(path).invoices
    assert [invoice.kind for invoice in invoices] == [
        Kind.WRITE_OFF,
        Kind.CANCELLATION,
        Kind.ADJUSTMENT,
        Kind.SALE,
    ]
    assert [invoice.amount_minor for invoice in invoices] == [0, -2750, -1106206, 795]


def test_an_invoice_that_sells_and_writes_off_is_done_as_two(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "536589,21777,RECIPE BOX,4,2010-12-01 16:50:00,7.95,,",
        "536589,21777,damaged,-1,2010-12-01 16:50:00,0,,",
    )
    assert [(i.number, i.kind, len(i.rows)) for i in read_history(path).invoices] == [
        ("536589", Kind.SALE, 1),
        ("536589", Kind.WRITE_OFF, 1),
    ]


def test_rows_of_one_invoice_are_gathered_wherever_they_stand(tmp_path: Path) -> None:
    written(
        tmp_path,
        "542806,22423,CAKE STAND,1,2011-02-01 11:20:00,12.75,12836.0,United Kingdom",
        "542807,22423,CAKE STAND,1,2011-02-01 11:19:30,12.75,,United Kingdom",
        "542806,22424,BREAD BIN,2,2011-02-01 11:19:00,10.95,12836.0,United Kingdom",
        name="2011-02-01.csv",
    )
    written(
        tmp_path,
        "542806,22425,COLANDER,3,2011-02-02 00:01:00,1.00,12836.0,United Kingdom",
        name="2011-02-02.csv",
    )
    invoices = read_history(tmp_path).invoices
    assert [(i.number, len(i.rows), i.happened_at.isoformat()) for i in invoices] == [
        ("542806", 3, "2011-02-01T11:19:00+00:00"),
        ("542807", 1, "2011-02-01T11:19:30+00:00"),
    ]


def test_invoices_of_the_same_minute_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path, *(f"{n},22423,CAKE STAND,1,2011-02-01 11:20:00,1,," for n in (9, 7, 8))
    )
    assert [invoice.number for invoice in read_history(path).invoices] == ["9", "7", "8"]


def test_codes_that_differ_by_case_stay_apart_and_spaces_around_them_go(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "1,85123A,HEART,1,2011-02-01 11:20:00,2.95,,",
        "1,85123a,HEART,1,2011-02-01 11:20:00,6.63,,",
        "1,47503J ,SET,1,2011-02-01 11:20:00,1,,",
    )
    assert [row.code for row in read_history(path).invoices[0].rows] == [
        "85123A",
        "85123a",
        "47503J",
    ]


@pytest.mark.parametrize("code", ["10002", "85123A", "15056bl", "22423"])
def test_goods_have_codes_that_begin_with_a_digit(code: str) -> None:
    assert is_stocked(code)


@pytest.mark.parametrize(
    "code",
    ["POST", "DOT", "C2", "D", "M", "m", "S", "B", "BANK CHARGES", "CRUK", "gift_0001_10", "DCGS3"],
)
def test_money_under_a_name_is_not_stocked(code: str) -> None:
    assert not is_stocked(code)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("1,22423,X,one,2011-02-01 11:20:00,1,,", "Quantity"),
        ("1,22423,X,1.5,2011-02-01 11:20:00,1,,", "Quantity"),
        ("1,22423,X,0,2011-02-01 11:20:00,1,,", "Quantity"),
        ("1,22423,X,1000000000000000000000,2011-02-01 11:20:00,1,,", "Quantity"),
        ("1,22423,X,1,yesterday,1,,", "InvoiceDate"),
        ("1,22423,X,1,2011-02-30 11:20:00,1,,", "InvoiceDate"),
        ("1,22423,X,1,2011-02-01 11:20:00,NaN,,", "UnitPrice"),
        ("1,22423,X,1,2011-02-01 11:20:00,,,", "UnitPrice"),
        ("1,22423,X,1,2011-02-01 11:20:00,-1,,", "UnitPrice"),
        ("1,22423,X,-1,2011-02-01 11:20:00,1,,", "UnitPrice"),
        ("C1,22423,X,1,2011-02-01 11:20:00,1,,", "Quantity"),
        ("1,,X,1,2011-02-01 11:20:00,1,,", "StockCode"),
        (",22423,X,1,2011-02-01 11:20:00,1,,", "InvoiceNo"),
        ("X1,22423,X,1,2011-02-01 11:20:00,1,,", "InvoiceNo"),
        ("1,22423,X,1", "row"),
        (f"1,22423,{'X' * 201},1,2011-02-01 11:20:00,1,,", "Description"),
    ],
)
def test_a_bad_row_is_told_with_its_place_and_stops_no_other(
    tmp_path: Path, row: str, column: str
) -> None:
    path = written(tmp_path, row, "2,22423,CAKE STAND,1,2011-02-01 11:20:00,1,,")
    history = read_history(path)
    assert [(bad.file, bad.line, bad.column) for bad in history.bad_rows] == [
        ("2010-12-01.csv", 2, column)
    ]
    assert [invoice.number for invoice in history.invoices] == ["2"]
    assert history.row_count == 2


def test_an_invoice_with_a_bad_row_is_left_out_whole(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "1,22423,CAKE STAND,1,2011-02-01 11:20:00,1,,",
        "1,22424,BREAD BIN,1,2011-02-01 11:20:00,dear,,",
        "2,22424,BREAD BIN,1,2011-02-01 11:20:00,1,1,",
        "2,22424,BREAD BIN,1,2011-02-01 11:20:00,1,2,",
    )
    history = read_history(path)
    assert history.invoices == []
    assert [bad.column for bad in history.bad_rows] == ["UnitPrice", "CustomerID"]


def test_days_are_included_at_both_ends(tmp_path: Path) -> None:
    path = written(
        tmp_path, *(f"{day},22423,STAND,1,2011-02-0{day} 23:59:00,1,," for day in (1, 2, 3, 4))
    )
    history = read_history(path)
    chosen = history.between(date(2011, 2, 2), date(2011, 2, 3))
    assert [invoice.number for invoice in chosen.invoices] == ["2", "3"]
    assert history.between(None, None).invoices == history.invoices


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz"])
def test_an_archive_is_read_like_the_folder_in_it(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    written(folder, "2,22423,STAND,1,2011-02-02 09:00:00,1,,", name="2011-02-02.csv")
    written(folder, "1,22423,STAND,1,2011-02-01 09:00:00,1,,", name="2011-02-01.csv")
    archive = tmp_path / f"half.{suffix}"
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[suffix]
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]  # mode by table
        tar.add(folder / "2011-02-02.csv", "days/2011-02-02.csv")
        tar.add(folder / "2011-02-01.csv", "days/2011-02-01.csv")
        mac = tarfile.TarInfo("days/._2011-02-01.csv")
        mac.size = 4
        tar.addfile(mac, io.BytesIO(b"\0\1\2\3"))
    history = read_history(archive)
    assert [invoice.number for invoice in history.invoices] == ["1", "2"]


def test_windows_text_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    row = "1,22423,£ SIGN,1,2011-02-01 09:00:00,1,,"
    path.write_bytes(f"{HEADER}\r\n{row}\r\n".encode("cp1252"))
    assert read_history(path).invoices[0].rows[0].description == "£ SIGN"
    path.write_bytes(f"{HEADER}\r\n{row}\r\n".encode("utf-8-sig"))
    assert read_history(path).invoices[0].rows[0].description == "£ SIGN"


def test_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "x,France,12,1.5,2011-02-01 09:00,3,STAND,22423,1",
        header=(
            "More,Country,CustomerID,UnitPrice,InvoiceDate,Quantity,Description,StockCode,InvoiceNo"
        ),
    )
    (invoice,) = read_history(path).invoices
    assert (invoice.customer, invoice.country, invoice.amount_minor) == ("12", "France", 450)


def test_what_cannot_be_read_at_all_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no such file"):
        read_history(tmp_path / "absent.csv")
    with pytest.raises(UnreadableInput, match=r"no \.csv file in this folder"):
        read_history(tmp_path)
    with pytest.raises(UnreadableInput, match="no column InvoiceDate, UnitPrice"):
        read_history(
            written(tmp_path, header="InvoiceNo,StockCode,Description,Quantity,CustomerID,Country")
        )
    with pytest.raises(UnreadableInput, match="no column InvoiceNo"):
        read_history(written(tmp_path, header=""))
    nul = tmp_path / "nul.csv"
    nul.write_bytes(b"\0\0\0")
    with pytest.raises(UnreadableInput, match="not a text file"):
        read_history(nul)
    empty_archive = tmp_path / "a.tar"
    with tarfile.open(empty_archive, "w"):
        pass
    with pytest.raises(UnreadableInput, match=r"no \.csv file in this archive"):
        read_history(empty_archive)
