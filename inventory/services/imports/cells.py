"""Cells that mean the same in every format: money, weights, units."""

import re
from decimal import ROUND_HALF_UP, Decimal

from inventory.services.imports.limits import MOST_UNITS
from inventory.services.imports.report import RowError
from inventory.services.imports.table import Row, shown
from shop.money import Money

_PRICE = re.compile(r"(\d{1,13}(\.\d*)?|\.\d+)", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d{1,12}(\.0+)?", re.ASCII)
_GRAMS = re.compile(r"\d{1,12}(\.\d*)?", re.ASCII)


def amount(row: Row, name: str, currency: str, errors: list[RowError]) -> int:
    cell = row.raw(name)
    if not cell:
        return 0
    code, detail = "invalid_price", "is not a price such as 19.99"
    if _PRICE.fullmatch(cell):
        try:
            # Trailing zeros say nothing: 50.0000 is 50.00.
            plain = f"{Decimal(cell):f}"
            return Money.parse(
                plain.rstrip("0").rstrip(".") if "." in plain else plain, currency
            ).amount_minor
        except ValueError as error:
            detail = f"is not a price: {error}"
    elif cell.startswith("-"):
        code, detail = "negative_price", "is below zero"
    elif "," in cell:
        detail = "has a comma: write 1299.00, with a point and without thousands separators"
    errors.append(row.error(name, code, f"{shown(cell)} {detail}"))
    return 0


def grams(row: Row, errors: list[RowError]) -> int:
    """Return the weight. The column is in grams whatever unit the shop shows."""
    cell = row.raw("grams")
    if not cell:
        return 0
    if _GRAMS.fullmatch(cell):
        grams = int(Decimal(cell).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        if grams <= MOST_UNITS:
            return grams
    errors.append(row.error("grams", "invalid_weight", f"{shown(cell)} is no weight in grams"))
    return 0


def units(row: Row, errors: list[RowError], *, name: str = "quantity") -> int:
    """Return the units to open with: none for an empty cell, and none for an oversold one."""
    cell = row.raw(name)
    if not cell:
        return 0
    if _WHOLE.fullmatch(cell) and abs(units := int(cell.split(".")[0])) <= MOST_UNITS:
        return max(0, units)
    errors.append(row.error(name, "invalid_quantity", f"{shown(cell)} is no whole number"))
    return 0
