"""Keyset pages: each page is found by the last row of the one before, never by counting rows."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson
from django.core.exceptions import FieldError as UnknownColumn
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Field, IntegerField, Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import (  # type: ignore[import-untyped]  # not in stubs
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from rest_framework.request import Request

from shop.errors import FieldError, Malformed

PAGE_SIZE = 20
LARGEST_PAGE = 100

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Rows of one page in the order asked for, and the addresses of its neighbours."""

    rows: list[RowT]
    next: str | None
    previous: str | None

    def answer(self, results: Sequence[Any], **more: Any) -> dict[str, Any]:
        """Return the body of the list: `results` are the rows as clients see them."""
        return {"results": results, "next": self.next, "previous": self.previous, **more}


@dataclass(frozen=True, slots=True)
class _Cursor:
    values: list[Any]  # of the order's fields, at the row that the page begins after
    is_backward: bool


def paginate(
    queryset: QuerySet[Any, RowT],
    *,
    request: Request,
    order: Sequence[str],
    page_size: int | None = None,
    whole: QuerySet[Any, RowT] | None = None,
) -> Page[RowT]:
    """Return the page that the request's `cursor` and `page_size` name, in one query.

    `order` names columns (`-placed_at`, `id`) that are never null, the last one unique. Rows may
    be model instances or `.values()` dicts that contain these columns. `page_size` is what the
    list gives when the client does not say. With `whole`, `queryset` only says which rows are on
    the page, which an index may do alone; what is shown of them comes from there.

    Raises Malformed for a cursor that is not of this list and order.
    """
    size = _page_size(request, page_size or PAGE_SIZE)
    cursor = _read_cursor(request, order)
    fields = [field.lstrip("-") for field in order]
    descending = [field.startswith("-") for field in order]
    is_backward = cursor is not None and cursor.is_backward
    directions = [d != is_backward for d in descending]  # a page backwards is read in reverse

    rows_after = queryset.order_by(
        *(f"-{field}" if down else field for field, down in zip(fields, directions, strict=True))
    )
    try:
        if cursor is not None:
            rows_after = rows_after.filter(_after(queryset, fields, directions, cursor.values))
        if whole is not None:
            on_page = rows_after.values("pk")[: size + 1]
            rows_after = whole.filter(pk__in=on_page).order_by(*rows_after.query.order_by)
        rows = list(rows_after[: size + 1])
    except (ValidationError, ValueError, TypeError, UnknownColumn, OverflowError):
        raise _bad_cursor() from None
    has_more = len(rows) > size
    rows = rows[:size]
    if is_backward:
        rows.reverse()

    has_next = bool(rows) and (is_backward or has_more)
    has_previous = bool(rows) and ((is_backward and has_more) or (cursor and not is_backward))
    return Page(
        rows=rows,
        next=_address(request, order, rows[-1], fields, backward=False) if has_next else None,
        previous=_address(request, order, rows[0], fields, backward=True) if has_previous else None,
    )


def _page_size(request: Request, usual: int) -> int:
    given = request.query_params.get("page_size")
    if given is None:
        return usual
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= LARGEST_PAGE:
        raise Malformed(
            errors=[FieldError("/page_size", "invalid", f"A number from 1 to {LARGEST_PAGE}.")]
        )
    return int(given)


def _after(
    queryset: QuerySet[Any, Any], fields: list[str], directions: list[bool], values: list[Any]
) -> Q | TupleLessThan | TupleGreaterThan:
    """Return the condition for what comes behind these values of the order's fields."""
    columns = [queryset.query.resolve_ref(field) for field in fields]
    for column, value in zip(columns, values, strict=True):
        _require_number_in_range(column.output_field, value)
    if len(set(directions)) == 1:
        # An index is entered just there, however many rows share the first value.
        behind = TupleLessThan if directions[0] else TupleGreaterThan
        return behind(Tuple(*columns), tuple(values))
    # (a, b) > (x, y) spelled so that mixed directions work: a > x, or a = x and b > y. The first
    # condition alone bounds the index scan.
    condition = Q()
    for depth in range(len(fields)):
        step = Q(**{f"{fields[i]}": values[i] for i in range(depth)})
        operator = "lt" if directions[depth] else "gt"
        condition |= step & Q(**{f"{fields[depth]}__{operator}": values[depth]})
    first = "lte" if directions[0] else "gte"
    return Q(**{f"{fields[0]}__{first}": values[0]}) & condition


def _require_number_in_range(column: Field[Any, Any], value: Any) -> None:
    if isinstance(column, IntegerField) and isinstance(value, int | float):
        low, high = connection.ops.integer_field_range(column.get_internal_type())
        if not low <= value <= high:
            raise OverflowError("No row has such a number.")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, date | Decimal | UUID):
        return str(value)
    return value


def _address(
    request: Request, order: Sequence[str], row: Any, fields: list[str], *, backward: bool
) -> str:
    values = [_plain(_value(row, field)) for field in fields]
    raw = orjson.dumps([",".join(order), int(backward), values])
    cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    params = [
        (name, value)
        for name, given in request.query_params.lists()
        for value in given
        if name != "cursor"
    ]
    # A slash at the end makes no other list.
    path = request.build_absolute_uri(request.path.rstrip("/"))
    return f"{path}?{urlencode([*params, ('cursor', cursor)])}"


def _value(row: Any, field: str) -> Any:
    if isinstance(row, Model):
        for step in field.split("__"):
            row = getattr(row, step)
        return row
    return row[field]


def _read_cursor(request: Request, order: Sequence[str]) -> _Cursor | None:
    given = request.query_params.get("cursor")
    if not given:
        return None
    try:
        padded = given + "=" * (-len(given) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        named, backward, values = found
        values = [
            datetime.fromisoformat(value["t"]) if isinstance(value, dict) else value
            for value in values
        ]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise _bad_cursor() from None
    sane = all(
        isinstance(value, str | bool | datetime)
        or (isinstance(value, int | float) and abs(value) < 2**63)
        for value in values
    )
    has_nul = any(isinstance(value, str) and "\x00" in value for value in values)
    naive = any(isinstance(value, datetime) and value.tzinfo is None for value in values)
    if (
        named != ",".join(order)
        or len(values) != len(order)
        or backward not in (0, 1)
        or not sane
        or has_nul
        or naive
    ):
        raise _bad_cursor()
    return _Cursor(values=values, is_backward=bool(backward))


def _bad_cursor() -> Malformed:
    return Malformed(
        errors=[
            FieldError("/cursor", "invalid", "This cursor is not from this list in this order.")
        ]
    )
