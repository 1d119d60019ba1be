"""Jobs as staff see them in the admin."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from catalog.models import Product
from shop.jobs.kinds import EXPORTS, IMPORTS
from shop.jobs.models import Job
from tests.make import accounts
from tests.make import jobs as make
from tests.make.inventory import make_warehouse

pytestmark = pytest.mark.django_db

BAD = b"Handle,Title,Variant Price\nmug,Mug,a lot\ncup,Cup,5.00\n"


@pytest.fixture(autouse=True)
def _warehouse() -> None:
    make_warehouse()


@pytest.fixture
def staff() -> User:
    return accounts.staff(
        "shop.view_job", *IMPORTS["shopify_csv"].permissions, *EXPORTS["native_csv"].permissions
    )


@pytest.fixture
def page(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def sent(page: Client, content: bytes = BAD, **more: Any) -> Any:
    upload = SimpleUploadedFile("mugs.csv", content)
    return page.post(
        "/admin/shop/job/import/", {"file": upload, "format": "shopify_csv", **more}, follow=True
    )


def test_a_dry_run_shows_what_an_import_would_do(page: Client) -> None:
    assert "Import a file" in page.get("/admin/shop/job/").content.decode()
    form = page.get("/admin/shop/job/import/").content.decode()
    assert "Import of a Shopify CSV" in form
    assert "wholesaler" not in form  # which this account may not replay

    running = sent(page, dry_run="on")
    assert running["Refresh"] == "3"
    make.carried_through(Job.objects.get())
    shown = page.get(running.request["PATH_INFO"])

    assert not shown.has_header("Refresh")
    text = shown.content.decode()
    assert "1 created, 1 failed" in text
    assert "line 2, Variant Price: " in text
    assert not Product.objects.exists()


def test_a_wrong_upload_is_told_at_the_form(page: Client) -> None:
    answer = sent(page, b"PK\x03\x04")

    assert "a spreadsheet" in answer.content.decode()
    assert not Job.objects.exists()


def test_errors_and_results_are_fetched_and_jobs_cancelled_by_their_owner(
    page: Client, staff: User
) -> None:
    sent(page)
    imported = make.carried_through(Job.objects.get())
    errors = page.get(f"/admin/shop/job/{imported.pk}/errors/")
    assert b"a lot" in b"".join(errors.streaming_content)  # type: ignore[attr-defined]
    page.get("/admin/shop/job/export/")
    assert Job.objects.count() == 1  # a link changes nothing
    page.post("/admin/shop/job/export/")
    exported = make.carried_through(Job.objects.get(kind="export_native_csv"))
    result = page.get(f"/admin/shop/job/{exported.pk}/result/")
    assert b"cup,Cup" in b"".join(result.streaming_content)  # type: ignore[attr-defined]
    sent(page)
    waiting = Job.objects.latest("pk")

    page.get(f"/admin/shop/job/{waiting.pk}/cancel/")
    assert Job.objects.get(pk=waiting.pk).state == Job.State.QUEUED
    page.post(f"/admin/shop/job/{waiting.pk}/cancel/")

    assert Job.objects.get(pk=waiting.pk).state == Job.State.CANCELLED


@pytest.mark.parametrize("path", ["errors", "result", "cancel"])
def test_files_of_somebody_else_stay_theirs(page: Client, path: str) -> None:
    job = make.import_job(BAD)

    answer = page.post(f"/admin/shop/job/{job.pk}/{path}/")

    assert answer.status_code in {403, 404}
    assert Job.objects.get().cancel_requested_at is None


def test_staff_who_may_only_look_start_nothing(client: Client) -> None:
    client.force_login(accounts.staff("shop.view_job"))

    assert client.get("/admin/shop/job/").status_code == 200
    assert client.get("/admin/shop/job/import/").status_code == 403
    assert client.get("/admin/shop/job/export/").status_code == 403
    assert not Job.objects.exists()
