"""Imports and exports over HTTP: started, watched, cancelled, fetched, and for nobody else."""

import contextlib
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import PriceHistory, Product, ProductListing, Variant
from inventory.models import Stock, StockMovement
from inventory.selectors import drifted_stock
from inventory.services.imports import jobs as import_jobs
from inventory.services.imports.staged import StagedRows
from orders.models import Order
from shop.jobs.kinds import EXPORTS, IMPORTS, KINDS
from shop.jobs.models import Job, JobRow
from shop.jobs.services import advance, cancel_job
from tests.make import accounts
from tests.make import jobs as make
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "shopify"
REAL_FILES = sorted(SHARED.glob("*.csv"))
COLUMNS = (
    "Handle", "Title", "Option1 Name", "Option1 Value", "Variant SKU", "Variant Inventory Qty",
    "Variant Price",
)  # fmt: skip
MUGS = make.table(
    COLUMNS,
    [
        {"Handle": "mug", "Title": "Mug", "Option1 Name": "Size", "Option1 Value": "S",
         "Variant SKU": "M-S", "Variant Inventory Qty": "5", "Variant Price": "12.00"},
        {"Handle": "cup", "Title": "Cup", "Variant SKU": "C-1", "Variant Price": "a lot"},
        {"Handle": "mug", "Option1 Value": "L", "Variant SKU": "M-L", "Variant Price": "15.00"},
    ],
)  # fmt: skip


