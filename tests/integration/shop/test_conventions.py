"""Conventions that hold on every route, whatever app answers."""

import json
import time
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from rest_framework.test import APIClient

from shop.errors import Malformed
from shop.http.json import DEEPEST, MOST_VALUES, loads
from tests.make import catalog as make_catalog
from tests.make.accounts import address_fields, customer, session, signed_in, superuser

pytestmark = pytest.mark.django_db

UNKNOWN = "/api/v1/nowhere"


def _problem(response: Any) -> dict[str, Any]:
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert {"type", "title", "status", "detail", "code", "request_id", "retryable"} <= set(body)
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["request_id"] == response["X-Request-ID"]
    return body


@pytest.mark.parametrize("path", [UNKNOWN, "/nowhere", "/api/v1/", "/api/v1/Products", "//api/v1"])
def test_an_unknown_path_is_a_problem(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert _problem(response)["code"] == "not_found"


def test_a_wrong_method_names_the_right_ones(client: Client) -> None:
    response = client.delete("/api/v1/products")

    assert response.status_code == 405
    assert _problem(response)["code"] == "method_not_allowed"
    assert "GET" in response["Allow"]


def test_another_media_type_is_refused(client: Client) -> None:
    response = client.post("/api/v1/auth/token", "a=b", content_type="text/plain")

    assert response.status_code == 415
    assert _problem(response)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"NaN",
        b'{"email": NaN}',
        b'{"email": Infinity}',
        b'{"email": 1e400}',
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"[]",
        b"null",
        b"7",
        b"",
    ],
)
def test_what_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    response = client.post("/api/v1/auth/token", body, content_type="application/json")

    assert response.status_code == 400
    _problem(response)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b'{"a":[' * 17 + b"1" + b"]}" * 17,
        b"[" * 1_000_000,
        b'["' + b'\\"[' * 300_000,  # a string without an end
        b"[" + b"1," * MOST_VALUES + b"1]",
        b"{" + b",".join(b'"%d":1' % number for number in range(MOST_VALUES + 1)) + b"}",
        b"[" + b"[]," * 300_000 + b"[]]",
    ],
)
def test_what_is_too_deep_or_too_much_is_refused_before_anything_is_built_of_it(
    body: bytes,
) -> None:
    with mock.patch("shop.http.json.orjson.loads") as parse:
        began = time.process_time()
        with pytest.raises(Malformed):
            loads(body)

    assert not parse.called
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEPEST + b"]" * DEEPEST,
        b'{"a":[' * 16 + b"1" + b"]}" * 16,
        b'["' + b'[{,\\"' * 50_000 + b'"]',  # in a string they are letters
        b"[" + b"1," * (MOST_VALUES - 1) + b"1]",
        b"[" + b"[]," * 40_000 + b"[]]",
    ],
)
def test_what_is_within_the_limits_is_read(body: bytes) -> None:
    assert loads(body) == json.loads(body)


@pytest.mark.parametrize("path", ["inventory/warehouses/a%00b", "orders/%00", "products/%00"])
def test_a_path_with_a_nul_leads_nowhere(api: APIClient, path: str) -> None:
    answer = signed_in(api, superuser()).get(f"/api/v1/{path}")

    assert answer.status_code == 404
    assert _problem(answer)["code"] == "not_found"


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: Client) -> None:
    response = client.post("/api/v1/auth/token", b" " * 10_000_000, content_type="application/json")

    assert response.status_code == 413
    assert _problem(response)["code"] == "body_too_large"


def test_an_accept_header_that_cannot_be_met_is_refused(client: Client) -> None:
    response = client.get("/api/v1/products", headers={"Accept": "text/csv"})

    assert response.status_code == 406
    _problem(response)


@pytest.mark.parametrize("sane", ["abcdef12-3456", "a-1", "x" * 128])
def test_a_sane_request_id_is_kept_and_another_replaced(client: Client, sane: str) -> None:
    kept = client.get("/livez", headers={"X-Request-ID": sane})
    made = client.get("/livez", headers={"X-Request-ID": "a\nb <script>"})

    assert kept["X-Request-ID"] == sane
    assert len(made["X-Request-ID"]) == 32


def test_a_trailing_slash_changes_nothing(client: Client) -> None:
    with_slash = client.get("/api/v1/products/")
    without = client.get("/api/v1/products")

    assert with_slash.status_code == without.status_code == 200
    assert with_slash.content == without.content


def test_problem_types_are_listed_and_each_type_leads_to_its_description(client: Client) -> None:
    listed = client.get("/problems").json()["results"]

    assert {"not_found", "idempotency_key_reused", "out_of_stock"} <= {p["code"] for p in listed}
    for problem in listed:
        assert client.get(problem["type"]).json() == problem


