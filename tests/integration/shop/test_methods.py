"""Methods that a page does not have, and what staff's browsers send."""

import json

import pytest
from django.test import Client
from prometheus_client import REGISTRY

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TEAPOT"])
@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/metrics", "/problems", "/problems/not_found", "/media/x"]
)
def test_pages_that_only_show_something_refuse_the_rest(path: str, method: str) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.generic(method, path)

    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["code"] == "method_not_allowed"
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("cookie", ['"abcdefgh\\000"', "x" * 5000, "", "a' or 1=1", "é"])
def test_a_session_cookie_that_was_never_ours_is_no_session(client: Client, cookie: str) -> None:
    response = client.get("/admin/", headers={"cookie": f"sessionid={cookie}"})

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_methods_that_are_made_up_count_as_one(client: Client) -> None:
    for method in ("BREW", "TEAPOT", "get"):
        client.generic(method, "/api/v1/products")

    known = {
        sample.labels["method"]
        for metric in REGISTRY.collect()
        if metric.name in ("shop_http_requests", "shop_http_request_seconds")
        for sample in metric.samples
    }
    assert known <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
    assert "other" in known
