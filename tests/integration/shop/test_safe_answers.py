"""What every answer tells browsers, and what is refused of uploads before anything is kept."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as shop_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from rest_framework.test import APIClient

from shop.embedded.home import PROJECT
from shop.models import Job
from tests.make import accounts as make

pytestmark = pytest.mark.django_db

PAGES = ["/api/v1/products", "/api/v1/nowhere", "/api/docs", "/api/schema", "/admin/login/",
         "/problems", "/livez"]  # fmt: skip
IMPORTS = "/api/v1/imports"
ELSEWHERE = "https://elsewhere.example"


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_is_framed_sniffed_and_run_by_nobody(client: Client, path: str) -> None:
    answer = client.get(path)

    policy = dict(rule.split(" ", 1) for rule in answer["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'self'"
    ours = {"'self'"}
    if path.startswith("/admin/"):
        ours |= {"'unsafe-inline'", "'unsafe-eval'"}  # its theme evaluates attributes; staff alone
    assert set(policy["script-src"].split()) <= ours
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Server" not in answer.headers
    assert "X-Powered-By" not in answer.headers


def test_https_is_insisted_on(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_PRELOAD = 31_536_000, True
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_SSL_REDIRECT = True

    plain = Client().get("/api/v1/products")
    safe = Client().get("/api/v1/products", secure=True)

    assert (plain.status_code, plain["Location"][:8]) == (301, "https://")
    assert safe["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"


def test_the_api_sets_no_cookie_and_reads_none(client: Client) -> None:
    user = make.superuser()
    client.force_login(user)  # a session of the admin

    answer = client.get("/api/v1/me")

    assert answer.status_code == 401
    assert not answer.cookies


def test_cookies_of_the_admin_are_for_no_script_and_no_other_site(client: Client) -> None:
    page = client.get("/admin/login/")
    user = make.superuser()
    user.set_password("harbour-lights-42")
    user.save(update_fields=["password"])
    client.post("/admin/login/", {"username": user.email, "password": "harbour-lights-42"})

    cookies = {**page.cookies, **client.cookies}
    assert cookies
    for cookie in cookies.values():
        assert cookie["httponly"], cookie
        assert cookie["samesite"] in {"Lax", "Strict"}, cookie


def test_only_origins_that_are_named_may_read_answers(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]

    def told(origin: str, **headers: str) -> dict[str, str]:
        answer = Client().get("/api/v1/products", headers={"Origin": origin, **headers})
        return {
            name: value for name, value in answer.headers.items() if "control-allow" in name.lower()
        }

    assert told("https://shop.example")["access-control-allow-origin"] == "https://shop.example"
    for origin in (ELSEWHERE, "null", "https://shop.example.evil", "http://shop.example", "*"):
        assert told(origin) == {}
    assert "access-control-allow-credentials" not in told("https://shop.example")
    preflight = Client().options(
        "/api/v1/checkout",
        headers={"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"},
    )
    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "", "testserver:x"])
def test_a_strange_host_is_refused_by_every_kind_of_page(client: Client, host: str) -> None:
    for path in ("/api/v1/products", "/api/docs", "/admin/login/"):
        assert client.get(path, headers={"Host": host}).status_code == 400, path


class TestUploads:
    @pytest.fixture
    def clerk(self, api: APIClient) -> APIClient:
        return make.signed_in(api, make.superuser())

    def raw(self, clerk: APIClient, body: bytes, kind: str) -> Any:
        return clerk.generic("POST", IMPORTS, body, content_type=kind)  # type: ignore[arg-type]

    def sent(self, clerk: APIClient, parts: dict[str, Any]) -> Any:
        return clerk.post(IMPORTS, parts, format="multipart")

    def test_of_too_many_parts_are_refused(self, clerk: APIClient) -> None:
        fields = {
            f"field{number}": "x"
            for number in range(shop_settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)
        }
        files = {
            f"file{number}": SimpleUploadedFile("a.csv", b"x")
            for number in range(shop_settings.DATA_UPLOAD_MAX_NUMBER_FILES + 1)
        }

        for parts in (fields, files):
            assert self.sent(clerk, parts).status_code == 400
        assert not Job.objects.exists()

    def test_with_a_field_as_large_as_a_file_are_refused(self, clerk: APIClient) -> None:
        field = "x" * (shop_settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)

        assert self.sent(clerk, {"format": field}).status_code in {400, 413}
        assert not Job.objects.exists()

    def test_with_unknown_parts_are_refused(self, clerk: APIClient) -> None:
        file = SimpleUploadedFile("a.csv", b"sku,title\n")

        answer = self.sent(clerk, {"file": file, "format": "native_csv", "owner_id": "1"})

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")
        assert not Job.objects.exists()

    @pytest.mark.parametrize(
        "name",
        ["../../etc/passwd", "..\\..\\x.csv", "/etc/passwd", "a\x00.csv", "x" * 300, ".htaccess"],
    )
    def test_are_kept_under_names_of_our_own(self, clerk: APIClient, name: str) -> None:
        body = encode_multipart(
            BOUNDARY,
            {"file": SimpleUploadedFile("placeholder.csv", b"sku,title\n"), "format": "native_csv"},
        ).replace(b"placeholder.csv", name.encode())

        answer = self.raw(clerk, body, MULTIPART_CONTENT)

        assert answer.status_code in {202, 400}
        for job in Job.objects.all():
            assert re.fullmatch(r"[\w/-]+(\.\w+)?", job.input_name), job.input_name
            assert ".." not in job.input_name

    @pytest.mark.parametrize("body", [b"", b"no boundary", b"--x\r\n\r\n", b"--BoUnDaRyStRiNg"])
    def test_that_are_no_form_are_refused(self, clerk: APIClient, body: bytes) -> None:
        for kind in (MULTIPART_CONTENT, "multipart/form-data", "multipart/form-data; boundary="):
            assert self.raw(clerk, body, kind).status_code == 400
        assert not Job.objects.exists()


def test_forms_are_read_nowhere_but_where_files_are_taken(api: APIClient) -> None:
    for kind in ("multipart", None):
        answer = api.generic(
            "POST",
            "/api/v1/auth/token",
            encode_multipart(BOUNDARY, {"email": "a@example.com", "password": "x"}),  # type: ignore[arg-type]
            content_type=MULTIPART_CONTENT if kind else "application/x-www-form-urlencoded",
        )
        assert answer.status_code == 415


def test_no_release_brings_pickle_along() -> None:
    """Neither what is stored nor what is sent names a serializer that runs what it reads."""
    deployed = [*PROJECT.glob("deploy/*"), *PROJECT.glob("shop/**/*.py")]
    told = "\n".join(path.read_text(encoding="utf-8") for path in deployed if Path(path).is_file())

    assert not re.search(r"PickleSerializer|accept_content=.*pickle|['\"]pickle['\"]", told)
    assert json.dumps(shop_settings.CELERY_ACCEPT_CONTENT) == '["json"]'
    assert shop_settings.CELERY_RESULT_BACKEND is None
