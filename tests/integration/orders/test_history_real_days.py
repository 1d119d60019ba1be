"""Real invoices of a wholesaler, replayed and compared with sums made straight from the file.

The data are not part of this repository: without them these tests are skipped. The whole half
year is compared by `make replay`.
"""

import csv
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from inventory.selectors import drifted_stock
from orders.models import Order
from orders.selectors.reports import Period, sales_by

pytestmark = pytest.mark.django_db

ARCHIVE = Path(__file__).resolve().parents[4] / "shared/data/online-retail/2010-12_2011-05.tar.xz"
PENNY = Decimal("0.01")


@pytest.fixture
def days(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a folder with some days of the archive."""
    if not ARCHIVE.exists():
        pytest.skip(f"no {ARCHIVE.name} beside the repository")
    wanted = {f"{day}.csv" for day in request.param}
    with tarfile.open(ARCHIVE, "r:xz") as archive:
        for member in archive:
            name = Path(member.name).name
            content = archive.extractfile(member) if name in wanted else None
            if content is not None:
                (tmp_path / name).write_bytes(content.read())
    assert {path.name for path in tmp_path.iterdir()} == wanted
    return tmp_path


def told(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as lines:
            yield from csv.DictReader(lines)


def summed(folder: Path) -> dict[str, dict[str, object]]:
    """Reckon the report by day from the text alone, by the words of the data's own page."""
    invoices: dict[tuple[str, str], set[str]] = defaultdict(set)
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in told(folder):
        day, number = row["InvoiceDate"][:10], row["InvoiceNo"]
        quantity, price = int(row["Quantity"]), Decimal(row["UnitPrice"])
        amount = (quantity * price).quantize(PENNY, ROUND_HALF_UP)
        if row["CustomerID"]:
            invoices[day, "customers"].add(row["CustomerID"])
        if number.startswith("C"):
            invoices[day, "cancel_invoices"].add(number)
            sums[day, "cancelled_minor"] += amount * 100
            sums[day, "units_back"] -= quantity
        elif quantity > 0:
            invoices[day, "sale_invoices"].add(number)
            sums[day, "gross_minor"] += amount * 100
            sums[day, "units_sold" if price else "free_units"] += quantity
        else:
            sums[day, "units_written_off"] -= quantity
    found: dict[str, dict[str, object]] = defaultdict(dict)
    for (day, column), numbers in invoices.items():
        found[day][column] = len(numbers)
    for (day, column), amount in sums.items():
        found[day][column] = int(amount)
    return found


@pytest.mark.parametrize(
    "days",
    [("2010-12-01", "2010-12-05"), ("2011-01-18",), ("2011-04-15",)],
    indirect=True,
    ids=["days far apart", "a huge order and its cancellation", "a price of a tenth of a penny"],
)
def test_real_days_add_up_to_the_penny(days: Path) -> None:
    call_command(
        "replay_history",
        str(days),
        "--format",
        "online_retail_csv",
        "--workers=1",
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
    reported = {
        row.start.isoformat(): {
            column: getattr(row, column)
            for column in (
                "sale_invoices",
                "cancel_invoices",
                "gross_minor",
                "cancelled_minor",
                "units_sold",
                "units_back",
                "units_written_off",
                "free_units",
                "customers",
            )
            if getattr(row, column)
        }
        for row in sales_by(Period.DAY, currency="GBP")
    }
    assert reported == {
        day: {column: value for column, value in columns.items() if value}
        for day, columns in summed(days).items()
    }
    assert drifted_stock() == []
    assert not Order.objects.exclude(status=Order.Status.COMPLETED).exists()