@pytest.fixture(autouse=True)
def _warehouse(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("django_db")
    request.getfixturevalue("transactional_db" if marker and marker.kwargs else "db")
    make_warehouse()


@pytest.fixture
def importer() -> User:
    return accounts.staff(*IMPORTS["shopify_csv"].permissions)


@pytest.fixture
def exporter() -> User:
    return accounts.staff(*EXPORTS["native_csv"].permissions)


def upload(api: APIClient, content: bytes = MUGS, **fields: Any) -> Any:
    return api.post(
        "/api/v1/imports",
        {"file": SimpleUploadedFile("mugs.csv", content), "format": "shopify_csv", **fields},
        format="multipart",
    )


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_a_file_is_imported_while_its_owner_watches(api: APIClient, importer: User) -> None:
    accounts.signed_in(api, importer)

    started = upload(api)

    assert started.status_code == 202
    url = started["Location"]
    assert started.json() == {"job": {"id": url.rpartition("/")[2], "url": url}}
    waiting = api.get(url).json()
    assert (waiting["state"], waiting["kind"]) == ("queued", "import_shopify_csv")
    assert waiting["progress"] == {"done": 0, "total": None}
    make.carried_through(Job.objects.get())
    ended = api.get(url).json()
    assert ended["state"] == "succeeded"
    assert ended["progress"] == {"done": 3, "total": 3}
    assert ended["result"] == {"created": 2, "updated": 0, "skipped": 0, "failed": 1}
    assert ended["source_name"] == "mugs.csv"
    problems = api.get(ended["errors_url"])
    assert problems["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(body(problems).decode()))
    assert (row["line"], row["column"], row["code"]) == ("3", "Variant Price", "invalid_price")
    assert row["detail"] == "'a lot' is not a price such as 19.99"
    lines = body(api.get(ended["errors_url"], {"format": "jsonl"})).splitlines()
    assert [json.loads(line)["line"] for line in lines] == [3]
    assert set(Variant.objects.values_list("sku", flat=True)) == {"M-S", "M-L"}
    assert Stock.objects.get().on_hand == 5
    assert not JobRow.objects.exists()


def test_a_second_import_skips_everything(importer: User) -> None:
    make.carried_through(make.import_job(MUGS))
    before = (PriceHistory.objects.count(), StockMovement.objects.count())

    again = make.carried_through(make.import_job(MUGS))

    assert again.result == {"v": 1, "created": 0, "updated": 0, "skipped": 2, "failed": 1}
    assert (PriceHistory.objects.count(), StockMovement.objects.count()) == before


def test_a_dry_run_reports_and_leaves_nothing(api: APIClient, importer: User) -> None:
    accounts.signed_in(api, importer)
    upload(api, dry_run="true")

    job = make.carried_through(Job.objects.get())

    assert api.get(f"/api/v1/jobs/{job.public_id}").json()["dry_run"] is True
    assert job.result == {"v": 1, "created": 2, "updated": 0, "skipped": 0, "failed": 1}
    assert make.errors_of(job) == [(3, "Variant Price", "invalid_price")]
    assert not Product.objects.exists()
    assert not Stock.objects.exists()


def test_a_file_of_another_format_fails_with_the_reason(api: APIClient, importer: User) -> None:
    accounts.signed_in(api, importer)
    url = upload(api, b"name,price\nmug,12\n")["Location"]

    make.carried_through(Job.objects.get())

    ended = api.get(url).json()
    assert (ended["state"], ended["errors_url"]) == ("failed", None)
    assert ended["reason"] == 'line 1, column "Handle": the column is missing'
    assert not Product.objects.exists()


# Who --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 401), ("customer", 403), ("other staff", 403), ("staff", 202)]
)
def test_only_staff_who_may_write_products_import(
    who: str, status: int, api: APIClient, importer: User
) -> None:
    people = {
        "nobody": None,
        "customer": accounts.customer(),
        "other staff": accounts.staff("catalog.add_product"),
        "staff": importer,
    }
    accounts.signed_in(api, people[who])

    assert upload(api).status_code == status
    assert Job.objects.count() == (status == 202)


@pytest.mark.parametrize("path", ["", "/cancel", "/errors", "/result?token=x"])
def test_somebody_elses_job_is_not_there(path: str, api: APIClient, importer: User) -> None:
    job = make.import_job(MUGS)
    accounts.signed_in(api, importer)
    call = api.post if path == "/cancel" else api.get

    assert call(f"/api/v1/jobs/{job.public_id}{path}").status_code == 404
    assert Job.objects.get().cancel_requested_at is None
    api.credentials()
    assert call(f"/api/v1/jobs/{job.public_id}{path}").status_code == 401


@pytest.mark.parametrize("size", [1, 5])
def test_the_list_shows_ones_own_jobs_in_one_query(
    size: int, api: APIClient, importer: User
) -> None:
    for _ in range(size):
        make.job(IMPORTS["shopify_csv"], upload=MUGS, owner_id=importer.pk)
    make.import_job(MUGS)
    accounts.signed_in(api, importer)
    api.get("/api/v1/jobs")

    # Expect 1 for the page; who asks comes from the cache.
    with CaptureQueriesContext(
        connection,
    ) as seen:
        found = api.get("/api/v1/jobs").json()

    assert len(found["results"]) == size
    assert sum("shop_job" in query["sql"] for query in seen.captured_queries) == 1


# What may be sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"format": "xlsx"}, 400, "malformed_request"),
        ({"dry": "true"}, 400, "unknown_field"),
        ({"file": ""}, 400, "malformed_request"),
        ({"file": SimpleUploadedFile("a.xlsx", b"PK\x03\x04")}, 422, "no_text_file"),
        ({"file": SimpleUploadedFile("a.csv", b"")}, 422, "no_text_file"),
    ],
)
def test_what_is_no_import_is_refused(
    fields: dict[str, Any], status: int, code: str, api: APIClient, importer: User
) -> None:
    accounts.signed_in(api, importer)

    refused = upload(api, **fields)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert not Job.objects.exists()


