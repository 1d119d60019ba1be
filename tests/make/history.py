"""Invoices of another system for tests: rows written as its files have them."""

from pathlib import Path

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def row(
    number: str,
    code: str,
    quantity: int,
    price: str = "1.00",
    *,
    at: str = "2011-02-01 10:00:00",
    customer: str = "",
    description: str | None = None,
    country: str = "United Kingdom",
) -> str:
    """Return one line of a file; the description is the code's own unless another is given."""
    words = f"THE {code}" if description is None else description
    return f"{number},{code},{words},{quantity},{at},{price},{customer},{country}"


def file(folder: Path, *rows: str, name: str = "2011-02-01.csv") -> Path:
    """Write a file of these rows and return where it is."""
    path = folder / name
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path
