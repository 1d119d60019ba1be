"""Everything about oneself, in one file, for oneself alone."""

import json
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.signing import TimestampSigner
from django.db.models import F
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import RefreshToken, User
from inventory.services import subscribe_to_stock
from orders.services import personal_export, request_personal_export
from shop.jobs.files import read_parts
from shop.jobs.kinds import PERSONAL_DATA
from shop.jobs.models import Job
from shop.jobs.services import prune_jobs
from shop.privacy.registry import DataClass, tables
from tests.make import accounts as make_accounts
from tests.make import jobs
from tests.make import orders as make

pytestmark = pytest.mark.django_db

EXPORT = "/api/v1/me/export"
BODY = {"password": make_accounts.PASSWORD}


def exported(user: User) -> dict[str, Any]:
    """Have a worker write the file, and return what is in it."""
    job = jobs.carried_through(
        request_personal_export(
            user=user, session=uuid4(), password=make_accounts.PASSWORD, now=timezone.now()
        )
    )
    assert job.state == Job.State.SUCCEEDED, job.reason
    written = b"".join(personal_file(job))
    assert len(written) == job.result["bytes"]
    document: dict[str, Any] = json.loads(written)
    return document


def logged_in_earlier(*, minutes: int) -> None:
    """Have every session begun that much earlier."""
    RefreshToken.objects.update(expires_at=F("expires_at") - timedelta(minutes=minutes))


def personal_file(job: Job) -> Any:
    return read_parts(job, count=job.result["parts"])


def test_the_whole_of_it_comes_by_a_link_that_is_good_for_the_owner(api: APIClient) -> None:
    user = make_accounts.customer(email="jane@example.com", phone="+447700900123")
    make_accounts.address(user)
    sold = make.variant()
    make.customer(api, (sold, 3), user=user)
    make.sold((sold, 2), customer=user)

    answer = api.post(EXPORT, BODY)

    assert answer.status_code == 202
    url = answer.json()["job"]["url"]
    assert answer.headers["Location"] == url
    jobs.carried_through(Job.objects.get())
    told = api.get(url).json()
    assert (told["kind"], told["state"]) == ("export_personal_data", "succeeded")
    file = api.get(told["result"]["url"])
    assert file.headers["Content-Type"] == "application/json"
    assert "personal-data-" in file.headers["Content-Disposition"]
    assert file.headers["Cache-Control"] == "private, no-store"
    data = json.loads(file.getvalue())
    assert data["v"] == 1
    assert data["person"] == str(user.public_id)
    assert data["cart"] == [{"variant_id": sold.pk, "quantity": 3}]
    assert [row["email"] for row in data["profile"]] == ["jane@example.com"]
    assert [row["line1"] for row in data["addresses"]] == ["12 St James's Square"]
    assert [row["total_minor"] for row in data["orders"]] == [2500]
    assert [row["quantity"] for row in data["order_lines"]] == [2]
    assert len(data["sessions"]) == 1

    stranger = APIClient()
    make_accounts.signed_in(stranger, make_accounts.customer())
    assert stranger.get(told["result"]["url"]).status_code == 404
    make_accounts.signed_in(stranger, make_accounts.superuser())
    assert stranger.get(told["result"]["url"]).status_code == 404
    assert APIClient().get(told["result"]["url"]).status_code == 401


def test_the_link_is_good_for_five_minutes(api: APIClient) -> None:
    user = make_accounts.customer()
    make_accounts.signed_in(api, user)
    api.post(EXPORT, BODY)
    job = jobs.carried_through(Job.objects.get())
    url = api.get(f"/api/v1/jobs/{job.public_id}").json()["result"]["url"]

    with mock.patch.object(TimestampSigner, "timestamp", return_value="0"):
        late = api.get(f"/api/v1/jobs/{job.public_id}").json()["result"]["url"]

    assert api.get(url).status_code == 200
    assert api.get(late).json()["code"] == "result_link_expired"
    assert PERSONAL_DATA.link_seconds == 300


