"""Files that are tables of products: read record by record, rows of one product gathered.

What the formats share. A format says which headings it knows, to which product a row belongs, and
what the rows of one product say.
"""

import csv
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import BinaryIO, ClassVar, Protocol, TypeVar

from catalog.services.images import is_web_address
from inventory.errors import UnreadableFile
from inventory.services.imports.limits import (
    LONGEST_CELL,
    LONGEST_SLUG,
    LONGEST_TITLE,
    LONGEST_URL,
)
from inventory.services.imports.parsed import ParsedProduct
from inventory.services.imports.report import RowError
from inventory.services.imports.scratch import Scratch, ScratchRow
from shop.errors import FieldError

Choice = TypeVar("Choice", bool, str)

_MARK = b"\xef\xbb\xbf"  # by which some programs begin UTF-8 files
UNDECODED = re.compile("[\udc80-\udcff]")
BOOLEANS = {
    "true": True, "yes": True, "y": True, "1": True,
    "false": False, "no": False, "n": False, "0": False,
}  # fmt: skip

# A cell may be as long as a product's text; the limit belongs to the module `csv` as a whole.
csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))


class Rows(Protocol):
    """Where rows wait until those of one product are together."""

    def add(self, *, key: str, line: int, cells: list[str], sku: str) -> None:
        """Keep a row under `key`. The first row to give a SKU owns it."""

    def refuse(self, *, line: int, column: str, code: str, detail: str) -> None:
        """Keep a row that belongs to no product. Without a code it is merely empty."""

    def groups(self) -> Iterator[tuple[str, list[ScratchRow]]]:
        """Yield each key with its rows, by line; groups in the order of their first row."""

    def loose(self) -> Iterator[tuple[int, str, str, str]]:
        """Yield line, column, code and detail of the rows that belong to no product."""

    def owner_of(self, sku: str) -> int | None:
        """Return the line that first gave this SKU, if any did."""

    def foresee(self, skus: Collection[str]) -> None:
        """Hear which SKUs will be asked for next."""


@dataclass(frozen=True, slots=True)
class Headings:
    """The heading line: which known column stands where, and how the file spells it."""

    names: tuple[str, ...]  # of the cells that are kept of each row
    columns: Mapping[str, int]
    spelling: Mapping[str, str]


