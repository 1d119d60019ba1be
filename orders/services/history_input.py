"""Reading a wholesaler's invoices, format `online_retail_csv`: text in, invoices out, no database.

A file has one row per invoice line: InvoiceNo, StockCode, Description, Quantity, InvoiceDate,
UnitPrice (GBP), CustomerID, Country. The sign of the quantity and the first letter of the invoice
number tell what a row means; `Kind` lists the meanings.
"""

import csv
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from lzma import LZMAError
from pathlib import Path
from typing import NamedTuple

from shop.money import to_minor

CURRENCY = "GBP"  # of every price in this format
COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
LARGEST_QUANTITY = 1_000_000  # units on one line; far above any real one
LARGEST_PRICE = Decimal(1_000_000)
LONGEST = {"StockCode": 64, "Description": 200, "InvoiceNo": 32, "CustomerID": 64, "Country": 64}


class UnreadableInput(Exception):
    """The whole input cannot be read: no such file, no such columns, a broken archive."""


class Kind(StrEnum):
    """What an invoice, or the part of it that goes one way, means."""

    SALE = "sale"  # digits, quantity > 0: sold, or given away where the price is 0
    WRITE_OFF = "write_off"  # digits, quantity < 0, no price: stock lost, with a clerk's words
    CANCELLATION = "cancellation"  # C…: units back, money back
    ADJUSTMENT = "adjustment"  # A…: bad debt, money only


class BadRow(NamedTuple):
    """A row that was not understood. The whole invoice that it belongs to is left out."""

    file: str
    line: int
    column: str
    detail: str
    invoice: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.column}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an invoice. Quantity and amounts carry the sign that they have in the file."""

    code: str
    description: str
    quantity: int  # units, not 0
    unit_price: Decimal  # may have more digits than the currency
    unit_price_minor: int
    amount_minor: int  # quantity times price, rounded half up once
    customer: str  # "" is a guest
    country: str
    happened_at: datetime

    @property
    def is_free(self) -> bool:
        """Given away: a price of nothing, which is not the same as a price that rounds to it."""
        return self.unit_price == 0

    @property
    def is_stocked(self) -> bool:
        return is_stocked(self.code)


@dataclass(slots=True)
class Invoice:
    """An invoice, or the part of it that is of one kind."""

    number: str
    kind: Kind
    happened_at: datetime  # of its earliest row
    customer: str
    country: str
    rows: list[Row] = field(default_factory=list)

    @property
    def amount_minor(self) -> int:
        return sum(row.amount_minor for row in self.rows)


@dataclass(frozen=True, slots=True)
class History:
    """All that was read, in the order in which it happened."""

    invoices: list[Invoice]
    bad_rows: list[BadRow]
    row_count: int

    def between(self, first: date | None, last: date | None) -> "History":
        """Return the invoices from the day `first` to the day `last`, both included."""
        return History(
            invoices=[
                invoice
                for invoice in self.invoices
                if (first is None or invoice.happened_at.date() >= first)
                and (last is None or invoice.happened_at.date() <= last)
            ],
            bad_rows=self.bad_rows,
            row_count=self.row_count,
        )


def is_stocked(code: str) -> bool:
    """Tell whether a stock code names a thing on a shelf.

    Those begin with a digit (`85123A`). The others are money under a name: POST, DOT and C2
    (carriage), D (discount), M (manual), S (samples), B (bad debt), BANK CHARGES, AMAZONFEE,
    CRUK, PADS, gift_0001_NN, DCGS….
    """
    return code[:1].isdigit()


def read_history(path: Path) -> History:
    """Read a CSV file, a folder of them, or a tar archive of them (compressed or not).

    The rows of one invoice are gathered wherever they stand. A row that cannot be understood
    leaves its invoice out and is told in `bad_rows`; it stops nothing else.
    Times have no zone in the files and are taken as UTC.

    Raises UnreadableInput if the path, an archive or a header is not what it should be.
    """
    gathering = _Gathering()
    for name, content in _files(path):
        gathering.read_file(name, _decoded(content))
    return gathering.history()


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each CSV, by name: days are then in order."""
    try:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*.csv") if p.is_file())
            if not found:
                raise UnreadableInput(f"{path}: there is no .csv file in this folder")
            for file in found:
                yield str(file.relative_to(path)), file.read_bytes()
        elif not path.exists():
            raise UnreadableInput(f"{path}: no such file or folder")
        elif tarfile.is_tarfile(path):
            yield from _archived_files(path)
        else:
            yield path.name, path.read_bytes()
    except (OSError, tarfile.TarError, LZMAError, EOFError) as error:
        raise UnreadableInput(f"{path}: {error}") from error


