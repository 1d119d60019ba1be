"""Every path below /api/v1/ is limited, by its template."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from shop.http.rate_limit.policies import UNKNOWN, routes_with_rules
from shop.http.rate_limit.rates import Rate
from tests.integration.shop.limits import asked, store
from tests.make import catalog

pytestmark = pytest.mark.django_db

LIMIT = 100
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "BREW")
READ = "api/v1/products/<ref:ref>"


@pytest.fixture(autouse=True)
def _default_limit(settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(LIMIT, 60)


def routes() -> list[str]:
    """Return the template of every route below /api/v1/, from the URL conf."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            here = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, here)
            elif isinstance(pattern, URLPattern) and here.startswith("api/v1/"):
                yield here

    return sorted(set(walk(get_resolver().url_patterns, "")))


def path_of(route: str) -> str:
    """Return a path of this route: each parameter gets a value that its converter takes."""
    values = {"int": "1", "uuid": str(uuid.UUID(int=7)), "ref": "x", "str": "X1", "slug": "x"}
    return "/" + re.sub(r"<(\w+):\w+>", lambda found: values[found[1]], route)


ROUTES = routes()
STRAY = [
    *("/api/v1", "/api/v1/", "/api/v1/nowhere", "/api/v1/nowhere/else", "/api/v1/products/1/2/3"),
    *("/API/v1/products", "/api/V1/products", "/api/v1/Products", "//api/v1/products"),
    *("/api//v1/products", "/api/v1//products", "/api/v1/.", "/api/v1/%00", "/api/v1/é"),
    "/api/v1/" + "x" * 5000,
]


@pytest.mark.parametrize("path", [*map(path_of, ROUTES), *STRAY])
def test_every_path_is_limited_by_every_method(client: Client, settings: Any, path: str) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)  # one call a minute, on stricter routes as well
    client.raise_request_exception = False
    unlimited = []

    for number, method in enumerate(METHODS):
        address = f"192.0.2.{number + 1}"
        # The path as it stands: the test client would take what follows // for a host.
        meta: dict[str, Any] = {"REMOTE_ADDR": address, "PATH_INFO": path}
        first = client.generic(method, "/", "{}", "application/json", **meta)
        second = client.generic(method, "/", "{}", "application/json", **meta)
        if (
            first.status_code in (429, 500)
            or second.status_code != 429
            or any('";q=1;w=60' not in one["RateLimit-Policy"] for one in (first, second))
            or not re.fullmatch(r'"\w+";r=0;t=[56]\d', first["RateLimit"])
            or int(second["Retry-After"]) not in range(50, 61)
        ):
            unlimited.append((method, first.status_code, second.status_code))

    assert unlimited == []


def test_the_walk_found_the_routes() -> None:
    assert len(ROUTES) > 30
    assert READ in ROUTES


def test_routes_of_the_table_exist() -> None:
    assert routes_with_rules() - set(ROUTES) == set()


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/api/v1/products/2", {}),
        ("GET", "/api/v1/products/a-slug/", {}),
        ("HEAD", "/api/v1/products/1", {}),
        ("OPTIONS", "/api/v1/products/1", {}),
        ("DELETE", "/api/v1/products/1", {}),
        ("BREW", "/api/v1/products/1", {}),
        ("POST", "/api/v1/products/1", {"X-HTTP-Method-Override": "GET"}),
        ("GET", "/api/v1/products/1?page=2&x=y", {}),
        ("GET", "/api/v1/products/1", {"Host": "somebody.else"}),
        ("GET", "/api/v1/products/1", {"Accept": "text/csv"}),
        ("GET", "/api/v1/products/1", {"Content-Encoding": "gzip"}),
    ],
)
def test_parameters_slashes_methods_and_headers_make_no_other_route(
    client: Client, settings: Any, method: str, path: str, headers: dict[str, str]
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    client.get("/api/v1/products/1")

    again = client.generic(method, path, headers=headers)

    assert again.status_code == 429
    assert client.get("/api/v1/products").status_code == 200  # another route
    elsewhere = client.get("/api/v1/products/1", REMOTE_ADDR="192.0.2.1")
    assert elsewhere.status_code == 404  # another client


def test_all_paths_that_lead_nowhere_are_one_route() -> None:
    decisions = [asked(f"/api/v1/nowhere/{n}") for n in range(LIMIT + 1)]

    assert {decision.route for decision in decisions} == {UNKNOWN}
    assert not decisions[-1].taken.is_allowed


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/metrics",
        "/problems",
        "/api/schema",
        "/api/docs",
        "/admin/",
        "/nowhere",
    ],
)
def test_probes_pages_and_the_admin_are_not_limited(
    client: Client, settings: Any, path: str
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)

    answers = [client.get(path) for _ in range(3)]

    assert all(answer.status_code != 429 for answer in answers)
    assert not any(answer.has_header("RateLimit") for answer in answers)
    assert store().keys("rl:*") == []