def test_every_section_of_the_registry_is_there_and_no_secret_is() -> None:
    data = exported(make_accounts.customer())

    sections = {table.section: table for table in tables().values() if table.section}
    assert set(data) == {"v", "person", "made_at", "cart", *sections}
    secrets = {
        name
        for table in sections.values()
        for name, personal in table.personal.items()
        if personal.data_class is DataClass.SECRET
    }
    shown = {name for section in sections for row in data[section] for name in row}
    assert {"password", "token_hash"} <= secrets
    assert not secrets & shown


@pytest.mark.parametrize("is_verified", [True, False])
def test_what_a_guest_of_the_address_did_is_shown_if_it_was_shown_to_be_theirs(
    is_verified: bool,
) -> None:
    user = make_accounts.customer(
        email="jane@example.com", email_verified_at=timezone.now() if is_verified else None
    )
    guest = make.sold((make.variant(), 1), email="jane@example.com").order
    make.sold((make.variant(), 1), email="other@example.com")
    subscribe_to_stock(
        variant_id=make.variant().pk, customer=None, email="jane@example.com", now=timezone.now()
    )

    data = exported(user)

    assert [row["number"] for row in data["orders"]] == ([guest.number] if is_verified else [])
    assert len(data["order_lines"]) == int(is_verified)
    assert len(data["stock_subscriptions"]) == int(is_verified)


def test_pages_make_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_accounts.customer()
    sold = make.variant(on_hand=100)
    numbers = [make.sold((sold, 1), customer=user).order.number for _ in range(7)]
    for size in (1, 2, 7, 500):
        monkeypatch.setattr(personal_export, "_ROWS", size)

        data = exported(user)

        assert [row["number"] for row in data["orders"]] == numbers
        assert len(data["payments"]) == len({row["id"] for row in data["payments"]}) == 7


@pytest.mark.parametrize("body", [{"password": "not-it-at-all"}, {}])
def test_nothing_is_written_without_the_password(api: APIClient, body: dict[str, str]) -> None:
    make_accounts.signed_in(api, make_accounts.customer())
    logged_in_earlier(minutes=11)

    answer = api.post(EXPORT, body)

    assert answer.status_code == (422 if body else 400)
    assert not Job.objects.exists()


def test_who_logged_in_moments_ago_need_not_say_the_password(api: APIClient) -> None:
    person = make_accounts.customer()
    make_accounts.signed_in(api, person)
    logged_in_earlier(minutes=9)

    answer = api.post(EXPORT)

    assert answer.status_code == 202
    assert Job.objects.get().owner_id == person.pk


def test_a_session_is_made_no_fresher_by_a_refresh(api: APIClient) -> None:
    tokens = make_accounts.session(make_accounts.customer())
    logged_in_earlier(minutes=11)
    renewed = api.post("/api/v1/auth/token/refresh", {"refresh": tokens.refresh}).json()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {renewed['access']}")

    answer = api.post(EXPORT)

    assert answer.json()["errors"][0]["pointer"] == "/password"
    assert not Job.objects.exists()


def test_one_session_does_not_speak_for_another(api: APIClient) -> None:
    person = make_accounts.customer()
    make_accounts.signed_in(api, person)
    logged_in_earlier(minutes=11)
    make_accounts.session(person)

    assert api.post(EXPORT).status_code == 400
    assert not Job.objects.exists()


def test_one_at_a_time(api: APIClient) -> None:
    make_accounts.signed_in(api, make_accounts.customer())

    first, second = api.post(EXPORT, BODY), api.post(EXPORT, BODY)

    assert (first.status_code, second.status_code) == (202, 409)
    assert second.json()["code"] == "job_running"


def test_the_file_is_gone_after_two_days() -> None:
    user = make_accounts.customer()
    exported(user)
    job = Job.objects.get()
    assert job.finished_at is not None

    prune_jobs(now=job.finished_at + timedelta(days=1, hours=23))
    assert Job.objects.exists()
    prune_jobs(now=job.finished_at + timedelta(days=2, seconds=1))

    assert not Job.objects.exists()
    with pytest.raises(FileNotFoundError):
        list(personal_file(job))