def _archived_files(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r:*") as archive:
        # Read in the order of the archive (a compressed one is slow to seek in), told by name.
        contents: list[tuple[str, bytes]] = []
        for member in archive:
            # Members whose names start with a dot are what macOS adds beside each file.
            if not member.isfile() or not member.name.endswith(".csv"):
                continue
            if Path(member.name).name.startswith("."):
                continue
            opened = archive.extractfile(member)
            if opened is not None:
                contents.append((member.name, opened.read()))
    if not contents:
        raise UnreadableInput(f"{path}: there is no .csv file in this archive")
    yield from sorted(contents)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # The data set was first published from Excel on Windows.
        return content.decode("cp1252", errors="replace")


class _Misread(Exception):
    def __init__(self, column: str, detail: str) -> None:
        super().__init__(detail)
        self.column = column
        self.detail = detail


class _Gathering:
    """Gathers rows into invoices. Remembers what it parsed: prices and times repeat a lot."""

    def __init__(self) -> None:
        self._invoices: dict[tuple[str, Kind], Invoice] = {}
        self._bad_rows: list[BadRow] = []
        self._row_count = 0
        self._prices: dict[str, tuple[Decimal, int, bool]] = {}
        self._times: dict[str, datetime] = {}
        self._texts: dict[str, str] = {}

    def read_file(self, name: str, text: str) -> None:
        if "\0" in text:
            raise UnreadableInput(f"{name}: this is not a text file")
        reader = csv.reader(io.StringIO(text, newline=""))
        try:
            header = [column.strip() for column in next(reader, [])]
            if missing := [column for column in COLUMNS if column not in header]:
                raise UnreadableInput(f"{name}: no column {', '.join(missing)}")
            places = [header.index(column) for column in COLUMNS]
            for cells in reader:
                if cells:
                    self._row_count += 1
                    self._take(name, reader.line_num, [*cells], places)
        except csv.Error as error:
            raise UnreadableInput(f"{name}:{reader.line_num}: {error}") from error

    def _take(self, file: str, line: int, cells: list[str], places: Sequence[int]) -> None:
        number = ""
        try:
            if len(cells) <= max(places):
                raise _Misread("row", f"has {len(cells)} cells and needs {max(places) + 1}")
            number = cells[places[0]].strip().upper()
            self._add(number, [cells[place] for place in places])
        except _Misread as misread:
            self._bad_rows.append(BadRow(file, line, misread.column, misread.detail, number))

    def _add(self, number: str, cells: Sequence[str]) -> None:
        code, description, quantity_text, moment, price_text, customer, country = (
            self._texts.setdefault(cell, cell.strip()) for cell in cells[1:]
        )
        for column, text in zip(COLUMNS, (number, code, description), strict=False):
            if len(text) > LONGEST[column]:
                raise _Misread(column, f"is longer than {LONGEST[column]} characters")
        if not number:
            raise _Misread("InvoiceNo", "is empty")
        if not code:
            raise _Misread("StockCode", "is empty")
        quantity = _quantity(quantity_text)
        price, price_minor, is_exact = self._price(price_text)
        row = Row(
            code=code,
            description=description,
            quantity=quantity,
            unit_price=price,
            unit_price_minor=price_minor,
            amount_minor=(
                quantity * price_minor if is_exact else to_minor(quantity * price, CURRENCY)
            ),
            customer=_customer(customer),
            country=country,
            happened_at=self._moment(moment),
        )
        kind = _kind(number, row)
        invoice = self._invoices.get((number, kind))
        if invoice is None:
            invoice = self._invoices[number, kind] = Invoice(
                number=number,
                kind=kind,
                happened_at=row.happened_at,
                customer=row.customer,
                country=row.country,
            )
        elif row.customer != invoice.customer:
            raise _Misread("CustomerID", f"differs from that of the other rows of {number}")
        invoice.happened_at = min(invoice.happened_at, row.happened_at)
        invoice.rows.append(row)

    def _price(self, text: str) -> tuple[Decimal, int, bool]:
        if (known := self._prices.get(text)) is not None:
            return known
        try:
            price = Decimal(text)
        except InvalidOperation:
            raise _Misread("UnitPrice", f"{text[:20]!r} is not a price") from None
        if not price.is_finite() or abs(price) > LARGEST_PRICE:
            raise _Misread("UnitPrice", f"{text[:20]!r} is not a price")
        minor = to_minor(price, CURRENCY)
        known = self._prices[text] = (price, minor, minor == price * 100)
        return known

    def _moment(self, text: str) -> datetime:
        if (known := self._times.get(text)) is not None:
            return known
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _Misread(
                "InvoiceDate", f"{text[:30]!r} is not a time like 2010-12-01 08:26:00"
            ) from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        self._times[text] = moment
        return moment

    def history(self) -> History:
        """Return what was gathered. An invoice with a bad row is left out as a whole."""
        spoilt = {bad.invoice for bad in self._bad_rows}
        invoices = [i for i in self._invoices.values() if i.number not in spoilt]
        # Stable: what happened in the same minute stays in the order of the file.
        invoices.sort(key=lambda invoice: invoice.happened_at)
        return History(invoices=invoices, bad_rows=self._bad_rows, row_count=self._row_count)


def _quantity(text: str) -> int:
    try:
        quantity = int(text)
    except ValueError:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number != number.to_integral_value():
            raise _Misread("Quantity", f"{text[:20]!r} is not a whole number") from None
        quantity = int(number) if abs(number) <= LARGEST_QUANTITY else LARGEST_QUANTITY + 1
    if quantity == 0:
        raise _Misread("Quantity", "is 0")
    if abs(quantity) > LARGEST_QUANTITY:
        raise _Misread("Quantity", f"is more than {LARGEST_QUANTITY} units")
    return quantity


def _customer(text: str) -> str:
    """Return the customer's number; spreadsheets like to write 17850 as 17850.0."""
    return text.removesuffix(".0")


def _kind(number: str, row: Row) -> Kind:
    if number.isascii() and number.isdigit():
        if row.unit_price < 0:
            raise _Misread("UnitPrice", "is below 0 on an invoice that is no adjustment")
        if row.quantity > 0:
            return Kind.SALE
        if row.unit_price != 0:
            raise _Misread("UnitPrice", "a write-off has no price; a cancellation has a C number")
        return Kind.WRITE_OFF
    if number.startswith("C"):
        if row.unit_price < 0:
            raise _Misread("UnitPrice", "is below 0 on an invoice that is no adjustment")
        if row.quantity > 0:
            raise _Misread("Quantity", "is above 0 on a cancellation")
        return Kind.CANCELLATION
    if number.startswith("A"):
        return Kind.ADJUSTMENT
    raise _Misread("InvoiceNo", f"{number!r} is none of digits, C… and A…")