def test_a_stricter_route_tells_its_own_limit(client: Client) -> None:
    response = client.post("/api/v1/auth/token", {}, content_type="application/json")

    assert response["RateLimit-Policy"] == '"log_in";q=60;w=60'
    assert response["RateLimit"] == '"log_in";r=59;t=60'


ADD = {"method": "POST", "path": "/api/v1/cart/items"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"method": "GET", "path": "/api/v1/me"}, 401),
        ({"method": "PUT", "path": "/api/v1/me"}, 405),
        ({"method": "GET", "path": "/api/v1/me/"}, 401),
        ({**ADD, "data": "{"}, 400),
        ({**ADD, "data": " " * 2_000_000}, 413),
        (
            {
                "method": "POST",
                "path": "/api/v1/cart/items",
                "data": "a",
                "content_type": "text/csv",
            },
            415,
        ),
        ({"method": "GET", "path": "/api/v1/products", "HTTP_HOST": "somebody.else"}, 400),
        ({"method": "GET", "path": "/api/v1/products", "HTTP_ACCEPT": "text/csv"}, 406),
    ],
)
def test_a_refused_request_has_counted(client: Client, sent: dict[str, Any], status: int) -> None:
    answers = [client.generic(**{"content_type": "application/json", **sent}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert [";r=99;" in answers[0]["RateLimit"], ";r=98;" in answers[1]["RateLimit"]] == [True] * 2


def test_an_unchanged_page_has_the_headers_too(client: Client) -> None:
    product = catalog.product()
    etag = client.get(f"/api/v1/products/{product.pk}")["ETag"]

    unchanged = client.get(f"/api/v1/products/{product.pk}", headers={"If-None-Match": etag})

    assert unchanged.status_code == 304
    assert unchanged["RateLimit"].startswith('"default";r=98;t=')


def test_off_limits_nothing_and_says_nothing(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = None

    response = client.get("/api/v1/products")

    assert response.status_code == 200
    assert not response.has_header("RateLimit")


# Browsers


def test_a_browser_may_read_why_and_how_long(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    settings.CORS_ALLOWED_ORIGINS = ["https://www.shop.example"]
    origin = {"Origin": "https://www.shop.example"}
    client.get("/api/v1/products", headers=origin)

    refused = client.get("/api/v1/products", headers=origin)
    stranger = client.get("/api/v1/products", headers={"Origin": "https://evil.example"})

    assert refused.status_code == 429
    assert refused["Access-Control-Allow-Origin"] == "https://www.shop.example"
    exposed = set(refused["Access-Control-Expose-Headers"].split(", "))
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed
    assert not stranger.has_header("Access-Control-Allow-Origin")


def test_what_a_browser_asks_by_itself_takes_nothing_from_the_route(
    client: Client, settings: Any
) -> None:
    settings.SHOP_RATE_LIMIT = Rate(1, 60)
    asks = {"Origin": "https://www.shop.example", "Access-Control-Request-Method": "GET"}

    answers = [client.options("/api/v1/products", headers=asks) for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert answers[0]["RateLimit-Policy"] == '"preflight";q=6;w=60'
    assert client.get("/api/v1/products").status_code == 200