def test_the_same_key_starts_one_job(api: APIClient, importer: User) -> None:
    accounts.signed_in(api, importer)
    answers = [
        api.post(
            "/api/v1/imports",
            {"file": SimpleUploadedFile("mugs.csv", MUGS), "format": "shopify_csv"},
            format="multipart",
            HTTP_IDEMPOTENCY_KEY="import-1",
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert Job.objects.count() == 1


# Pieces -------------------------------------------------------------------------------------------


@pytest.fixture
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_jobs, "_READ_ROWS", 3)
    monkeypatch.setattr(import_jobs, "_MERGE_ROWS", 4)
    monkeypatch.setattr("shop.jobs.services.SLICE_SECONDS", 0.0)


def shelf(products: int) -> bytes:
    """Return products of two sizes, whose rows stand apart, with words beyond ASCII."""
    rows = [
        {"Handle": f"mug-{number}", "Title": f"Mügchen {number}" if size == "S" else "",
         "Option1 Name": "Size" if size == "S" else "", "Option1 Value": size,
         "Variant SKU": f"{number}-{size}", "Variant Price": "9.00",
         "Variant Inventory Qty": str(number)}
        for size in ("S", "L")
        for number in range(products)
    ]  # fmt: skip
    return b"\xef\xbb\xbf" + make.table(COLUMNS, rows)


class Killed(BaseException):
    """The worker is gone."""


@pytest.mark.usefixtures("_small_pieces")
def test_the_pieces_come_to_the_same_as_the_whole() -> None:
    make.carried_through(make.import_job(shelf(7)))

    assert Product.objects.count() == 7
    assert [p.title for p in Product.objects.order_by("id")] == [f"Mügchen {n}" for n in range(7)]
    assert Variant.objects.count() == 14
    assert ProductListing.objects.count() == 7
    assert sorted(Stock.objects.values_list("on_hand", flat=True)) == sorted([*range(1, 7)] * 2)
    assert drifted_stock() == []


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("kill_at", range(1, 13, 2))
def test_an_import_may_be_killed_at_any_commit(
    kill_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make.import_job(shelf(5))
    calls = 0

    def dying(**facts: Any) -> None:
        nonlocal calls
        calls += 1
        advance(**facts)
        if calls == kill_at:
            raise Killed

    monkeypatch.setattr(import_jobs, "advance", dying)
    monkeypatch.setattr("shop.jobs.services.SLICE_SECONDS", 60.0)
    with contextlib.suppress(Killed):
        make.slice_of(job)

    job = make.carried_through(Job.objects.get())

    assert job.result == {"v": 1, "created": 10, "updated": 0, "skipped": 0, "failed": 0}
    assert (job.done, job.total) == (10, 10)
    assert StockMovement.objects.count() == Stock.objects.count() == 8  # none of mug 0


@pytest.mark.usefixtures("_small_pieces")
def test_a_crash_of_the_server_loses_the_staged_rows_and_nothing_else() -> None:
    job = make.import_job(shelf(6))
    while job.done < 4:
        job = make.slice_of(job)
    JobRow.objects.all().delete()

    job = make.carried_through(job)

    assert job.result == {"v": 1, "created": 12, "updated": 0, "skipped": 0, "failed": 0}
    assert Variant.objects.count() == 12


@pytest.mark.usefixtures("_small_pieces")
def test_a_cancelled_import_keeps_whole_products() -> None:
    job = make.import_job(shelf(6))
    while job.done < 4:
        job = make.slice_of(job)
    cancel_job(job=job, now=timezone.now())

    job = make.carried_through(job)

    assert job.state == Job.State.CANCELLED
    assert Product.objects.count() * 2 == Variant.objects.count() == job.result["created"]
    assert not JobRow.objects.exists()


# Exports ------------------------------------------------------------------------------------------


def test_an_export_is_fetched_by_its_owner_alone_and_soon(
    api: APIClient, exporter: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.carried_through(make.import_job(MUGS))
    accounts.signed_in(api, exporter)
    started = api.post("/api/v1/exports", {"format": "native_csv"})
    assert started.status_code == 202
    assert api.post("/api/v1/exports", {"format": "native_csv"}).json()["code"] == "job_running"

    make.carried_through(Job.objects.get(kind="export_native_csv"))

    result = api.get(started["Location"]).json()["result"]
    assert result["rows"] == 2
    fetched = api.get(result["url"])
    assert fetched["Content-Disposition"].startswith("attachment; filename=")
    content = body(fetched)
    assert len(content) == result["bytes"]
    assert [row["sku"] for row in csv.DictReader(io.StringIO(content.decode()))] == ["M-S", "M-L"]
    # The link is no key: somebody else with it finds nothing, and the owner not for ever.
    stranger = accounts.signed_in(APIClient(), accounts.staff("catalog.view_product"))
    assert stranger.get(result["url"]).status_code == 404
    assert APIClient().get(result["url"]).status_code == 401
    kind = EXPORTS["native_csv"]
    monkeypatch.setitem(KINDS, kind.name, replace(kind, link_seconds=-1))
    assert api.get(result["url"]).json()["code"] == "result_link_expired"


@pytest.mark.parametrize("token", ["", "x", "1abc:def"])
def test_a_made_up_link_fetches_nothing(token: str, api: APIClient, exporter: User) -> None:
    job = make.carried_through(make.job(EXPORTS["native_csv"], owner_id=exporter.pk, filters={}))
    accounts.signed_in(api, exporter)

    answer = api.get(f"/api/v1/jobs/{job.public_id}/result", {"token": token})

    assert answer.status_code == (403 if token else 400)


# Histories ----------------------------------------------------------------------------------------

INVOICES = b"""InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536366,22633,HAND WARMER,6,2010-12-01 08:28:00,1.85,17850,United Kingdom
C536367,85123A,WHITE HANGING HEART,-1,2010-12-01 09:00:00,2.55,17850,United Kingdom
536368,22633,HAND WARMER,many,2010-12-01 09:28:00,1.85,17850,United Kingdom
"""


@pytest.mark.django_db(transaction=True)
def test_a_history_is_replayed_by_the_same_route(api: APIClient) -> None:
    accounts.signed_in(api, accounts.staff(*IMPORTS["online_retail_csv"].permissions))
    started = upload(api, INVOICES, format="online_retail_csv")
    assert started.status_code == 202

    job = make.carried_through(Job.objects.get())

    assert job.result == {"v": 1, "created": 3, "updated": 0, "skipped": 0, "failed": 1}
    assert [line for line, *_ in make.errors_of(job)] == [5]
    assert Order.objects.count() == 2
    again = make.carried_through(make.import_job(INVOICES, format_name="online_retail_csv"))
    assert again.result == {"v": 1, "created": 0, "updated": 0, "skipped": 3, "failed": 1}
    dry = make.import_job(INVOICES, format_name="online_retail_csv", dry_run=True)
    assert make.carried_through(dry).result["failed"] == 1
    assert Order.objects.count() == 2


@pytest.mark.skipif(not REAL_FILES, reason=f"no files in {SHARED}")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem)
def test_real_files_come_in_by_the_api(path: Path, api: APIClient, importer: User) -> None:
    accounts.signed_in(api, importer)

    upload(api, path.read_bytes())
    job = make.carried_through(Job.objects.get())

    assert job.result["created"] > 0
    assert job.result["failed"] == 0
    again = make.carried_through(make.import_job(path.read_bytes()))
    assert again.result["skipped"] == again.total


def test_rows_are_gathered_once_the_planner_has_looked_at_them() -> None:
    # The other way round each row of a file was read once for each row.
    rows = StagedRows(1)
    rows.add(key="mug", line=2, cells=[""], sku="M-1")
    rows.write()

    with CaptureQueriesContext(connection) as seen:
        rows.gather()

    assert [query["sql"].split()[0] for query in seen.captured_queries] == ["ANALYZE", "UPDATE"]


def test_staged_rows_are_found_by_their_indexes() -> None:
    rows = StagedRows(1)
    for number in range(300):  # of fewer, any index will do
        rows.add(key=f"mug-{number}", line=number + 2, cells=[""], sku=f"M-{number}")
    rows.write()

    with connection.cursor() as cursor, CaptureQueriesContext(connection) as seen:
        cursor.execute("ANALYZE shop_jobrow")
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert rows.load(after=0, size=2) == 3
        rows.foresee(["M-2", "X-1"])
    statements = [query["sql"] for query in seen.captured_queries if "shop_jobrow" in query["sql"]]
    with connection.cursor() as cursor:
        plans = []
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert ["Seq Scan" in plan for plan in plans] == [False, False, False]
    assert "job_row_by_sku" in plans[1]
    assert "job_row_by_sku" in plans[2]
    assert (rows.owner_of("M-2"), rows.owner_of("X-1")) == (4, None)