class Records:
    """The records of a file with the line that each begins on, from where `source` stands.

    `offset` and `line` name the place behind the last record: reading can go on from there.
    """

    def __init__(self, source: BinaryIO, *, line: int = 1) -> None:
        self.offset = source.tell() if source.seekable() else 0
        self._base = line - 1
        encoding = "utf-8"
        if self.offset == 0:
            encoding = "utf-8-sig"
            if source.seekable():
                self.offset = len(_MARK) if source.read(len(_MARK)) == _MARK else 0
                source.seek(0)
        self._text = io.TextIOWrapper(
            source, encoding=encoding, errors="surrogateescape", newline=""
        )
        self._reader = csv.reader(self._lines(), strict=True)

    @property
    def line(self) -> int:
        return self._base + self._reader.line_num + 1

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        """Yield line, cells and, for what is no CSV, a complaint in place of cells."""
        while True:
            line = self.line
            try:
                yield line, next(self._reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                yield line, [], f"is not sound CSV ({error}): look for a quote left open"

    def release(self) -> None:
        """Leave the source open for whoever opened it."""
        self._text.detach()

    def _lines(self) -> Iterator[str]:
        for text in self._text:
            self.offset += (
                len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
            )
            yield text


class ProductTable(ABC):
    """A file of one format with its rows in `rows`, indexed by `index` or by an earlier run."""

    variant_cells: tuple[str, ...]  # a row with any of these is a variant
    speaking: ClassVar[tuple[str, ...]]  # a row without any of these says nothing
    default_spelling: ClassVar[Mapping[str, str]]
    # Without a handle of its own, a row's product is named by this column.
    named_by: str | None = None

    def __init__(self, headings: Headings, *, rows: Rows, currency: str) -> None:
        self.headings = headings
        self.currency = currency
        self.rows = rows
        self.row_count = 0

    @classmethod
    @abstractmethod
    def read_headings(cls, records: Records) -> Headings:
        """Read up to the heading line. Raises UnreadableFile if it is not of this format."""

    @abstractmethod
    def slug_of(self, handle: str) -> str:
        """Return the slug for what the handle column says."""

    @abstractmethod
    def product(self, slug: str, rows: list["Row"]) -> ParsedProduct:
        """Return what these rows, which are all of their product, say."""

    def column(self, name: str) -> str:
        """Return how the file spells a column, or how the format does where the file has none."""
        return self.headings.spelling.get(name) or self.default_spelling[name]

    def gives_sku(self, sku: str) -> bool:
        """Tell whether some row of the file carries this SKU itself."""
        return self.rows.owner_of(sku) is not None

    def foresee(self, skus: Collection[str]) -> None:
        """Hear which SKUs `gives_sku` will be asked for: one look for all of them."""
        self.rows.foresee(skus)

    def products(self) -> Iterator[ParsedProduct]:
        """Yield each product once, in the order of its first row.

        Rows that belong to no product come as refused products without a slug.
        """
        yield from merge(self._grouped(), self._loose(), key=attrgetter("first_line"))

    def index(self, records: Iterable[tuple[int, list[str], str]]) -> None:
        """Put the rows of these records where they wait for each other."""
        names, columns = self.headings.names, self.headings.columns
        places = [columns.get(name, -1) for name in names]
        for line, cells, complaint in records:
            if not cells and not complaint:
                continue  # an empty line is no row
            self.row_count += 1
            if complaint:
                self._refuse(line, "", "malformed_csv", complaint)
                continue
            width = len(cells)
            known = [self.cleaned(cells[place]) if 0 <= place < width else "" for place in places]
            row = Row(line, dict(zip(names, known, strict=True)), self)
            key = self._key_of(row)
            if key:
                self.rows.add(key=key, line=line, cells=known, sku=row.sku)

    def cleaned(self, cell: str) -> str:
        """Return the cell as it is kept."""
        return cell.strip()

    def sku_of(self, cell: str) -> str:
        """Return the SKU that the cell names."""
        return bare(cell)

    def sku_problem(self, row: "Row", sku: str) -> RowError | None:
        """Return what is wrong with a SKU that an earlier row of the file gave already."""
        given_on = self.rows.owner_of(sku) if sku else None
        if given_on in {None, row.line}:
            return None
        return row.error("sku", "duplicate_sku", f"{sku!r} is used on line {given_on}")

    def _key_of(self, row: "Row") -> str:
        """Return the slug of the row's product; without one, keep the row aside."""
        errors: list[RowError] = []
        handle = row.text("handle", LONGEST_SLUG, errors)
        if not handle and not errors:
            if not any(row.raw(name) for name in self.speaking):
                self._refuse(row.line, "", "", "")
                return ""
            if self.named_by is not None:
                handle = row.text(self.named_by, LONGEST_TITLE, errors)
        if not handle and not errors:
            errors.append(row.error("handle", "required", "is blank, so the row has no product"))
        if errors:
            first = errors[0]
            self._refuse(first.line, first.column, first.code, first.detail)
            return ""
        return self.slug_of(handle)

    def _refuse(self, line: int, column: str, code: str, detail: str) -> None:
        self.rows.refuse(line=line, column=column, code=code, detail=detail)

    def _loose(self) -> Iterator[ParsedProduct]:
        for line, column, code, detail in self.rows.loose():
            yield ParsedProduct(
                slug="",
                lines=((line, ""),),
                skipped=frozenset() if code else frozenset({line}),
                errors=(RowError(line, column, code, detail),) if code else (),
                is_refused=True,
                first_line=line,
            )

    def _grouped(self) -> Iterator[ParsedProduct]:
        names = self.headings.names
        for slug, rows in self.rows.groups():
            yield self.product(
                slug,
                [Row(row.line, dict(zip(names, row.cells, strict=True)), self) for row in rows],
            )


@contextmanager
def opened(table: type[ProductTable], source: BinaryIO, *, currency: str) -> Iterator[ProductTable]:
    """Read the whole file once, onto disk, and give its products. Leaves `source` open.

    Raises UnreadableFile when the heading line is not of the format.
    """
    records, scratch = Records(source), Scratch()
    try:
        file = table(table.read_headings(records), rows=scratch, currency=currency)
        file.index(records)
        yield file
    finally:
        scratch.close()
        records.release()


def heading_line(records: Records) -> tuple[int, list[str]]:
    """Return the first line that says something. Raises UnreadableFile where it is no text."""
    line, headings, complaint = next(
        (record for record in records if record[1] or record[2]), (1, [], "")
    )
    if complaint:
        raise unreadable(line, "", "malformed_csv", f"the heading line {complaint}")
    if any("\0" in heading or UNDECODED.search(heading) for heading in headings):
        raise unreadable(
            line, "", "not_utf8", "the file is not UTF-8 text: save it as “CSV UTF-8” again"
        )
    return line, [" ".join(heading.split()) for heading in headings]


def missing_column(line: int, headings: list[str], heading: str) -> UnreadableFile:
    """Return the refusal of a file without this column."""
    hint = ""
    if len(headings) == 1 and re.search(r"[;\t|]", headings[0]):
        hint = "; the cells must be separated by commas"
    return unreadable(line, heading, "missing_column", f"the column is missing{hint}")


def unreadable(line: int, column: str, code: str, detail: str) -> UnreadableFile:
    error = RowError(line, column, code, detail)
    return UnreadableFile(
        str(error), errors=[FieldError("/file", code, str(error))], line=line, column=column
    )


class Row:
    """The known cells of one row."""

    def __init__(self, line: int, cells: dict[str, str], file: ProductTable) -> None:
        self.line = line
        self._cells = cells
        self._file = file

    @property
    def is_variant(self) -> bool:
        return any(self.raw(name) for name in self._file.variant_cells)

    @property
    def sku(self) -> str:
        """The SKU that the row carries, if it is text at all."""
        cell = self.raw("sku")
        return "" if "\0" in cell or UNDECODED.search(cell) else self._file.sku_of(cell)

    def raw(self, name: str) -> str:
        return self._cells.get(name, "")

    def error(self, name: str, code: str, detail: str) -> RowError:
        return RowError(self.line, self._file.column(name), code, detail)

    def text(self, name: str, longest: int, errors: list[RowError], *, lines: bool = False) -> str:
        """Return the cell as clean text; "" after noting an error. Blanks run together."""
        cell = self.raw(name)
        if UNDECODED.search(cell):
            errors.append(
                self.error(name, "not_utf8", "is not UTF-8 text: save the file as “CSV UTF-8”")
            )
            return ""
        if "\0" in cell:
            errors.append(self.error(name, "nul_character", "contains a NUL character"))
            return ""
        if not lines:
            cell = " ".join(cell.split())
        if len(cell) > longest:
            errors.append(
                self.error(name, "too_long", f"has {len(cell)} characters; at most {longest} fit")
            )
            return ""
        return cell

    def choice(
        self, name: str, choices: dict[str, Choice], default: Choice, errors: list[RowError]
    ) -> Choice:
        cell = self.raw(name).casefold()
        if not cell:
            return default
        if cell not in choices:
            known = ", ".join(word for word in choices if len(word) > 1)
            errors.append(self.error(name, "invalid_choice", f"{shown(cell)} is none of {known}"))
            return default
        return choices[cell]

    def address(self, name: str, errors: list[RowError]) -> str:
        """Return the cell as an http(s) address; "" if blank or after noting an error."""
        noted = len(errors)
        cell = self.text(name, LONGEST_URL, errors)
        if not cell or len(errors) > noted:
            return ""
        if not is_web_address(cell):
            errors.append(
                self.error(name, "invalid_url", f"{shown(cell)} is not an http(s) address")
            )
            return ""
        return cell


def refused(slug: str, rows: list[Row], errors: list[RowError]) -> ParsedProduct:
    """Return the product refused as a whole, with a reason on each row that says something."""
    wrong = {error.line for error in errors}
    first = min(wrong)
    dependent = [
        row.error("handle", "product_refused", f"its product is refused because of line {first}")
        for row in rows
        if row.line not in wrong
    ]
    return ParsedProduct(
        slug=slug,
        lines=tuple((row.line, row.sku) for row in rows),
        skipped=frozenset(),
        errors=tuple(sorted([*errors, *dependent], key=attrgetter("line"))),
        is_refused=True,
        first_line=rows[0].line,
    )


def bare(cell: str) -> str:
    """Drop the apostrophe by which spreadsheets keep digits as text."""
    return " ".join(cell.removeprefix("'").split())


def shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}…")