def test_a_bug_is_a_500_that_shows_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret of the shop")

    client.raise_request_exception = False
    monkeypatch.setattr("shop.observe.probes._answer", broken)

    response = client.get("/livez")

    assert response.status_code == 500
    assert _problem(response)["code"] == "internal_error"
    assert b"secret" not in response.content


def test_server_timing_counts_queries_and_trips(client: Client, settings: Any) -> None:
    settings.SHOP_SERVER_TIMING = True

    response = client.get("/readyz")

    assert 'desc="' in response["Server-Timing"]
    assert "cache;dur=" in response["Server-Timing"]
    assert "total;dur=" in response["Server-Timing"]


def test_answers_of_the_api_are_private_unless_they_say_otherwise(client: Client) -> None:
    assert client.get("/api/v1/me")["Cache-Control"] in {"no-store", "private, no-store"}


@pytest.mark.parametrize(
    ("query", "accept", "opens_with"),
    [
        ("?format=json", None, b"{"),
        ("?format=yaml", None, b"openapi: 3.1"),
        ("", "application/json", b"{"),
        ("", "application/yaml", b"openapi: 3.1"),
        ("?format=json", "text/html,application/xml;q=0.9,*/*;q=0.8", b"{"),
    ],
)
def test_the_document_comes_as_it_is_asked_for(
    client: Client, query: str, accept: str | None, opens_with: bytes
) -> None:
    answer = client.get(f"/api/schema{query}", headers={"Accept": accept} if accept else {})

    assert answer.status_code == 200
    assert answer.content.startswith(opens_with)


def test_the_document_in_another_format_is_refused(client: Client) -> None:
    answer = client.get("/api/schema?format=xml")

    assert answer.status_code == 400
    assert _problem(answer)["errors"][0]["pointer"] == "/format"


def test_a_problem_of_the_documents_address_is_json_too(client: Client) -> None:
    answer = client.post("/api/schema?format=yaml")

    assert answer.status_code == 405
    assert _problem(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize("page", ["/api/docs", "/api/redoc", "/api/schema"])
def test_pages_that_show_the_api_refuse_as_the_api_does(client: Client, page: str) -> None:
    assert _problem(client.post(page))["code"] == "method_not_allowed"
    assert _problem(client.get(page, HTTP_ACCEPT="image/png"))["code"] == "not_acceptable"


@pytest.mark.parametrize(
    "path",
    ["cart", "me", "me/second-factors", "me/addresses/1", "orders/NONE", "jobs",
     "jobs/00000000-0000-4000-8000-000000000000", "inventory/stock/1", "inventory/warehouses/main",
     "inventory/transfers/1", "inventory/purchase-limits/1", "variants/1", "categories"],
)  # fmt: skip
def test_no_read_ignores_a_parameter_that_it_does_not_know(path: str) -> None:
    problem = _problem(signed_in(APIClient(), superuser()).get(f"/api/v1/{path}?bogus=1"))

    assert (problem["status"], problem["code"]) == (400, "unknown_field")
    assert problem["errors"][0]["pointer"] == "/bogus"


def test_a_slash_at_the_end_leads_to_the_same_next_page(client: Client) -> None:
    for _ in range(2):
        make_catalog.product()

    plain, with_slash = (client.get(f"/api/v1/products{end}?page_size=1") for end in ("", "/"))

    assert plain.content == with_slash.content
    assert plain["ETag"] == with_slash["ETag"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_name_of_the_scheme_may_have_letters_of_any_case(scheme: str) -> None:
    shopper = APIClient()
    shopper.credentials(HTTP_AUTHORIZATION=f"{scheme} {session(customer()).access}")

    assert shopper.get("/api/v1/me").status_code == 200


def test_what_is_refused_first_of_all_is_no_less_safe_in_a_browser(client: Client) -> None:
    response = client.post(UNKNOWN, "{}", "application/json", HTTP_CONTENT_ENCODING="gzip")

    assert _problem(response)["status"] == 415
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("me/addresses", address_fields()),
        ("inventory/warehouses", {"code": "third", "name": "Third", "country": "GB"}),
    ],
)
def test_what_was_made_is_where_its_answer_says(path: str, body: dict[str, Any]) -> None:
    api = signed_in(APIClient(), superuser())

    made = api.post(f"/api/v1/{path}", body)

    assert made.status_code == 201
    assert made["Location"].startswith(f"/api/v1/{path}/")
    assert api.get(made["Location"]).json() == made.json()


def test_an_access_token_is_no_refresh_token(client: Client) -> None:
    access = session(customer()).access

    response = client.post(
        "/api/v1/auth/token/refresh", {"refresh": access}, content_type="application/json"
    )

    assert _problem(response)["code"] == "invalid_refresh_token"
